//! Peak memory of trajectory matching: it grows with the number of inner steps by the weights that are kept, and by activations up to a
//! budget.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unsafe_code, reason = "tests")]

mod support;

use pddflow_host::{InputShape, Registry, Segment};
use pddflow_tensor::{Device, RandomKey, Tensor};
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use support::{Bench, noise};

/// Counts live bytes and their maximum.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes are those of the process, so that one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Rows of the set.
const ROWS: usize = 32;

/// Bytes above those before the iteration, and those of the weights.
fn peak(registry: &Registry, matcher: &str, (steps, batch): (usize, usize), tape_budget: usize) -> (usize, usize) {
    let shape = InputShape { channels: 3, height: 16, width: 16 };
    let model = registry.model("convnet", &json!({"width": 32, "depth": 2})).unwrap();
    let mut bench = Bench::new(support::problem(2, shape, 16)).with_model(model).with_random_images();
    bench.tape_budget = tape_budget as u64;
    bench.learnables.push(("learning_rate".to_owned(), Tensor::from_f64(vec![0.01], &[], &Device::Cpu).unwrap()));
    let start = bench.start.clone();
    let moved = |weight: &Tensor| weight.add(&noise(weight.shape(), RandomKey::new(4), 0.05)).unwrap();
    let target: Vec<Tensor> = start.iter().map(moved).collect();
    let weights = start.iter().map(|weight| weight.elements() * 8).sum();
    bench.segment = Some(Box::new(move |_, _| Segment { start: start.clone(), target: target.clone(), epoch: 0 }));
    let config = json!({"syn_steps": steps, "batch_syn": batch, "max_start": 1, "augment": "none"});
    let matcher = registry.matcher(matcher, &config).unwrap();
    // Buffers that live as long as the process are there after the first iteration, unless a thread of the pool had no part in it:
    // the lowest of three peaks counts.
    matcher.iterate(&mut bench, 0).unwrap();
    let mut measured = |iteration| {
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        matcher.iterate(&mut bench, iteration).unwrap();
        PEAK.load(Ordering::Relaxed) - before
    };
    ((1..=3).map(&mut measured).min().unwrap_or(0), weights)
}

#[test]
fn peak_memory_grows_by_the_kept_weights_only() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = support::registry();
    for (matcher, kept) in [("mtt", 1.0), ("tesla", 0.0)] {
        let (few, weights) = peak(&registry, matcher, (5, ROWS), 0);
        let (many, _) = peak(&registry, matcher, (25, ROWS), 0);
        let grown = many.saturating_sub(few) as f64 / weights as f64;
        println!("{matcher}: 5 steps {few} bytes, 25 steps {many}: {grown:.1} times the weights ({weights} bytes)");
        assert!(few > 20 * weights, "{matcher}: the activations of a step must be what counts here");
        // 20 steps more: their weights, and rows and keys of the mini-batches.
        assert!(grown <= 20.0 * kept + 5.0, "{matcher}: grew by {grown} times the weights");
    }
}

/// Of many steps the weights before each would be kept only by the root of their number.
#[test]
fn peak_memory_of_many_steps_is_flat() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = support::registry();
    let (few, weights) = peak(&registry, "mtt", (144, 2), 0);
    let (many, _) = peak(&registry, "mtt", (324, 2), 0);
    let grown = many.saturating_sub(few) as f64 / weights as f64;
    println!("mtt: 180 steps more are {grown:.1} times the weights");
    assert!(grown <= 2.0 * (18.0 - 12.0) + 5.0, "grew by {grown} times the weights");
}

#[test]
fn tapes_that_are_kept_stay_within_their_budget() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = support::registry();
    for matcher in ["mtt", "tesla"] {
        let (none, weights) = peak(&registry, matcher, (25, ROWS), 0);
        let all = peak(&registry, matcher, (25, ROWS), usize::MAX).0 - none;
        for budget in [all / 10, all / 2] {
            let more = peak(&registry, matcher, (25, ROWS), budget).0.saturating_sub(none);
            println!("{matcher}: {more} bytes more with a budget of {budget}; {all} for all tapes");
            // Values are counted; the records of a tape are small beside them.
            assert!(more < budget + weights, "{matcher}: {more} bytes of tapes, {budget} allowed");
        }
    }
}
