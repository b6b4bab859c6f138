//! What is computed in one pass: which kernels run, and that the tape is as if nothing was fused. What a device is given to do.
//!
//! In a program of its own, because the trace is one for the whole process.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pddflow_tensor::trace::{self, Kind};
use pddflow_tensor::{Backend, Conv2d, DType, Device, Keep, RandomKey, Tensor, grad, tape_bytes};

static TRACE: Mutex<()> = Mutex::new(());

/// One test at a time: the trace is of the whole process.
fn alone() -> MutexGuard<'static, ()> {
    TRACE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random(name: &str, shape: &[usize]) -> Tensor {
    let values = RandomKey::new(4).fold(name).normal_f64(shape.iter().product());
    Tensor::from_f64(values, shape, &Device::Cpu).unwrap().variable().unwrap()
}

struct Block {
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
}

impl Block {
    fn new() -> Self {
        Self { x: random("x", &[2, 3, 6, 6]), weight: random("weight", &[3]), bias: random("bias", &[3]) }
    }

    fn norm(&self) -> Tensor {
        self.x.instance_norm(&self.weight, &self.bias, 1e-3).unwrap()
    }

    fn batch_norm(&self) -> Tensor {
        self.x.batch_norm_train(&self.weight, &self.bias, 1e-3).unwrap().0
    }
}

/// How often each operation of the block is computed.
fn counts(work: impl FnOnce()) -> BTreeMap<String, usize> {
    trace::start();
    work();
    let mut counts = BTreeMap::new();
    for event in trace::stop().events {
        if ["norm", "relu", "pool", "gate"].iter().any(|name| event.name.contains(name)) {
            *counts.entry(event.name.into_owned()).or_default() += 1;
        }
    }
    counts
}

fn expected<const N: usize>(names: [&str; N]) -> BTreeMap<String, usize> {
    names.into_iter().map(|name| (name.to_owned(), 1)).collect()
}

#[test]
fn a_block_of_a_network_runs_one_kernel_for_each_order() {
    let _alone = alone();
    let block = Block::new();
    for norm in [Block::norm, Block::batch_norm] {
        one_kernel_for_each_order(&block, norm);
    }
}

fn one_kernel_for_each_order(block: &Block, norm: fn(&Block) -> Tensor) {
    let found = counts(|| {
        let y = norm(block).relu().unwrap().avg_pool2d([2, 2], [2, 2]).unwrap();
        let loss = y.square().unwrap().sum_all().unwrap();
        let gradients = grad(&[loss], std::slice::from_ref(&block.weight), None, Keep::OnTape).unwrap();
        let distance = gradients[0].square().unwrap().sum_all().unwrap();
        let _ = grad(&[distance], std::slice::from_ref(&block.x), None, Keep::No).unwrap();
    });
    // The first walk, and the one behind it in the second.
    let mut all = expected(["norm", "norm_curvature"]);
    all.insert("norm_gradient".to_owned(), 2);
    assert_eq!(found, all);
    let found = counts(|| {
        let loss = norm(block).relu().unwrap().square().unwrap().sum_all().unwrap();
        let _ = grad(&[loss], std::slice::from_ref(&block.x), None, Keep::No).unwrap();
    });
    assert_eq!(found, expected(["norm", "norm_gradient"]));
}

#[test]
fn values_that_are_only_passed_through_take_no_memory() {
    let _alone = alone();
    let block = Block::new();
    let pooled = block.norm().relu().unwrap().avg_pool2d([2, 2], [2, 2]).unwrap();
    let numbers = 2 * 3 * 36 + 3 + 3 + 2 * 3 * 9;
    assert_eq!(tape_bytes(&[pooled]), numbers * 8);
}

#[test]
fn a_gradient_by_a_normalisation_passes_what_follows_it() {
    let _alone = alone();
    let block = Block::new();
    let y = block.norm();
    let gradient = &grad(&[y.relu().unwrap().sum_all().unwrap()], std::slice::from_ref(&y), None, Keep::No).unwrap()[0];
    assert_eq!(gradient.to_f64_vec().unwrap(), y.step().unwrap().to_f64_vec().unwrap());

    let (y, seed) = (block.norm(), random("seed", &[2, 3, 3, 3]).detach());
    let relu = y.relu().unwrap();
    let pooled = relu.avg_pool2d([2, 2], [2, 2]).unwrap();
    let found = grad(
        std::slice::from_ref(&pooled),
        &[relu, y.clone(), pooled.clone()],
        Some(std::slice::from_ref(&seed)),
        Keep::No,
    )
    .unwrap();
    assert!(found[0].to_f64_vec().unwrap().iter().all(|v| *v != 0.0));
    let gated = y.step().unwrap().mul(&found[0]).unwrap();
    assert_eq!(found[1].to_f64_vec().unwrap(), gated.to_f64_vec().unwrap());
    assert_eq!(found[2].to_f64_vec().unwrap(), seed.to_f64_vec().unwrap());
}

#[test]
fn a_lazy_value_as_a_variable_stays_on_the_tape() {
    let _alone = alone();
    for on_tape in [true, false] {
        let block = Block::new();
        let x = if on_tape { block.x.clone() } else { block.x.detach() };
        let y = x.instance_norm(&block.weight.detach(), &block.bias.detach(), 1e-3).unwrap().variable().unwrap();
        let relu = y.relu().unwrap();
        let pooled = relu.avg_pool2d([2, 2], [2, 2]).unwrap();
        assert!(relu.is_on_tape() && pooled.is_on_tape());
        let gradient = &grad(&[pooled.sum_all().unwrap()], std::slice::from_ref(&y), None, Keep::No).unwrap()[0];
        let expected = y.step().unwrap().mul_scalar(0.25).unwrap();
        assert_eq!(gradient.to_f64_vec().unwrap(), expected.to_f64_vec().unwrap());
    }
}

#[test]
fn a_value_in_between_that_is_used_twice_gets_both_gradients() {
    let _alone = alone();
    let block = Block::new();
    let run = |fused: bool| {
        let y = block.norm();
        if !fused {
            y.to_f64_vec().unwrap();
        }
        let relu = y.relu().unwrap();
        let loss = relu.avg_pool2d([2, 2], [2, 2]).unwrap().square().unwrap().sum_all().unwrap();
        let loss = loss.add(&relu.mul(&y).unwrap().sum_all().unwrap()).unwrap();
        grad(&[loss], &[block.x.clone(), block.weight.clone(), block.bias.clone()], None, Keep::No)
            .unwrap()
            .iter()
            .map(|gradient| gradient.to_f64_vec().unwrap())
            .collect::<Vec<_>>()
    };
    assert!(run(true) == run(false), "whether a value is computed at once or later changes no bit");
}

#[test]
fn single_precision_is_fused_too() {
    let _alone = alone();
    let block = Block::new();
    let single = |tensor: &Tensor| tensor.cast(DType::F32).unwrap().variable().unwrap();
    let (x, weight, bias) = (single(&block.x), single(&block.weight), single(&block.bias));
    let found = counts(|| {
        let y = x.instance_norm(&weight, &bias, 1e-3).unwrap().relu().unwrap().avg_pool2d([2, 2], [2, 2]).unwrap();
        let _ = grad(&[y.sum_all().unwrap()], &[x.clone(), weight.clone()], None, Keep::No).unwrap();
    });
    assert_eq!(found, expected(["norm", "norm_gradient"]));
}

#[test]
fn what_a_device_is_given_to_do_is_recorded() {
    let _alone = alone();
    let flex = Device::Burn(Backend::Flex, 0);
    trace::start();
    let image = Tensor::from_f32(vec![0.5; 2 * 3 * 4 * 4], &[2, 3, 4, 4], &flex).unwrap();
    let weight = Tensor::full(0.5, &[5, 3, 3, 3], DType::F32, &flex).unwrap();
    let y = image.conv2d(&weight, None, Conv2d { stride: [1, 1], padding: [1, 1] }).unwrap();
    let y = y.reshape(&[2, 80]).unwrap().mul_scalar(2.0).unwrap().to_f32_vec().unwrap();
    let events = trace::stop().events;
    let of = |kind| events.iter().filter(move |event| event.kind == kind);
    let about = |kind| {
        let rows = of(kind).map(|event| (&*event.name, event.bytes, event.operations));
        rows.collect::<Vec<_>>()
    };
    let result = 2 * 5 * 4 * 4;
    assert_eq!(y.len(), result);
    let result = result as u64;
    assert_eq!(about(Kind::Upload), [("upload", 4 * 96, 0)], "a constant is made on the device");
    assert_eq!(about(Kind::Read), [("read", 4 * result, 0)]);
    let convolution = ("conv2d", 4 * (96 + 135 + result), 2 * 27 * result);
    let expected = [("float_full", 4 * 135, 0), convolution, ("float_mul_scalar", 8 * result, 0)];
    assert_eq!(about(Kind::Launch), expected, "a view is no launch");
    // A launch lies in its operation.
    let end = |event: &trace::Event| event.begin + event.took;
    let within = |inner: &trace::Event, outer: &trace::Event| outer.begin <= inner.begin && end(inner) <= end(outer);
    let named = |kind, name: &str| of(kind).find(|event| event.name == name).unwrap();
    assert!(within(named(Kind::Launch, "conv2d"), named(Kind::Operation, "conv2d")));
}

/// How many launches, uploads and reads there are.
fn traffic(work: impl FnOnce()) -> [usize; 3] {
    trace::start();
    work();
    let events = trace::stop().events;
    [Kind::Launch, Kind::Upload, Kind::Read].map(|kind| events.iter().filter(|event| event.kind == kind).count())
}

#[test]
fn what_is_known_here_is_not_asked_of_the_device() {
    let _alone = alone();
    let flex = Device::Burn(Backend::Flex, 0);
    let x = Tensor::from_f32((0..40).map(|i| i as f32).collect(), &[4, 10], &flex).unwrap();
    let row = |x: &Tensor, row: usize| x.to_f32_vec().unwrap()[row];
    let found = traffic(|| {
        let labels = Tensor::from_i64(vec![3, 0, 2, 2, 1], &[5], &flex).unwrap();
        let rows = Tensor::from_i64(vec![4, 1], &[2], &flex).unwrap();
        let chosen = labels.gather(0, &rows).unwrap().slice(0, 0, 2, 1).unwrap();
        assert_eq!(chosen.to_i64_vec().unwrap(), [1, 0]);
        assert!(chosen.is_at_hand());
        assert!(labels.gather(0, &Tensor::from_i64(vec![5], &[1], &flex).unwrap()).is_err(), "and checked");
        assert!(chosen.one_hot(1, DType::F32).is_err());
        let rate = Tensor::full(0.5, &[], DType::F32, &flex).unwrap().mul_scalar(3.0).unwrap();
        assert_eq!(rate.item().unwrap(), 1.5);
    });
    assert_eq!(found, [0; 3]);
    let rate = Tensor::full(0.25, &[], DType::F32, &flex).unwrap();
    let found = traffic(|| {
        // A number is told with the launch.
        let scaled = [x.mul(&rate), rate.mul(&x), x.add(&rate), rate.add(&x), x.sub(&rate)].map(Result::unwrap);
        assert_eq!(scaled.each_ref().map(|x| row(x, 8)), [2.0, 2.0, 8.25, 8.25, 7.75]);
        assert_eq!(row(&rate.broadcast_to(&[4, 10]).unwrap(), 39), 0.25);
    });
    assert_eq!(found, [6, 0, 6]);
    // Labels go to the device once, and the rows that they choose stay there.
    let labels = Tensor::from_i64((0..9).collect(), &[9], &flex).unwrap();
    let one_hot = || labels.one_hot(10, DType::F32).unwrap();
    let _ = one_hot();
    assert_eq!(traffic(|| drop(one_hot())), [1, 0, 0]);
    let ones = one_hot().to_f32_vec().unwrap();
    assert!((0..90).all(|place| (ones[place] == 1.0) == (place / 10 == place % 10)));
}

#[test]
fn a_map_goes_to_the_device_once() {
    let _alone = alone();
    let flex = Device::Burn(Backend::Flex, 0);
    let x = random("x", &[2, 1, 8, 8]).to_device(&flex).unwrap().variable().unwrap();
    let resized = || {
        let y = x.bilinear_resize(4, 4).unwrap();
        grad(&[y.square().unwrap().sum_all().unwrap()], std::slice::from_ref(&x), None, Keep::No).unwrap()
    };
    let _ = resized();
    assert_eq!(traffic(|| drop(resized()))[1], 2, "indices and weights");
}
