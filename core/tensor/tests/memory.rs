//! Graphs are freed with their tensors: memory stays level over many second-order steps.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(target_os = "linux")]

use pddflow_tensor::{Conv2d, DType, Device, Keep, RandomKey, Tensor, grad};

/// Pages in memory; the second number of `/proc/self/statm`.
fn resident_pages() -> usize {
    let text = fs_err::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

fn step(x: &Tensor, w: &Tensor) -> Tensor {
    let (x, w) = (x.variable().unwrap(), w.variable().unwrap());
    let y = x.conv2d(&w, None, Conv2d { stride: [1, 1], padding: [1, 1] }).unwrap();
    let loss = y.standardize(&[2, 3], 1e-5).unwrap().relu().unwrap().square().unwrap().mean_all().unwrap();
    let gradient = grad(&[loss], &[w], None, Keep::OnTape).unwrap();
    let distance = gradient[0].square().unwrap().sum_all().unwrap();
    let by_images = grad(&[distance], std::slice::from_ref(&x), None, Keep::No).unwrap();
    x.detach().sub(&by_images[0].mul_scalar(0.1).unwrap()).unwrap()
}

#[test]
fn a_thousand_second_order_steps_keep_the_resident_size() {
    let random = |name: &str, shape: &[usize]| {
        let values = RandomKey::new(1).fold(name).normal_f64(shape.iter().product());
        Tensor::from_values(values, shape, DType::F32, &Device::Cpu).unwrap()
    };
    let (mut x, w) = (random("x", &[2, 3, 16, 16]), random("w", &[8, 3, 3, 3]));
    for _ in 0..100 {
        x = step(&x, &w);
    }
    let before = resident_pages();
    for _ in 0..1000 {
        x = step(&x, &w);
    }
    let grown = resident_pages().saturating_sub(before) * 4096;
    // One step holds about 300 kB; a leak of a single small tensor in each would show as a megabyte and more.
    assert!(grown < 1 << 20, "grown by {grown} bytes");
}
