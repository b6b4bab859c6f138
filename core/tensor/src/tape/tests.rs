//! Every rule against central finite differences in double precision, in random directions, to second order, and a
//! small network to third.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::op::Op;
use crate::{Conv2d, DType, Device, GroupedConv2d, RandomKey, ResampleMap, Unary};

type Function<'a> = dyn Fn(&[Tensor]) -> Result<Vec<Tensor>> + 'a;

/// Half the distance of the two points of a difference. The error is about its square (1e-10) plus rounding
/// divided by it (1e-11).
const EPSILON: f64 = 1e-5;
/// A thousand times that error, for third derivatives of size 10 and sums over some hundred elements; a wrong rule is
/// off by 0.01 or more.
const TOLERANCE: f64 = 1e-7;
/// Of second derivatives in single precision: some hundred roundings of 6e-8.
const SINGLE: f64 = 3e-5;

fn random(key: RandomKey, shape: &[usize], positive: bool) -> Tensor {
    let values = key.normal_f64(shape.iter().product());
    let values = values.into_iter().map(|v| if positive { 0.5 + v.abs() } else { v }).collect();
    Tensor::from_f64(values, shape, &Device::Cpu).unwrap()
}

fn inner(a: &[Tensor], b: &[Tensor]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.detach().dot(&b.detach()).unwrap().item().unwrap()).sum()
}

/// Names of all operations behind tensors.
fn operations(tensors: &[Tensor], seen: &mut BTreeSet<&'static str>) {
    let mut visited = BTreeSet::new();
    let mut waiting: Vec<Tensor> = tensors.to_vec();
    while let Some(tensor) = waiting.pop() {
        if let (true, Some(record)) = (visited.insert(tensor.id()), tensor.record()) {
            seen.insert(record.op.name());
            waiting.extend(record.inputs.iter().cloned());
        }
    }
}

struct Checker {
    name: &'static str,
    seen: RefCell<BTreeSet<&'static str>>,
}

impl Checker {
    /// `<u, f(x + e v) - f(x - e v)> / 2 e` must be `<grad <u, f>, v>`; then the same for the gradient.
    fn check(&self, f: &Function<'_>, x: &[Tensor], order: usize, key: RandomKey) {
        let variables: Vec<Tensor> = x.iter().map(|x| x.variable().unwrap()).collect();
        let outputs = f(&variables).unwrap();
        operations(&outputs, &mut self.seen.borrow_mut());
        let direction = |name: &str, like: &[Tensor]| -> Vec<Tensor> {
            like.iter().enumerate().map(|(i, t)| random(key.fold(name).fold_u64(i as u64), t.shape(), false)).collect()
        };
        let (u, v) = (direction("u", &outputs), direction("v", x));
        let gradients = grad(&outputs, &variables, Some(&u), Keep::OnTape).unwrap();
        let detached = grad(&outputs, &variables, Some(&u), Keep::No).unwrap();
        for (kept, detached) in gradients.iter().zip(&detached) {
            assert!(!detached.is_on_tape());
            assert_eq!(
                kept.to_f64_vec().unwrap(),
                detached.to_f64_vec().unwrap(),
                "{}: with and without tape",
                self.name
            );
        }
        let at = |step: f64| {
            let moved =
                |(x, v): (&Tensor, &Tensor)| x.detach().add(&v.mul_scalar(step).unwrap()).unwrap().variable().unwrap();
            inner(&f(&x.iter().zip(&v).map(moved).collect::<Vec<_>>()).unwrap(), &u)
        };
        let numeric = (at(EPSILON) - at(-EPSILON)) / (2.0 * EPSILON);
        let exact = inner(&gradients, &v);
        let scale = 1.0 + numeric.abs() + inner(&gradients, &gradients).sqrt();
        assert!((numeric - exact).abs() < TOLERANCE * scale, "{}: {order} orders left: {numeric} {exact}", self.name);
        if order > 1 {
            let next = |x: &[Tensor]| grad(&f(x)?, x, Some(&u), Keep::OnTape);
            self.check(&next, x, order - 1, key.fold("next"));
        }
    }
}

struct Case {
    name: &'static str,
    shapes: Vec<Vec<usize>>,
    positive: bool,
    order: usize,
    f: Box<Function<'static>>,
}

fn case(name: &'static str, shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Result<Tensor> + 'static) -> Case {
    let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
    Case { name, shapes, positive: false, order: 2, f: Box::new(move |x| Ok(vec![f(x)?])) }
}

fn positive(case: Case) -> Case {
    Case { positive: true, ..case }
}

/// A second derivative with a kernel of its own has a rule too.
fn to_third_order(case: Case) -> Case {
    Case { order: 3, ..case }
}

thread_local! {
    static PLACE: RefCell<(Device, DType)> = const { RefCell::new((Device::Cpu, DType::F64)) };
}

/// Where the cases of this thread are computed, and in which type.
fn place() -> (Device, DType) {
    PLACE.with_borrow(Clone::clone)
}

fn rows(rows: &[i64]) -> Tensor {
    Tensor::from_i64(rows.to_vec(), &[rows.len()], &place().0).unwrap()
}

fn eye(size: usize, value: f64) -> Result<Tensor> {
    let values = (0..size * size).map(|at| if at % (size + 1) == 0 { value } else { 0.0 }).collect();
    let (device, dtype) = place();
    Tensor::from_values(values, &[size, size], dtype, &device)
}

/// A Gram matrix with a ridge.
fn definite(x: &Tensor) -> Result<Tensor> {
    let size = x.shape()[0];
    x.matmul_transposed(x)?.mul_scalar(1.0 / size as f64)?.add(&eye(size, 1.0)?)
}

/// Every function of one element that has a rule and no parameters, on both sides of 0 where it is defined there.
fn row_cases() -> Vec<Case> {
    let rows = Unary::ALL.iter().filter(|(_, _, differentiable)| *differentiable);
    let functions = rows.filter_map(|(name, number, _)| match Unary::numbered(*number, &[])? {
        (function, 0) => Some((*name, function)),
        _ => None,
    });
    let defined = |function: Unary, side: f64| {
        let here = Tensor::from_f64(vec![0.3 * side, 0.9 * side], &[2], &Device::Cpu).unwrap();
        here.unary(function).unwrap().to_f64_vec().unwrap().iter().all(|value| value.is_finite())
    };
    let sides = functions.flat_map(|(name, function)| [1.0, -1.0].map(|side| (name, function, side)));
    sides
        .filter(|(_, function, side)| defined(*function, *side))
        .map(|(name, function, side)| {
            // From 0.25 to 1.
            case(name, &[&[3, 4]], move |x| {
                x[0].tanh()?.mul_scalar(0.375)?.add_scalar(0.625)?.mul_scalar(side)?.unary(function)
            })
        })
        .collect()
}

fn map_cases() -> Vec<Case> {
    let s: &[&[usize]] = &[&[3, 4]];
    vec![
        case("abs", s, |x| x[0].abs()?.mul(&x[0])),
        case("relu", s, |x| x[0].relu()?.mul(&x[0])),
        case("sign and step", s, |x| x[0].mul(&x[0].sign()?)?.add(&x[0].square()?.mul(&x[0].step()?)?)),
        positive(case("powf", s, |x| x[0].powf(2.7))),
        case("clamp", s, |x| x[0].clamp(-0.5, 0.8)?.mul(&x[0])),
        case("add_scalar and mul_scalar", s, |x| x[0].add_scalar(2.0)?.mul_scalar(-3.0)?.square()),
        case("cast", s, |x| crate::tensor::apply(Op::Cast { dtype: place().1 }, &[&x[0]])?.square()),
    ]
}

fn pair_cases() -> Vec<Case> {
    let s: &[&[usize]] = &[&[2, 3, 4], &[3, 1]];
    vec![
        case("add", s, |x| x[0].add(&x[1])?.square()),
        case("sub", s, |x| x[1].sub(&x[0])?.square()),
        case("mul", s, |x| x[0].mul(&x[1])?.sin()),
        positive(case("div", s, |x| x[0].div(&x[1])?.sin())),
        case("maximum", s, |x| x[0].maximum(&x[1])?.square()),
        case("minimum", s, |x| x[0].minimum(&x[1])?.square()),
        case("select", s, |x| x[0].greater(&x[1])?.select(&x[0].square()?, &x[1].sin()?)),
        case("comparisons", s, |x| {
            let some =
                x[0].greater_equal(&x[1])?.add(&x[0].less(&x[1])?.mul_scalar(2.0)?)?.add(&x[0].less_equal(&x[1])?)?;
            some.mul(&x[0].square()?)
        }),
        case("same input twice", &[&[3]], |x| x[0].mul(&x[0])?.div(&x[0].square()?.add_scalar(1.0)?)),
        case("matmul", &[&[3, 4], &[4, 2]], |x| x[0].matmul(&x[1])?.sin()),
        case("matmul, one matrix for all", &[&[2, 3, 4], &[4, 2]], |x| x[0].matmul(&x[1])?.sin()),
        case("matmul, batches", &[&[2, 1, 3, 4], &[5, 4, 2]], |x| x[0].matmul(&x[1])?.sin()),
        case("matmul_transposed", &[&[2, 3, 4], &[2, 5, 4]], |x| x[0].matmul_transposed(&x[1])?.sin()),
        case("matmul, first transposed", &[&[2, 4, 3], &[2, 4, 5]], |x| {
            crate::tensor::apply(Op::Matmul { transpose: [true, false] }, &[&x[0], &x[1]])?.sin()
        }),
        case("matmul, both transposed", &[&[2, 4, 3], &[2, 5, 4]], |x| {
            crate::tensor::apply(Op::Matmul { transpose: [true, true] }, &[&x[0], &x[1]])?.sin()
        }),
        to_third_order(case("solve", &[&[5, 5], &[5, 2]], |x| definite(&x[0])?.solve(&x[1])?.sin())),
        case("solve, by a matrix that is not symmetric", &[&[5, 5], &[5, 2]], |x| {
            x[0].add(&eye(5, 9.0)?)?.solve(&x[1])?.sin()
        }),
        case("solve, of a size with many blocks", &[&[50, 50], &[50, 3]], |x| definite(&x[0])?.solve(&x[1])?.sin()),
        case("linear", &[&[3, 4], &[2, 4], &[2]], |x| x[0].linear(&x[1], Some(&x[2]))?.sin()),
    ]
}

fn axis_cases() -> Vec<Case> {
    let s: &[&[usize]] = &[&[2, 3, 4]];
    vec![
        case("sum", s, |x| x[0].sum(&[0, 2], false)?.sin()),
        case("mean", s, |x| x[0].mean(&[1], true)?.mul(&x[0])),
        case("max", s, |x| x[0].max(&[1, 2], false)?.square()),
        case("min", s, |x| x[0].min(&[0], true)?.square()),
        case("log_sum_exp", s, |x| x[0].log_sum_exp(1, false)),
        case("norm2", s, |x| x[0].norm2(&[2], false)),
        case("reshape", s, |x| x[0].reshape(&[4, 6])?.sin()),
        case("permute", s, |x| x[0].permute(&[2, 0, 1])?.sin()),
        case("broadcast_to", &[&[3, 1]], |x| x[0].broadcast_to(&[2, 3, 4])?.sin()),
        case("slice", s, |x| x[0].slice(1, 1, 3, 1)?.sin()),
        case("slice with steps", s, |x| x[0].slice(2, 0, 4, 3)?.sin()),
        case("place", s, |x| crate::tensor::apply(Op::Place { axis: 1, start: 1, step: 2, size: 7 }, &[&x[0]])?.sin()),
        case("pad", s, |x| x[0].pad(&[(1, 0), (0, 0), (2, 1)])?.sin()),
        case("flip", s, |x| x[0].flip(&[0, 2])?.mul(&x[0])),
        case("concat", &[&[2, 3], &[2, 1], &[2, 2]], |x| Tensor::concat(x, 1)?.sin()),
        case("stack", &[&[2, 3], &[2, 3]], |x| Tensor::stack(x, 1)?.sin()),
        case("top_k, largest", s, |x| x[0].top_k(1, 2, true)?.0.square()),
        case("top_k, smallest of all", s, |x| x[0].top_k(2, 4, false)?.0.mul(&x[0])?.sin()),
        case("take_along", s, |x| {
            let places = Tensor::from_i64(vec![2, 0, 0, 1, 1, 1, 0, 2], &[2, 1, 4], &place().0)?;
            x[0].take_along(1, &places)?.sin()
        }),
        case("gather", s, |x| x[0].gather(1, &rows(&[2, 0, 2, 1, 2]))?.sin()),
        case("scatter_add", s, |x| x[0].scatter_add(1, &rows(&[4, 0, 4]), 6)?.sin()),
    ]
}

fn plane_cases() -> Vec<Case> {
    let planes: &[&[usize]] = &[&[2, 3, 5, 6]];
    let wide = Conv2d { stride: [2, 1], padding: [1, 2] };
    let affine = ResampleMap::sample([5, 6], [4, 3], Some(2), |image, row, column| {
        (0.9 * row as f64 + 0.3 * image as f64, 1.7 * column as f64 - 0.4)
    });
    let affine = Arc::new(affine.unwrap());
    vec![
        case("conv2d", &[&[2, 3, 5, 6], &[4, 3, 3, 3], &[4]], |x| {
            x[0].conv2d(&x[1], Some(&x[2]), Conv2d { stride: [1, 1], padding: [1, 1] })?.sin()
        }),
        case("conv2d with stride", &[&[2, 3, 5, 6], &[4, 3, 3, 2]], move |x| x[0].conv2d(&x[1], None, wide)?.sin()),
        case("conv2d, groups and dilation", &[&[2, 4, 7, 6], &[6, 2, 3, 2], &[6]], |x| {
            let conv = Conv2d { stride: [2, 1], padding: [1, 0] };
            x[0].conv2d_grouped(&x[1], Some(&x[2]), GroupedConv2d { conv, dilation: [2, 3], groups: 2 })?.sin()
        }),
        case("conv_transpose2d", &[&[2, 4, 3, 4], &[4, 3, 2, 3], &[6]], |x| {
            let conv = Conv2d { stride: [2, 3], padding: [1, 0] };
            let how = GroupedConv2d { conv, dilation: [2, 1], groups: 2 };
            x[0].conv_transpose2d(&x[1], Some(&x[2]), how, [1, 2])?.sin()
        }),
        case("grid_sample", &[&[2, 3, 5, 6], &[2, 3, 2, 2]], |x| x[0].grid_sample(&x[1].tanh()?)?.sin()),
        case("grid_sample, one grid for all", &[&[2, 3, 5, 6], &[1, 3, 2, 2]], |x| x[0].grid_sample(&x[1])?.sin()),
        case("avg_pool2d", planes, |x| x[0].avg_pool2d([2, 2], [2, 2])?.sin()),
        case("avg_pool2d, overlapping", planes, |x| x[0].avg_pool2d([3, 2], [1, 2])?.sin()),
        case("max_pool2d", planes, |x| x[0].max_pool2d([3, 2], [2, 2])?.square()),
        case("resample for each image", planes, move |x| x[0].resample(&affine)?.sin()),
        case("bilinear_resize", planes, |x| x[0].bilinear_resize(7, 4)?.sin()),
        case("standardize, instance", planes, |x| x[0].standardize(&[2, 3], 1e-2)?.sin()),
        case("standardize, batch", planes, |x| x[0].standardize(&[0, 2, 3], 1e-2)?.sin()),
        case("standardize, other axes", planes, |x| x[0].standardize(&[1], 1e-2)?.sin()),
        case("instance_norm", &[&[2, 3, 4, 4], &[3], &[3]], |x| x[0].instance_norm(&x[1], &x[2], 1e-2)?.sin()),
        to_third_order(case("instance_norm and relu", &[&[2, 3, 4, 4], &[3], &[3]], |x| {
            x[0].instance_norm(&x[1], &x[2], 1e-2)?.relu()?.sin()
        })),
        case("instance_norm, relu and pooling", &[&[2, 3, 5, 7], &[3], &[3]], |x| {
            x[0].instance_norm(&x[1], &x[2], 1e-2)?.relu()?.avg_pool2d([2, 2], [2, 2])?.sin()
        }),
        case("batch_norm_train", &[&[2, 3, 4, 4], &[3], &[3]], |x| x[0].batch_norm_train(&x[1], &x[2], 1e-2)?.0.sin()),
        case("batch_norm_train, its statistics", &[&[2, 3, 4, 4], &[3], &[3]], |x| {
            let (y, mean, variance) = x[0].batch_norm_train(&x[1], &x[2], 1e-2)?;
            Tensor::stack(&[y.sum(&[0, 2, 3], false)?.sin()?, mean.sin()?, variance.sin()?], 0)
        }),
        positive(case("batch_norm_eval", &[&[2, 3, 2, 2], &[3], &[3], &[3], &[3]], |x| {
            x[0].batch_norm_eval(&x[1], &x[2], (&x[3], &x[4]), 1e-2)?.sin()
        })),
        case("cross_entropy", &[&[3, 4]], |x| x[0].cross_entropy(&rows(&[3, 0, 1]))),
        case("cross_entropy_soft", &[&[3, 4], &[3, 4]], |x| x[0].cross_entropy_soft(&x[1].softmax(1)?)),
    ]
}

#[test]
fn rules_agree_with_finite_differences_to_second_order_or_third() {
    let mut seen = BTreeSet::new();
    for case in [row_cases(), map_cases(), pair_cases(), axis_cases(), plane_cases()].into_iter().flatten() {
        let key = RandomKey::new(11).fold(case.name);
        let inputs: Vec<Tensor> = case
            .shapes
            .iter()
            .enumerate()
            .map(|(i, shape)| random(key.fold_u64(i as u64), shape, case.positive))
            .collect();
        let checker = Checker { name: case.name, seen: RefCell::default() };
        checker.check(&*case.f, &inputs, case.order, key);
        seen.append(&mut checker.seen.into_inner());
    }
    let expected: BTreeSet<&str> =
        Op::all().filter(|(_, differentiable)| *differentiable).map(|(name, _)| name).collect();
    let missing: Vec<&&str> = expected.difference(&seen).collect();
    assert!(missing.is_empty(), "rules without a case: {missing:?}");
}

/// The value of a case, its gradients by all inputs and, where it has a second order, their derivatives along some directions.
fn orders(case: &Case) -> Vec<Vec<f64>> {
    let (device, dtype) = place();
    let key = RandomKey::new(13).fold(case.name);
    let draw = |name: &str, shape: &[usize], positive: bool| {
        random(key.fold(name), shape, positive).cast(dtype).unwrap().to_device(&device).unwrap()
    };
    let drawn = |name: &str, like: &[Tensor]| -> Vec<Tensor> {
        like.iter().enumerate().map(|(i, t)| draw(&format!("{name}{i}"), t.shape(), false)).collect()
    };
    let inputs = case.shapes.iter().enumerate().map(|(i, shape)| draw(&format!("x{i}"), shape, case.positive));
    let inputs: Vec<Tensor> = inputs.map(|x| x.variable().unwrap()).collect();
    let outputs = (case.f)(&inputs).unwrap();
    let first = grad(&outputs, &inputs, Some(&drawn("u", &outputs)), Keep::OnTape).unwrap();
    let second = match first.iter().any(Tensor::is_on_tape) {
        true => grad(&first, &inputs, Some(&drawn("v", &first)), Keep::No).unwrap(),
        false => Vec::new(),
    };
    [outputs, first, second].concat().iter().map(|t| t.to_f64_vec().unwrap()).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "how many there are")]
fn rules_agree_on_every_device_to_second_order() {
    // Those of the processor in double precision are checked by differences; a device has single precision.
    let (mut count, devices) = (0, crate::device::devices());
    for case in [row_cases(), map_cases(), pair_cases(), axis_cases(), plane_cases()].into_iter().flatten() {
        let exact = orders(&case);
        for device in &devices {
            PLACE.set((device.clone(), DType::F32));
            let found = orders(&case);
            PLACE.set((Device::Cpu, DType::F64));
            assert_eq!(found.len(), exact.len(), "{device}: {}", case.name);
            for (found, exact) in found.iter().zip(&exact) {
                let scale = exact.iter().fold(1.0_f64, |scale, v| scale.max(v.abs()));
                for (a, b) in found.iter().zip(exact) {
                    assert!((a - b).abs() <= SINGLE * scale, "{device}: {}: {a} {b}", case.name);
                }
            }
            count += 1;
        }
    }
    println!("{count} cases on {} devices", devices.len());
}

fn small_network(x: &[Tensor]) -> Result<Tensor> {
    let hidden = x[0].conv2d(&x[1], None, Conv2d { stride: [1, 1], padding: [1, 1] })?;
    let hidden = hidden.standardize(&[2, 3], 1e-2)?.relu()?;
    hidden.reshape(&[2, 48])?.linear(&x[2], None)?.cross_entropy(&rows(&[2, 0]))
}

/// The block of a network whose normalisation, ReLU and pooling are computed together.
fn small_block(x: &[Tensor]) -> Result<Tensor> {
    let hidden = x[0].conv2d(&x[1], None, Conv2d { stride: [1, 1], padding: [1, 1] })?;
    let hidden = hidden.instance_norm(&x[3], &x[4], 1e-2)?.relu()?.avg_pool2d([2, 2], [2, 2])?;
    hidden.reshape(&[2, 12])?.linear(&x[2], None)?.cross_entropy(&rows(&[2, 0]))
}

#[test]
fn a_network_agrees_to_third_order() {
    let checker = Checker { name: "network", seen: RefCell::default() };
    let key = RandomKey::new(5).fold("network");
    let shapes: [&[usize]; 3] = [&[2, 2, 4, 4], &[3, 2, 3, 3], &[3, 48]];
    let inputs: Vec<Tensor> =
        shapes.iter().enumerate().map(|(i, shape)| random(key.fold_u64(i as u64), shape, false)).collect();
    checker.check(&|x| Ok(vec![small_network(x)?]), &inputs, 3, key);
}

#[test]
fn a_block_agrees_to_fourth_order() {
    let checker = Checker { name: "block", seen: RefCell::default() };
    let key = RandomKey::new(6).fold("block");
    let shapes: [&[usize]; 5] = [&[2, 2, 4, 4], &[3, 2, 3, 3], &[3, 12], &[3], &[3]];
    let inputs: Vec<Tensor> =
        shapes.iter().enumerate().map(|(i, shape)| random(key.fold_u64(i as u64), shape, false)).collect();
    checker.check(&|x| Ok(vec![small_block(x)?]), &inputs, 4, key);
}

#[test]
fn a_normalisation_that_others_look_at_gives_the_same_numbers() {
    let key = RandomKey::new(8);
    let draw = |name: &str, shape: &[usize]| random(key.fold(name), shape, false).variable().unwrap();
    let (x, weight, bias) = (draw("x", &[2, 3, 6, 6]), draw("weight", &[3]), draw("bias", &[3]));
    let run = |look: bool| {
        let norm = x.instance_norm(&weight, &bias, 1e-2).unwrap();
        let relu = norm.relu().unwrap();
        if look {
            // Each is computed here, so that what follows starts from it.
            assert_eq!(norm.to_f64_vec().unwrap().len() + relu.detach().to_f64_vec().unwrap().len(), 2 * 2 * 3 * 36);
        }
        let y = relu.avg_pool2d([2, 2], [2, 2]).unwrap();
        let loss = y.square().unwrap().sum_all().unwrap();
        let gradients = grad(&[loss], &[x.clone(), weight.clone(), bias.clone()], None, Keep::No).unwrap();
        std::iter::once(&y).chain(&gradients).map(|t| t.to_f64_vec().unwrap()).collect::<Vec<_>>()
    };
    for (together, apart) in run(false).into_iter().zip(run(true)) {
        for (a, b) in together.into_iter().zip(apart) {
            assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "{a} {b}");
        }
    }
}

#[test]
fn gradients_of_unneeded_inputs_are_not_computed() {
    let key = RandomKey::new(2);
    let x = random(key, &[1, 2, 4, 4], false);
    let w = random(key.fold("w"), &[3, 2, 3, 3], false).variable().unwrap();
    let loss = x.variable().unwrap().conv2d(&w, None, Conv2d::default()).unwrap().square().unwrap().sum_all().unwrap();
    let gradient = grad(&[loss], &[w], None, Keep::OnTape).unwrap();
    let mut seen = BTreeSet::new();
    operations(&gradient, &mut seen);
    assert!(seen.contains("conv2d_weight") && !seen.contains("conv2d_input"), "{seen:?}");
}

#[test]
fn unreached_inputs_get_zeros_and_constants_are_refused() {
    let x = random(RandomKey::new(1), &[2], false).variable().unwrap();
    let other = random(RandomKey::new(2), &[3], false).variable().unwrap();
    let loss = x.square().unwrap().sum_all().unwrap();
    let gradients = grad(std::slice::from_ref(&loss), &[other, x.clone()], None, Keep::No).unwrap();
    assert_eq!(gradients[0].to_f64_vec().unwrap(), [0.0; 3]);
    assert_eq!(gradients[1].to_f64_vec().unwrap(), x.mul_scalar(2.0).unwrap().to_f64_vec().unwrap());
    assert!(matches!(grad(&[loss], &[x.detach()], None, Keep::No), Err(TensorError::NotOnTape { index: 0, .. })));
    assert!(matches!(
        grad(std::slice::from_ref(&x), std::slice::from_ref(&x), None, Keep::No),
        Err(TensorError::Shape { op: "grad", .. })
    ));
}

#[test]
fn gradients_pass_through_requested_intermediate_tensors() {
    let x = random(RandomKey::new(1), &[2], false).variable().unwrap();
    let middle = x.square().unwrap();
    let loss = middle.square().unwrap().sum_all().unwrap();
    let gradients = grad(&[loss], &[middle.clone(), x.clone()], None, Keep::No).unwrap();
    assert_eq!(gradients[0].to_f64_vec().unwrap(), middle.mul_scalar(2.0).unwrap().to_f64_vec().unwrap());
    assert_eq!(
        gradients[1].to_f64_vec().unwrap(),
        gradients[0].mul(&x).unwrap().mul_scalar(2.0).unwrap().to_f64_vec().unwrap()
    );
}

#[test]
fn gradients_pass_casts_in_the_type_of_the_input() {
    let x = random(RandomKey::new(4), &[3], false).cast(DType::F32).unwrap().variable().unwrap();
    let loss = x.cast(DType::F64).unwrap().square().unwrap().sum_all().unwrap();
    let gradient = &grad(&[loss], std::slice::from_ref(&x), None, Keep::No).unwrap()[0];
    assert_eq!(gradient.dtype(), DType::F32);
    assert_eq!(gradient.to_f32_vec().unwrap(), x.mul_scalar(2.0).unwrap().to_f32_vec().unwrap());
}

#[test]
fn single_precision_agrees_with_finite_differences() {
    // Differences over 0.02 of sums of some ten terms of size 1: rounding 1e-6 / 0.01, curvature 1e-4.
    for (name, shapes, f) in [
        ("tanh", vec![vec![3, 4]], Box::new(|x: &[Tensor]| x[0].tanh()) as Box<dyn Fn(&[Tensor]) -> Result<Tensor>>),
        ("matmul", vec![vec![3, 4], vec![4, 2]], Box::new(|x: &[Tensor]| x[0].matmul(&x[1]))),
        (
            "conv2d",
            vec![vec![1, 2, 5, 5], vec![3, 2, 3, 3]],
            Box::new(|x: &[Tensor]| x[0].conv2d(&x[1], None, Conv2d::default())),
        ),
        ("standardize", vec![vec![1, 2, 4, 4]], Box::new(|x: &[Tensor]| x[0].standardize(&[2, 3], 1e-5))),
    ] {
        let key = RandomKey::new(21).fold(name);
        let draw = |name: &str, shape: &[usize]| random(key.fold(name), shape, false).cast(DType::F32).unwrap();
        let x: Vec<Tensor> =
            shapes.iter().enumerate().map(|(i, shape)| draw(&format!("x{i}"), shape).variable().unwrap()).collect();
        let v: Vec<Tensor> = shapes.iter().enumerate().map(|(i, shape)| draw(&format!("v{i}"), shape)).collect();
        let y = f(&x).unwrap();
        let u = draw("u", y.shape());
        let exact = inner(&grad(&[y], &x, Some(std::slice::from_ref(&u)), Keep::No).unwrap(), &v);
        let at = |step: f64| {
            let moved: Vec<Tensor> =
                x.iter().zip(&v).map(|(x, v)| x.detach().add(&v.mul_scalar(step).unwrap()).unwrap()).collect();
            f(&moved).unwrap().dot(&u).unwrap().item().unwrap()
        };
        let numeric = (at(0.01) - at(-0.01)) / 0.02;
        assert!((numeric - exact).abs() < 5e-3 * (1.0 + exact.abs()), "{name}: {numeric} {exact}");
    }
}

#[test]
fn a_tape_counts_each_value_once() {
    let x = Tensor::from_f32(vec![1.0; 6], &[2, 3], &Device::Cpu).unwrap().variable().unwrap();
    let square = x.mul(&x).unwrap();
    let sum = square.add(&x).unwrap();
    // 6 numbers each: x, its square, their sum; a detached sum shares its value and has no tape.
    assert_eq!(tape_bytes(std::slice::from_ref(&sum)), 3 * 24);
    assert_eq!(tape_bytes(&[sum.detach(), sum.clone(), square]), 3 * 24);
    assert_eq!(tape_bytes(&[sum.detach()]), 24);
    assert_eq!(tape_bytes(&[]), 0);
}
