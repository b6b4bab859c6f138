//! Every operation on every device against the CPU kernels. burn's CPU backend, which is always there, runs the code that a GPU runs.

use std::sync::{Arc, LazyLock};

use super::{Value, evaluate};
use crate::augment::Grid;
use crate::augment::transform::{crop, cutout};
use crate::device::devices;
use crate::op::{Binary, Conv2d, Epilogue, Form, Op, Over, Unary, Window, infer as infer_forms};
use crate::{DType, Device, Keep, RandomKey, ResampleMap, Tensor, grad};

fn random(name: &str, shape: &[usize]) -> Tensor {
    let values = RandomKey::new(3).fold(name).normal_f64(shape.iter().product());
    // Away from 0, so that quotients and logarithms stay small.
    let values = values.into_iter().map(|v| v + 0.3_f64.copysign(v)).collect();
    Tensor::from_values(values, shape, DType::F32, &Device::Cpu).unwrap()
}

fn integers(values: &[i64], shape: &[usize]) -> Tensor {
    Tensor::from_i64(values.to_vec(), shape, &Device::Cpu).unwrap()
}

fn numbers(value: &Value, dtype: DType) -> Vec<f64> {
    match dtype {
        DType::I64 => value.read::<i64>().unwrap().into_iter().map(|v| v as f64).collect(),
        _ => value.read::<f32>().unwrap().into_iter().map(f64::from).collect(),
    }
}

fn infer(op: &Op, inputs: &[&Tensor]) -> crate::Result<(Vec<usize>, DType)> {
    infer_forms(op, &inputs.iter().map(|input| input.form()).collect::<Vec<Form<'_>>>())
}

static DEVICES: LazyLock<Vec<Device>> = LazyLock::new(devices);

/// Both in single precision: sums of up to some hundred terms, so a hundred roundings of 6e-8.
const TOLERANCE: f64 = 1e-5;

fn check(op: &Op, inputs: &[&Tensor]) {
    let (shape, dtype) = infer(op, inputs).unwrap();
    let values: Vec<&Value> = inputs.iter().map(|input| input.value().unwrap()).collect();
    let (own, own_saved) = evaluate(op, &values, &shape).unwrap();
    for device in &*DEVICES {
        let moved: Vec<Tensor> = inputs.iter().map(|input| input.to_device(device).unwrap()).collect();
        let values: Vec<&Value> = moved.iter().map(|input| input.value().unwrap()).collect();
        let (other, other_saved) = evaluate(op, &values, &shape).unwrap_or_else(|error| panic!("{op:?}: {error}"));
        let mut pairs = vec![(numbers(&own, dtype), numbers(&other, dtype))];
        // Sums of planes are saved where they cost nothing.
        pairs.extend(own_saved.iter().zip(&other_saved).map(|(a, b)| (numbers(a, dtype), numbers(b, dtype))));
        for (own, other) in pairs {
            assert_eq!(own.len(), other.len(), "{device}: {op:?}");
            let scale = own.iter().fold(1.0_f64, |scale, v| scale.max(v.abs()));
            for (a, b) in own.iter().zip(&other) {
                assert!((a - b).abs() <= TOLERANCE * scale, "{device}: {op:?}: {a} {b}");
            }
        }
    }
}

#[test]
fn elementwise_operations_agree_on_every_device() {
    let (x, row, single) = (random("x", &[2, 3, 4]), random("row", &[3, 1]), random("single", &[]));
    let positive = x.abs().unwrap();
    for number in 0..100 {
        let Some((op, _)) = Unary::numbered(number, &[0.5, 0.7]) else { continue };
        if let Unary::Acos = op {
            check(&Op::Unary(op), &[&x.tanh().unwrap()]);
            continue;
        }
        let is_positive = matches!(op, Unary::Log | Unary::Sqrt | Unary::Powf { .. });
        let inputs = if is_positive { vec![&positive] } else { vec![&x, &single] };
        inputs.into_iter().for_each(|x| check(&Op::Unary(op), &[x]));
    }
    check(&Op::Unary(Unary::Within { low: -0.5, high: 0.7 }), &[&x]);
    for op in (100..200).filter_map(Binary::numbered) {
        for (a, b) in [(&x, &row), (&row, &x), (&x, &single), (&single, &single), (&x, &x)] {
            check(&Op::Binary(op), &[a, b]);
        }
    }
    check(&Op::Gate, &[&x, &random("other", &[2, 3, 4])]);
    check(&Op::Select, &[&row.step().unwrap(), &x, &single]);
}

#[test]
fn reductions_and_rearrangements_agree_on_every_device() {
    let x = random("x", &[2, 3, 4]);
    let labels = integers(&[2, 0, 1, 2], &[4]);
    let operations = [
        Op::Sum { axes: vec![0, 2] },
        Op::Max { axes: vec![1] },
        Op::Min { axes: vec![2, 0] },
        Op::ArgMax { axis: 1 },
        Op::Reshape { shape: vec![4, 6] },
        Op::Permute { axes: vec![2, 0, 1] },
        Op::BroadcastTo { shape: vec![5, 2, 3, 4] },
        Op::Slice { axis: 1, start: 1, end: 3, step: 1 },
        Op::Slice { axis: 2, start: 0, end: 4, step: 3 },
        Op::Place { axis: 1, start: 1, step: 2, size: 7 },
        Op::Pad { widths: vec![(1, 0), (0, 0), (2, 1)] },
        Op::Flip { axes: vec![0, 2] },
        Op::Cast { dtype: DType::I64 },
    ];
    for op in operations {
        check(&op, &[&x]);
    }
    check(&Op::Sum { axes: vec![0] }, &[&random("v", &[5])]);
    check(&Op::Concat { axis: 1 }, &[&x, &random("more", &[2, 2, 4])]);
    check(&Op::Gather { axis: 1 }, &[&x, &labels]);
    check(&Op::ScatterAdd { axis: 1, size: 5 }, &[&random("g", &[2, 4, 3]), &labels]);
    let index = integers(&[3, 0, 3, 1, 1, 2], &[2, 3]);
    check(&Op::Take, &[&random("rows", &[2, 4]), &index]);
    check(&Op::Put { size: 4 }, &[&random("parts", &[2, 3]), &index]);
    check(&Op::OneHot { classes: 3, dtype: DType::F32 }, &[&labels]);
    for op in [
        Op::Reshape { shape: vec![2, 2] },
        Op::BroadcastTo { shape: vec![3, 4] },
        Op::Slice { axis: 0, start: 1, end: 4, step: 2 },
        Op::Cast { dtype: DType::F32 },
    ] {
        check(&op, &[&labels]);
    }
    check(&Op::Permute { axes: vec![1, 0] }, &[&index]);
    check(&Op::Concat { axis: 0 }, &[&labels, &labels]);
    check(&Op::Gather { axis: 0 }, &[&labels, &integers(&[3, 3], &[2])]);
}

#[test]
fn products_agree_on_every_device() {
    for transpose in [[false, false], [true, false], [false, true], [true, true]] {
        let shape =
            |turned: bool, rows: usize, columns: usize| if turned { [2, columns, rows] } else { [2, rows, columns] };
        let (a, b) = (random("a", &shape(transpose[0], 3, 4)), random("b", &shape(transpose[1], 4, 5)));
        check(&Op::Matmul { transpose }, &[&a, &b]);
    }
}

/// A system of a device is solved on the processor: in double precision from the numbers of the device's type.
#[test]
fn systems_are_solved_alike_on_every_device() {
    let (x, b) = (random("x", &[20, 30]), random("b", &[20, 3]));
    let gram = x.matmul_transposed(&x).unwrap();
    let ridge = Tensor::one_hot(&integers(&(0..20).collect::<Vec<_>>(), &[20]), 20, DType::F32).unwrap();
    let solved = |device: &Device, dtype: DType| {
        let [a, b] = [&gram.add(&ridge).unwrap(), &b].map(|x| x.cast(dtype).unwrap().to_device(device).unwrap());
        let a = a.variable().unwrap();
        let x = a.solve(&b).unwrap();
        assert_eq!((x.device(), x.dtype()), (device.clone(), dtype));
        let gradient = grad(&[x.square().unwrap().sum_all().unwrap()], &[a], None, Keep::No).unwrap().remove(0);
        [x.to_f64_vec().unwrap(), gradient.to_f64_vec().unwrap()].concat()
    };
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
        let own = solved(&Device::Cpu, dtype);
        let scale = own.iter().fold(0.0_f64, |scale, v| scale.max(v.abs()));
        for device in DEVICES.iter().filter(|device| dtype == DType::F32 || device.has_double()) {
            let other = solved(device, dtype);
            assert!(own.iter().zip(&other).all(|(a, b)| (a - b).abs() <= tolerance * scale), "{device}: {dtype:?}");
        }
    }
}

#[test]
fn plane_operations_agree_on_every_device() {
    let x = random("x", &[2, 3, 7, 6]);
    for (stride, padding, kernel) in
        [([1, 1], [1, 1], [3, 3]), ([2, 2], [1, 1], [3, 3]), ([2, 1], [0, 2], [3, 2]), ([2, 2], [0, 0], [1, 1])]
    {
        let conv = Conv2d { stride, padding };
        let w = random("w", &[4, 3, kernel[0], kernel[1]]);
        let bias = random("bias", &[4]);
        check(&Op::Conv { conv }, &[&x, &w]);
        check(&Op::Conv { conv }, &[&x, &w, &bias]);
        let (shape, _) = infer(&Op::Conv { conv }, &[&x, &w]).unwrap();
        let g = random("g", &shape);
        check(&Op::ConvInput { conv, size: [7, 6] }, &[&g, &w]);
        check(&Op::ConvWeight { conv, kernel }, &[&x, &g]);
    }
    for window in [Window { kernel: [2, 2], stride: [2, 2] }, Window { kernel: [3, 2], stride: [1, 2] }] {
        check(&Op::AvgPool { window }, &[&x]);
        check(&Op::MaxPoolIndex { window }, &[&x]);
        let (shape, _) = infer(&Op::AvgPool { window }, &[&x]).unwrap();
        check(&Op::AvgPoolTranspose { window, size: [7, 6] }, &[&random("g", &shape)]);
    }
    let each = ResampleMap::sample([7, 6], [4, 5], Some(2), |image, row, column| {
        (1.3 * row as f64 - 0.2 * image as f64, 0.9 * column as f64 + 0.4)
    });
    for map in
        [each.unwrap(), ResampleMap::bilinear([7, 6], [4, 5]).unwrap(), ResampleMap::nearest([7, 6], [4, 5]).unwrap()]
    {
        let map = Arc::new(map);
        check(&Op::Resample { map: Arc::clone(&map) }, &[&x]);
        check(&Op::ResampleTranspose { map }, &[&random("g", &[2, 3, 4, 5])]);
    }
    for grid in [Grid::Corners, Grid::Centres] {
        // Where no position is whole, or just outside: there rounding would choose another neighbour, if with a weight of nearly 0.
        let turned = vec![[0.83, 0.21, 0.95, -0.17], [1.1, 0.0, 0.9, 0.03]];
        let map = Arc::new(ResampleMap::warp([7, 6], Some(2), grid, turned).unwrap());
        check(&Op::Resample { map: Arc::clone(&map) }, &[&x]);
        check(&Op::ResampleTranspose { map }, &[&x]);
    }
    for (rows, columns) in [([2, -1], [0, 3]), ([-7, 1], [1, -6])] {
        let shifted = |device: &Device| {
            let x = x.to_device(device).unwrap();
            let cropped = crop(&x, &rows, &columns).unwrap();
            [cropped, cutout(&x, &rows.map(i64::abs), &columns.map(i64::abs), [3, 2]).unwrap()]
                .map(|x| x.to_f32_vec().unwrap())
        };
        for device in &*DEVICES {
            assert_eq!(shifted(device), shifted(&Device::Cpu), "{device}: {rows:?} {columns:?}");
        }
    }
    check(&Op::ChannelStatistics { eps: 1e-3 }, &[&x]);
}

#[test]
fn normalisations_and_their_derivatives_agree_on_every_device() {
    let (eps, shape) = (1e-3, [2, 3, 7, 6]);
    let (x, weight, bias) = (random("x", &shape), random("weight", &[3]), random("bias", &[3]));
    let channels = {
        let op = Op::ChannelStatistics { eps };
        let (value, _) = evaluate(&op, &[x.value().unwrap()], &[1, 3, 2]).unwrap();
        Tensor::from_f32(value.read().unwrap(), &[1, 3, 2], &Device::Cpu).unwrap()
    };
    let overs = [(Over::Plane, vec![], 2), (Over::Channel, vec![&channels], 1)];
    let epilogues = [Epilogue::Identity, Epilogue::Relu, Epilogue::ReluPool];
    for ((over, given, rows), epilogue) in overs.iter().flat_map(|over| epilogues.map(|epilogue| (over, epilogue))) {
        let (over, pairs) = (*over, [*rows, 3, 2]);
        let norm = Op::Norm { eps, over, epilogue };
        let inputs: Vec<&Tensor> = [&x, &weight, &bias].into_iter().chain(given.iter().copied()).collect();
        check(&norm, &inputs);
        let (out, _) = infer(&norm, &inputs).unwrap();
        let values: Vec<_> = inputs.iter().map(|input| input.value().unwrap()).collect();
        let (_, saved) = evaluate(&norm, &values, &out).unwrap();
        let statistics = match saved.first() {
            Some(saved) => Tensor::from_f32(saved.read().unwrap(), &pairs, &Device::Cpu).unwrap(),
            None => channels.clone(),
        };
        let (g, c, s) = (random("g", &out), random("c", &shape), random("s", &pairs));
        let gradient = Op::NormGradient { eps, over, epilogue };
        check(&gradient, &[&x, &weight, &bias, &statistics, &g]);
        let inputs = [&x, &weight, &bias, &statistics, &g].map(|input| input.value().unwrap());
        let (_, saved) = evaluate(&gradient, &inputs, &shape).unwrap();
        let sums = Tensor::from_f32(saved[0].read().unwrap(), &pairs, &Device::Cpu).unwrap();
        check(&Op::NormCurvature { eps, over, epilogue }, &[&x, &weight, &bias, &statistics, &g, &sums, &c, &s]);
    }
}
