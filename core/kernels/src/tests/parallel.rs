use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::parallel::{chunks, for_each, map, on_one_thread};

#[test]
fn every_task_runs_once() {
    for round in 0..200 {
        let count = 1 + round % 37;
        let runs: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        for_each(count, true, |index| {
            runs[index].fetch_add(1, Ordering::Relaxed);
        });
        assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1), "round {round}");
    }
}

#[test]
fn results_keep_their_order_in_nested_loops() {
    let table = map(20, |i| map(30, |j| i * 30 + j));
    assert_eq!(table.concat(), (0..600).collect::<Vec<_>>());
}

#[test]
fn chunks_cover_a_slice() {
    for len in [0, 1, 7, 8, 9, 1000] {
        let mut values = vec![0; len];
        chunks(&mut values, 8, |index, chunk| chunk.iter_mut().enumerate().for_each(|(i, x)| *x = index * 8 + i));
        assert_eq!(values, (0..len).collect::<Vec<_>>());
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    for bad in [0, 50, 99] {
        let result = catch_unwind(|| for_each(100, true, |index| assert!(index != bad, "task {bad}")));
        assert!(result.is_err());
        assert_eq!(map(10, |index| index).len(), 10);
    }
}

#[test]
fn several_threads_share_the_pool() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(map(16, |index| index * index)[15], 225);
                }
            });
        }
    });
}

#[test]
fn work_for_one_thread_stays_on_it() {
    let here = std::thread::current().id();
    let elsewhere = AtomicUsize::new(0);
    let look = |_| {
        if std::thread::current().id() != here {
            elsewhere.fetch_add(1, Ordering::Relaxed);
        }
    };
    on_one_thread(|| on_one_thread(|| ()));
    let panicked = catch_unwind(|| on_one_thread(|| panic!("inside")));
    assert!(panicked.is_err());
    on_one_thread(|| {
        on_one_thread(|| for_each(1000, true, look));
        for_each(1000, true, look);
    });
    assert_eq!(elsewhere.load(Ordering::Relaxed), 0);
}
