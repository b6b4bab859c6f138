//! Random small graphs: the gradient by every tensor, of the first and the second order, against finite differences.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;

use pddflow_tensor::{Backend, Conv2d, Device, Keep, RandomKey, Tensor, TensorError, grad};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Half the distance of the two points of a difference.
const EPSILON: f64 = 1e-5;
/// Between the difference and the product, relative to the size of both: rounding (1e-16 / 1e-5, times sums of some hundred terms of
/// size 10) and curvature (1e-10 times third derivatives of up to some hundred). A missing part of a rule is off by 0.01 or more.
const TOLERANCE: f64 = 1e-5;

thread_local! {
    static DEVICE: RefCell<Device> = const { RefCell::new(Device::Cpu) };
}

/// Where this thread computes.
fn device() -> Device {
    DEVICE.with_borrow(Device::clone)
}

/// What makes a tensor of a graph of earlier ones.
#[derive(Clone, Copy, Debug)]
enum Step {
    Norm,
    Relu,
    AvgPool,
    Overlapping,
    MaxPool,
    Conv,
    Standardize,
    BatchNorm,
    Square,
    Tanh,
    Exp,
    Abs,
    Clamp,
    Powf,
    AddScalar,
    Softmax,
    Flip,
    Pad,
    Slice,
    Permute,
    Broadcast,
    Resize,
    Center,
    Add,
    Mul,
    Div,
    Maximum,
    Select,
    Concat,
    Matmul,
    Gather,
}

const STEPS: &[Step] = &[
    Step::Norm,
    Step::Relu,
    Step::AvgPool,
    Step::Overlapping,
    Step::MaxPool,
    Step::Conv,
    Step::Standardize,
    Step::BatchNorm,
    Step::Square,
    Step::Tanh,
    Step::Exp,
    Step::Abs,
    Step::Clamp,
    Step::Powf,
    Step::AddScalar,
    Step::Softmax,
    Step::Flip,
    Step::Pad,
    Step::Slice,
    Step::Permute,
    Step::Broadcast,
    Step::Resize,
    Step::Center,
    Step::Add,
    Step::Mul,
    Step::Div,
    Step::Maximum,
    Step::Select,
    Step::Concat,
    Step::Matmul,
    Step::Gather,
];

/// Steps, each with two numbers that choose among the tensors before it.
type Graph = Vec<(Step, usize, usize)>;

const LEAVES: usize = 4;

/// Two batches of planes, and weight and bias of a normalisation of two channels.
fn leaf(index: usize) -> Tensor {
    let shape: &[usize] = if index < 2 { &[2, 2, 4, 4] } else { &[2] };
    let values = RandomKey::new(17).fold_u64(index as u64).normal_f64(shape.iter().product());
    Tensor::from_f64(values, shape, &device()).unwrap()
}

fn apply(step: Step, x: &Tensor, y: &Tensor, leaves: &[Tensor]) -> Result<Tensor, TensorError> {
    let (n, c, h, w) = (x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3]);
    // As large as `x`, whatever it is.
    let like = |y: &Tensor| -> Result<Tensor, TensorError> {
        if y.shape() == x.shape() { Ok(y.clone()) } else { y.mean(&[1, 2, 3], true)?.mean(&[0], true) }
    };
    match step {
        Step::Norm if c == 2 => x.instance_norm(&leaves[2], &leaves[3], 1e-2),
        Step::Norm => x.standardize(&[2, 3], 1e-2),
        Step::Relu => x.relu(),
        Step::AvgPool if h >= 2 && w >= 2 => x.avg_pool2d([2, 2], [2, 2]),
        Step::Overlapping if h >= 2 && w >= 2 => x.avg_pool2d([2, 2], [1, 1]),
        Step::MaxPool if h >= 2 && w >= 2 => x.max_pool2d([2, 2], [2, 2]),
        Step::AvgPool | Step::Overlapping | Step::MaxPool => x.sin(),
        Step::Conv => {
            let weight = y.slice(0, 0, 1, 1)?.mean(&[1, 2, 3], true)?.broadcast_to(&[2, c, 3, 3])?;
            x.conv2d(&weight, None, Conv2d { stride: [1, 1], padding: [1, 1] })
        }
        Step::Standardize => x.standardize(&[2, 3], 1e-2),
        Step::BatchNorm if c == 2 => Ok(x.batch_norm_train(&leaves[2], &leaves[3], 1e-2)?.0),
        Step::BatchNorm => x.standardize(&[0, 2, 3], 1e-2),
        Step::Square => x.tanh()?.square(),
        Step::Tanh => x.tanh(),
        Step::Exp => x.tanh()?.exp(),
        Step::Abs => x.abs(),
        Step::Clamp => x.clamp(-0.7, 0.9),
        Step::Powf => x.tanh()?.add_scalar(1.5)?.powf(1.7),
        Step::AddScalar => x.add_scalar(0.3)?.mul_scalar(-1.2),
        Step::Softmax => x.softmax(1),
        Step::Flip => x.flip(&[2, 3]),
        Step::Pad => x.pad(&[(0, 0), (0, 0), (1, 0), (0, 1)])?.slice(2, 0, h, 1)?.slice(3, 0, w, 1),
        Step::Slice => x.slice(2, 0, h.div_ceil(2), 1),
        Step::Permute => x.permute(&[0, 1, 3, 2]),
        Step::Broadcast => x.mean(&[2], true)?.broadcast_to(&[n, c, h, w]),
        Step::Resize => x.bilinear_resize(3, 4),
        Step::Center => x.sub(&x.max(&[2, 3], true)?),
        Step::Add => x.add(&like(y)?),
        Step::Mul => x.mul(&like(y)?.tanh()?),
        Step::Div => x.div(&like(y)?.square()?.add_scalar(1.0)?),
        Step::Maximum => x.maximum(&like(y)?),
        Step::Select => x.greater(&like(y)?)?.select(x, &like(y)?),
        Step::Concat => Tensor::concat(&[x.clone(), x.sin()?], 1)?.slice(1, 0, 2 * c, 2),
        Step::Matmul => x.matmul_transposed(x)?.tanh(),
        Step::Gather => x.gather(0, &Tensor::from_i64(vec![1, 0, 1], &[3], &device())?)?.slice(0, 0, 2, 1),
    }
}

/// All tensors of a graph: leaves, then one for each step. Those that `given` names are variables with these values.
fn run(graph: &Graph, given: &[(usize, &Tensor)]) -> Vec<Tensor> {
    let variable = |index: usize| given.iter().find(|(given, _)| *given == index).map(|(_, x)| (*x).clone());
    let mut tensors: Vec<Tensor> =
        (0..LEAVES).map(|index| variable(index).unwrap_or_else(|| leaf(index).variable().unwrap())).collect();
    for (step, first, second) in graph {
        let planes: Vec<usize> = (0..tensors.len()).filter(|&index| tensors[index].rank() == 4).collect();
        // Mostly of the last one, so that graphs are deep.
        let x = planes[planes.len() - 1 - (first % planes.len()).saturating_sub(planes.len() / 2)];
        let y = planes[second % planes.len()];
        let made = apply(*step, &tensors[x], &tensors[y], &tensors).unwrap();
        tensors.push(variable(tensors.len()).unwrap_or(made));
    }
    tensors
}

/// Every tensor that is used by no other, in a weighted sum.
fn loss(tensors: &[Tensor]) -> Tensor {
    let last = &tensors[tensors.len() - 1];
    let mut total = Tensor::zeros(&[], last.dtype(), &device()).unwrap();
    for (index, tensor) in tensors.iter().enumerate().skip(tensors.len().saturating_sub(2)) {
        let weights = direction(tensor, 1000 + index as u64);
        let part = tensor.sin().unwrap().mul(&weights).unwrap().sum_all().unwrap();
        total = total.add(&part).unwrap();
    }
    total
}

fn direction(like: &Tensor, name: u64) -> Tensor {
    let values = RandomKey::new(23).fold_u64(name).normal_f64(like.elements());
    Tensor::from_f64(values, like.shape(), &device()).unwrap()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.detach().dot(&b.detach()).unwrap().item().unwrap()
}

/// Whether `exact` is the derivative of `f` along a step of length 1; `None` at a kink, where the slopes on both sides differ, and
/// near one, where differences of two lengths do.
fn agrees(exact: f64, f: impl Fn(f64) -> f64) -> Option<Result<(), String>> {
    let middle = f(0.0);
    let [(wide, wide_bend), (narrow, narrow_bend)] = [EPSILON, EPSILON / 4.0].map(|step| {
        let (after, before) = (f(step), f(-step));
        ((after - before) / (2.0 * step), (after - 2.0 * middle + before) / step)
    });
    let scale = 1.0 + exact.abs() + narrow.abs();
    // What is left of the bend when the part that is proportional to the step is taken out.
    let kink = (4.0 * narrow_bend - wide_bend) / 3.0;
    if kink.abs().max((wide - narrow).abs()) > TOLERANCE / 4.0 * scale {
        return None;
    }
    Some(if (narrow - exact).abs() < TOLERANCE * scale {
        Ok(())
    } else {
        Err(format!("{exact}, by differences {narrow}"))
    })
}

/// First and second derivative by one tensor, what is before it being fixed, and the mixed one by a leaf.
fn check(graph: &Graph, at: usize) -> Result<usize, String> {
    let tensors = run(graph, &[]);
    let (x, v) = (tensors[at].detach(), direction(&tensors[at], at as u64));
    let moved = |step: f64| x.add(&v.mul_scalar(step).unwrap()).unwrap().variable().unwrap();
    let gradient =
        |tensors: &[Tensor]| grad(&[loss(tensors)], &[tensors[at].clone()], None, Keep::OnTape).unwrap().remove(0);
    let by_x = gradient(&tensors);
    let u = direction(&x, 500 + at as u64);
    let mut checked = 0;
    let mut judge = |order: &str, outcome: Option<Result<(), String>>| match outcome {
        None => Ok(()),
        Some(Ok(())) => {
            checked += 1;
            Ok(())
        }
        Some(Err(message)) => Err(format!("{order} by tensor {at} of {graph:?}: {message}")),
    };
    judge(
        "first",
        agrees(dot(&by_x, &v), |step| {
            let x = moved(step);
            dot(&loss(&run(graph, &[(at, &x)])), &Tensor::ones(&[], x.dtype(), &device()).unwrap())
        }),
    )?;
    if !by_x.is_on_tape() {
        return Ok(checked);
    }
    let along = by_x.dot(&u).unwrap();
    let second =
        grad(std::slice::from_ref(&along), &[tensors[at].clone(), tensors[0].clone()], None, Keep::No).unwrap();
    judge(
        "second",
        agrees(dot(&second[0], &v), |step| {
            let x = moved(step);
            dot(&gradient(&run(graph, &[(at, &x)])), &u)
        }),
    )?;
    let first = leaf(0);
    let w = direction(&first, 700);
    judge(
        "mixed",
        agrees(dot(&second[1], &w), |step| {
            let leaf = first.add(&w.mul_scalar(step).unwrap()).unwrap().variable().unwrap();
            dot(&gradient(&run(graph, &[(0, &leaf)])), &u)
        }),
    )?;
    Ok(checked)
}

fn check_all(graph: &Graph) -> Result<usize, String> {
    (0..LEAVES + graph.len()).map(|at| check(graph, at)).sum()
}

fn every_step_after_every_lazy_one() {
    let mut checked = 0;
    for lazy in [&[Step::Norm][..], &[Step::Norm, Step::Relu], &[Step::Norm, Step::Relu, Step::AvgPool]] {
        for &step in STEPS {
            let graph: Graph = lazy.iter().chain([&step]).map(|&step| (step, 0, 0)).collect();
            checked += check_all(&graph).unwrap();
        }
    }
    // Some lie near a kink.
    assert!(checked > 3 * STEPS.len() * 10, "only {checked}");
}

fn random_graphs(cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    // Every second step is one of those that can be fused.
    let step =
        prop_oneof![prop_oneof![Just(Step::Norm), Just(Step::Relu), Just(Step::AvgPool)], prop::sample::select(STEPS),];
    let graphs = prop::collection::vec((step, any::<usize>(), any::<usize>()), 2..7);
    runner.run(&graphs, |graph| check_all(&graph).map(|_| ()).map_err(TestCaseError::fail)).unwrap();
}

#[test]
fn every_step_after_every_lazy_one_has_the_gradients_of_its_definition() {
    every_step_after_every_lazy_one();
}

#[test]
fn random_graphs_have_the_gradients_of_their_definition() {
    random_graphs(300);
}

/// burn's CPU backend computes in double precision and runs the code that a GPU runs.
#[test]
fn gradients_are_those_of_the_definition_on_the_path_of_a_device() {
    DEVICE.set(Device::Burn(Backend::Flex, 0));
    every_step_after_every_lazy_one();
    random_graphs(100);
}
