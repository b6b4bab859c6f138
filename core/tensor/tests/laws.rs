//! Laws of tensors that are not about one operation: errors, threads, depth, dtype, augmentation.
#![allow(clippy::unwrap_used, reason = "tests")]

use pddflow_tensor::augment::{self, Draw, Policy};
use pddflow_tensor::augment::{Grid, transform};
use pddflow_tensor::{Conv2d, DType, Device, Keep, RandomKey, Tensor, grad};

fn random(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    let values = RandomKey::new(9).fold(name).normal_f64(shape.iter().product());
    Tensor::from_values(values, shape, dtype, &Device::Cpu).unwrap()
}

fn assert_send_and_sync<T: Send + Sync>() {}

#[test]
fn tensors_cross_threads() {
    assert_send_and_sync::<Tensor>();
}

#[test]
fn elements_can_be_read_in_place() {
    let x = random("place", &[2, 3], DType::F32);
    assert_eq!(x.slice(1, 1, 3, 1).unwrap().as_f32().unwrap(), x.slice(1, 1, 3, 1).unwrap().to_f32_vec().unwrap());
    assert!(x.cast(DType::F64).unwrap().as_f32().is_none());
}

#[test]
fn errors_name_operation_shapes_and_rule() {
    let x = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let rows = Tensor::from_i64(vec![0, 7], &[2], &Device::Cpu).unwrap();
    let cases = [
        (
            x(&[2, 3]).add(&x(&[4])),
            "add: shapes [2, 3] and [4] do not fit: aligned at the last axis, lengths must be equal or 1",
        ),
        (
            x(&[2, 3]).matmul(&x(&[4, 2])),
            "matmul: shapes [2, 3] and [4, 2] do not fit: columns of the first must equal rows of the second",
        ),
        (x(&[2]).matmul(&x(&[2])), "matmul: shapes [2] and [2] do not fit: both need two axes or more"),
        (x(&[2, 3]).reshape(&[7]), "reshape: shapes [2, 3] and [7] do not fit: the number of elements must stay"),
        (x(&[2, 3]).sum(&[2], false), "sum: shapes [2, 3] do not fit: there is no axis 2"),
        (x(&[2, 3]).sum(&[1, 1], false), "sum: shapes [2, 3] do not fit: axis 1 is given twice"),
        (x(&[2, 3]).mean(&[2], false), "sum: shapes [2, 3] do not fit: there is no axis 2"),
        (x(&[2, 3]).permute(&[0]), "permute: shapes [2, 3] do not fit: [0] does not list every axis once"),
        (x(&[2, 3]).slice(1, 2, 4, 1), "slice: shapes [2, 3] do not fit: 2..4 in steps of 1 is no part of axis 1"),
        (
            x(&[2, 3]).broadcast_to(&[2, 4]),
            "broadcast_to: shapes [2, 3] and [2, 4] do not fit: aligned at the last axis, lengths must be equal or 1",
        ),
        (x(&[2, 0]).max(&[1], false), "max: shapes [2, 0] do not fit: an empty axis has no extreme value"),
        (x(&[2, 3]).gather(0, &rows), "gather: row 7 lies outside 0..2"),
        (rows.one_hot(5, DType::F32), "one_hot: label 7 lies outside 0..5"),
        (
            Tensor::concat(&[x(&[2, 3]), x(&[3, 3])], 1),
            "concat: shapes [2, 3] and [3, 3] do not fit: all axes but axis 1 must be equal",
        ),
        (Tensor::concat(&[], 0), "concat: no tensors given"),
        (x(&[2, 3]).add(&rows), "add: number types [F32, I64] do not fit: all must have the same; use cast"),
        (rows.exp(), "exp: number types [I64] do not fit: f32 or f64 is needed"),
        (rows.variable(), "variable: number types [I64] do not fit: integers have no gradient"),
        (
            x(&[1, 3, 4, 4]).conv2d(&x(&[8, 1, 3, 3]), None, Conv2d::default()),
            "conv2d: shapes [1, 3, 4, 4] and [8, 1, 3, 3] do not fit: axis 1 (channels) of images and weights must be equal",
        ),
        (
            x(&[1, 3, 2, 2]).conv2d(&x(&[8, 3, 3, 3]), None, Conv2d::default()),
            "conv2d: shapes [1, 3, 2, 2] and [8, 3, 3, 3] do not fit: the kernel must fit into the padded plane (stride [1, 1], padding [0, 0])",
        ),
        (
            x(&[4, 4]).avg_pool2d([2, 2], [2, 2]),
            "avg_pool2d: shapes [4, 4] do not fit: the axes are [image, channel, row, column]",
        ),
        (
            x(&[4, 3]).cross_entropy(&rows),
            "cross_entropy: shapes [4, 3] and [2] do not fit: logits are [image, class], labels [image]",
        ),
        (Tensor::from_f32(vec![1.0], &[2], &Device::Cpu), "from_f32: 1 values do not fill the shape [2]"),
    ];
    for (result, expected) in cases {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    let message = Policy::parse("dsa:crop_blur").unwrap_err().to_string();
    assert_eq!(
        message,
        "augmentation policy `dsa:crop_blur`: `blur` is no kind; kinds are color, crop, cutout, flip, scale, rotate, joined with `_`"
    );
}

/// Gradient matching in miniature: everything that a distillation step does.
fn second_order_step(dtype: DType, width: usize) -> Vec<f64> {
    let x = random("x", &[4, 3, 12, 12], dtype).variable().unwrap();
    let w = random("w", &[width, 3, 3, 3], dtype).mul_scalar(0.2).unwrap().variable().unwrap();
    let v = random("v", &[5, width * 36], dtype).mul_scalar(0.1).unwrap().variable().unwrap();
    let labels = Tensor::from_i64(vec![0, 4, 2, 2], &[4], &Device::Cpu).unwrap();
    let hidden =
        x.conv2d(&w, None, Conv2d { stride: [1, 1], padding: [1, 1] }).unwrap().standardize(&[2, 3], 1e-5).unwrap();
    let hidden = hidden.relu().unwrap().avg_pool2d([2, 2], [2, 2]).unwrap().reshape(&[4, width * 36]).unwrap();
    let loss = hidden.linear(&v, None).unwrap().cross_entropy(&labels).unwrap();
    let gradients = grad(&[loss], &[w, v], None, Keep::OnTape).unwrap();
    let target = random("target", gradients[0].shape(), dtype);
    let distance = gradients[0].sub(&target).unwrap().square().unwrap().sum_all().unwrap();
    let distance = distance.add(&gradients[1].norm2(&[1], false).unwrap().sum_all().unwrap()).unwrap();
    grad(&[distance], &[x], None, Keep::No).unwrap()[0].to_f64_vec().unwrap()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for dtype in [DType::F32, DType::F64] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| second_order_step(dtype, 40))
        };
        let one = run(1);
        assert!(one.iter().any(|v| v.abs() > 1e-6));
        for threads in [2, 3, 8] {
            assert!(one == run(threads), "{dtype} differs with {threads} threads");
        }
    }
}

#[test]
fn single_and_double_precision_agree() {
    let (single, double) = (second_order_step(DType::F32, 8), second_order_step(DType::F64, 8));
    let scale = double.iter().fold(0.0_f64, |scale, v| scale.max(v.abs()));
    let error = single.iter().zip(&double).fold(0.0_f64, |error, (a, b)| error.max((a - b).abs()));
    // Single precision rounds at 6e-8; second derivatives of this network lose three digits more at most.
    assert!(error < 2e-4 * scale, "{error} of {scale}");
}

#[test]
fn long_chains_are_walked_and_dropped_without_recursion() {
    let deep = || {
        let x = Tensor::full(1.0, &[], DType::F64, &Device::Cpu).unwrap().variable().unwrap();
        let mut y = x.clone();
        for _ in 0..200_000 {
            y = y.add_scalar(1e-6).unwrap();
        }
        let slope = grad(&[y.clone()], &[x], None, Keep::OnTape).unwrap();
        drop(y);
        slope[0].item().unwrap()
    };
    let small_stack = std::thread::Builder::new().stack_size(128 * 1024).spawn(deep).unwrap();
    assert_eq!(small_stack.join().unwrap(), 1.0);
}

#[test]
fn empty_tensors_are_allowed() {
    let empty = Tensor::zeros(&[0, 3], DType::F32, &Device::Cpu).unwrap().variable().unwrap();
    let sum = empty.mul_scalar(2.0).unwrap().sum(&[0], false).unwrap();
    assert_eq!(sum.to_f64_vec().unwrap(), [0.0; 3]);
    let total = sum.sum_all().unwrap();
    assert_eq!(grad(&[total], &[empty], None, Keep::No).unwrap()[0].shape(), [0, 3]);
}

const POLICIES: [&str; 10] = [
    "dsa:color",
    "dsa:crop",
    "dsa:cutout",
    "dsa:flip",
    "dsa:scale",
    "dsa:rotate",
    "dsa:color_crop_cutout_flip_scale_rotate",
    "idc:color_crop_cutout_flip_scale_rotate",
    "tiles:2_flip",
    "none",
];

#[test]
fn siamese_batches_are_augmented_alike() {
    let (real, synthetic) =
        (random("real", &[5, 3, 8, 10], DType::F32), random("synthetic", &[2, 3, 8, 10], DType::F32));
    let together = Tensor::concat(&[real.clone(), synthetic.clone()], 0).unwrap();
    for policy in POLICIES.map(|text| Policy::parse(text).unwrap()) {
        for seed in 0..20 {
            let apply = |x: &Tensor| augment::apply(&policy, x, Draw::Siamese, RandomKey::new(seed)).unwrap();
            let apart = Tensor::concat(&[apply(&real), apply(&synthetic)], 0).unwrap();
            assert_eq!(
                apply(&together).to_f32_vec().unwrap(),
                apart.to_f32_vec().unwrap(),
                "{} {seed}",
                policy.canonical()
            );
        }
    }
}

#[test]
fn draws_for_each_image_do_not_depend_on_the_batch_size_and_start_like_siamese_ones() {
    let x = random("batch", &[6, 3, 8, 8], DType::F32);
    let first = |count: usize, x: &Tensor| x.slice(0, 0, count, 1).unwrap();
    for policy in POLICIES.map(|text| Policy::parse(text).unwrap()) {
        for seed in 0..20 {
            let apply = |x: &Tensor, draw: Draw| augment::apply(&policy, x, draw, RandomKey::new(seed)).unwrap();
            let (all, few) = (apply(&x, Draw::PerImage), apply(&first(2, &x), Draw::PerImage));
            assert_eq!(
                first(2, &all).to_f32_vec().unwrap(),
                few.to_f32_vec().unwrap(),
                "{} {seed}",
                policy.canonical()
            );
            let one = apply(&first(1, &x), Draw::Siamese);
            assert_eq!(
                first(1, &all).to_f32_vec().unwrap(),
                one.to_f32_vec().unwrap(),
                "{} {seed}",
                policy.canonical()
            );
        }
    }
}

#[test]
fn policies_have_one_way_to_be_written() {
    for (text, canonical) in [
        ("dsa:rotate_scale_flip_cutout_crop_color", "dsa:color_crop_cutout_flip_scale_rotate"),
        ("idc:cutout_color_crop", "idc:color_crop_cutout"),
        ("dsa", "dsa:color_crop_cutout_flip_scale_rotate"),
        ("idc", "idc:color_crop_cutout_flip_scale_rotate"),
        ("tiles:2_flip", "tiles:2_flip"),
        ("tiles:03", "tiles:3"),
        ("none", "none"),
    ] {
        assert_eq!(Policy::parse(text).unwrap().canonical(), canonical);
    }
    for bad in ["", "dsb", "dsa:", "color_crop", "dsa:crop_crop", "idc:blur", "tiles", "tiles:0", "tiles:2_crop"] {
        assert!(Policy::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(Policy::parse("idc:color_cutout").unwrap().without("cutout").unwrap().canonical(), "idc:color");
    assert_eq!(Policy::parse("idc:cutout").unwrap().without("cutout").unwrap(), Policy::none());
    assert_eq!(Policy::parse("tiles:2_flip").unwrap().without("flip").unwrap().canonical(), "tiles:2");
}

#[test]
fn cutmix_pastes_the_share_that_it_reports() {
    let x = random("mix", &[6, 1, 8, 8], DType::F64);
    let labels = Tensor::arange_i64(6, &Device::Cpu).unwrap();
    for seed in 0..20 {
        let (mixed, partner, ratio) = augment::cutmix(&x, &labels, 1.0, RandomKey::new(seed)).unwrap();
        let other = x.gather(0, &partner).unwrap();
        let kept = mixed.to_f64_vec().unwrap();
        let (own, other) = (x.to_f64_vec().unwrap(), other.to_f64_vec().unwrap());
        assert!(kept.iter().zip(own.iter().zip(&other)).all(|(v, (a, b))| v == a || v == b));
        let own_image = partner.to_i64_vec().unwrap().iter().position(|&p| p != 0).unwrap();
        let plane = own_image * 64..own_image * 64 + 64;
        let equal = kept[plane.clone()].iter().zip(&own[plane]).filter(|(a, b)| a == b).count();
        if partner.to_i64_vec().unwrap()[own_image] != i64::try_from(own_image).unwrap() {
            assert_eq!(equal as f64 / 64.0, ratio, "{seed}");
        }
        let (same, own_labels, one) = augment::cutmix(&x, &labels, 0.0, RandomKey::new(seed)).unwrap();
        assert_eq!(
            (same.to_f64_vec().unwrap(), own_labels.to_i64_vec().unwrap(), one),
            (own, labels.to_i64_vec().unwrap(), 1.0)
        );
    }
}

#[test]
fn transforms_that_change_nothing_are_identities() {
    let x = random("still", &[3, 2, 7, 9], DType::F64);
    let before = x.to_f64_vec().unwrap();
    let same = |name: &str, y: Tensor| {
        let after = y.to_f64_vec().unwrap();
        // Resampling positions go through normalised coordinates, so they are whole up to rounding.
        let error = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-12, "{name}: {error}");
    };
    for grid in [Grid::Corners, Grid::Centres] {
        same("scale", transform::scale(&x, &[1.0], &[1.0; 3], grid).unwrap());
        same("rotate", transform::rotate(&x, &[0.0; 3], grid).unwrap());
    }
    same("flip", transform::flip(&x, &[false]).unwrap());
    same("flip twice", transform::flip(&transform::flip(&x, &[true]).unwrap(), &[true; 3]).unwrap());
    same("crop", transform::crop(&x, &[0], &[0]).unwrap());
    same("brightness", transform::brightness(&x, &[0.0]).unwrap());
    same("saturation", transform::saturation(&x, &[1.0]).unwrap());
    same("contrast", transform::contrast(&x, &[1.0; 3]).unwrap());
}

#[test]
fn sizes_that_no_machine_holds_are_refused_before_any_kernel() {
    const HUGE: usize = 12_297_829_382_473_034_411;
    let x = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let rows = Tensor::from_i64(vec![0, 1], &[2], &Device::Cpu).unwrap();
    let [row, plane, weight] = [x(&[2]), x(&[1, 1, 4, 4]), x(&[1, 1, 3, 3])];
    let conv = |padding, stride| plane.conv2d(&weight, None, Conv2d { stride: [stride; 2], padding: [padding; 2] });
    let refused = [
        // The product of these is 1 modulo 2^64.
        x(&[1]).broadcast_to(&[1, 1, 3, HUGE]),
        x(&[1, 0]).broadcast_to(&[HUGE, 0]),
        row.pad(&[(1 << 63, 0)]),
        row.pad(&[(1 << 63, 1 << 63)]),
        row.reshape(&[3, HUGE, 2]),
        row.scatter_add(0, &rows, 1 << 40),
        rows.one_hot(1 << 50, DType::F32),
        conv(1 << 62, 1),
        conv(usize::MAX / 2, usize::MAX / 2),
        plane.bilinear_resize(1 << 33, 1 << 33),
        Tensor::full(0.0, &[3, HUGE], DType::F64, &Device::Cpu),
        Tensor::zeros(&[1 << 35], DType::F32, &Device::Cpu),
    ];
    for (index, result) in refused.into_iter().enumerate() {
        let message = result.unwrap_err().to_string();
        assert!(message.contains("elements"), "{index}: {message}");
    }
    assert_eq!(row.slice(0, 1, 2, usize::MAX).unwrap().to_f64_vec().unwrap(), [1.0]);
    assert!(plane.avg_pool2d([2, 2], [usize::MAX; 2]).is_ok());
}

#[test]
fn whole_powers_have_all_derivatives_at_0() {
    // Of x^0, x^1, x^2 and x^3 at 0 and at 2: the power and three derivatives.
    let expected = [
        [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
        [[0.0, 2.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]],
        [[0.0, 4.0], [0.0, 4.0], [2.0, 2.0], [0.0, 0.0]],
        [[0.0, 8.0], [0.0, 12.0], [0.0, 12.0], [6.0, 6.0]],
    ];
    let x = Tensor::from_f64(vec![0.0, 2.0], &[2], &Device::Cpu).unwrap().variable().unwrap();
    for (exponent, expected) in [0.0, 1.0, 2.0, 3.0].into_iter().zip(expected) {
        let mut y = x.powf(exponent).unwrap();
        for (order, expected) in expected.into_iter().enumerate() {
            assert_eq!(y.to_f64_vec().unwrap(), expected, "derivative {order} of x^{exponent}");
            // What does not depend on x any more has derivative 0.
            let sum = y.add(&x.mul_scalar(0.0).unwrap()).unwrap().sum_all().unwrap();
            y = grad(&[sum], std::slice::from_ref(&x), None, Keep::OnTape).unwrap().remove(0);
        }
    }
}

#[test]
fn a_sum_of_exponentials_may_be_zero_or_infinite() {
    let infinity = f64::INFINITY;
    let values = vec![-infinity, -infinity, -infinity, 0.5, infinity, 1.0, 700.0, 710.0];
    let x = Tensor::from_f64(values, &[4, 2], &Device::Cpu).unwrap().variable().unwrap();
    let y = x.log_sum_exp(1, false).unwrap();
    let found = y.to_f64_vec().unwrap();
    assert_eq!(found[..3], [-infinity, 0.5, infinity]);
    assert!((found[3] - 710.000_045).abs() < 1e-6);
    let gradient = grad(&[y.slice(0, 0, 2, 1).unwrap().sum_all().unwrap()], &[x], None, Keep::No).unwrap().remove(0);
    assert_eq!(gradient.to_f64_vec().unwrap()[..4], [0.0, 0.0, 0.0, 1.0]);
}
