//! Gradient and feature matching.

use pddflow_tensor::{DType, Keep, Result, Tensor, grad};

use crate::case::{Case, Outputs, device};
use crate::network::{Network, flat, named};
use crate::pieces::decode;

/// Keeps lengths away from 0 in cosines.
const TINY: f64 = 1e-6;

fn cosine_rows(real: &Tensor, synthetic: &Tensor) -> Result<Tensor> {
    let rows = |x: &Tensor| x.reshape(&[x.shape()[0], x.elements() / x.shape()[0]]);
    let (g, s) = (rows(real)?, rows(synthetic)?);
    let lengths = g.norm2(&[1], false)?.mul(&s.norm2(&[1], false)?)?.add_scalar(TINY)?;
    g.mul(&s)?.sum(&[1], false)?.div(&lengths)?.neg()?.add_scalar(1.0)?.sum_all()
}

fn zero(dtype: DType) -> Result<Tensor> {
    Tensor::zeros(&[], dtype, &device())
}

/// Distances of each tensor under `ours`.
fn per_tensor(real: &[Tensor], synthetic: &[Tensor]) -> Result<Vec<Tensor>> {
    real.iter().zip(synthetic).map(|(g, s)| if g.rank() < 2 { zero(g.dtype()) } else { cosine_rows(g, s) }).collect()
}

fn sum(tensors: &[Tensor]) -> Result<Tensor> {
    Tensor::stack(tensors, 0)?.sum_all()
}

fn distance(metric: &str, real: &[Tensor], synthetic: &[Tensor]) -> Result<Tensor> {
    match metric {
        "ours" => sum(&per_tensor(real, synthetic)?),
        "mse" => flat(real)?.sub(&flat(synthetic)?)?.square()?.sum_all(),
        "cos" => {
            let (g, s) = (flat(real)?, flat(synthetic)?);
            cosine_rows(&g.reshape(&[1, g.elements()])?, &s.reshape(&[1, s.elements()])?)
        }
        other => panic!("unknown metric {other}"),
    }
}

pub(crate) fn dc_distance(case: &Case) -> Result<Outputs> {
    let order = case.names("order");
    let real: Vec<Tensor> = order.iter().map(|name| case.input(&format!("real.{name}"))).collect();
    let synthetic =
        order.iter().map(|name| case.input(&format!("syn.{name}")).variable()).collect::<Result<Vec<_>>>()?;
    let distance = distance(case.text("metric"), &real, &synthetic)?;
    let mut out = named("dsyn", &order, &grad(std::slice::from_ref(&distance), &synthetic, None, Keep::No)?);
    out.push(("distance".to_owned(), distance));
    Ok(out)
}

fn labels(class: usize, count: usize) -> Result<Tensor> {
    Tensor::from_i64(vec![i64::try_from(class).unwrap(); count], &[count], &device())
}

/// Gradients by the weights of the loss over images of one class.
fn class_gradients(
    network: &Network<'_>,
    weights: &[Tensor],
    x: &Tensor,
    class: usize,
    keep: Keep,
) -> Result<Vec<Tensor>> {
    let loss = network.loss(weights, x, &labels(class, x.shape()[0])?)?;
    grad(&[loss], weights, None, keep)
}

/// Entry `row` of the first axis, without that axis.
fn entry(x: &Tensor, row: usize) -> Result<Tensor> {
    x.slice(0, row, row + 1, 1)?.reshape(&x.shape()[1..])
}

pub(crate) fn dc_match(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (weights, x) = (network.weights()?, case.input("x_syn").variable()?);
    let (ipc, metric) = (case.size("ipc"), case.text("metric"));
    let classes: Vec<usize> =
        case.params["class_list"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap() as usize).collect();
    let (mut distances, mut parts, mut out) = (Vec::new(), Vec::new(), Outputs::new());
    for (position, &class) in classes.iter().enumerate() {
        let real = class_gradients(&network, &weights, &entry(&case.input("x_real"), position)?, class, Keep::No)?;
        let own = x.slice(0, position * ipc, (position + 1) * ipc, 1)?;
        let synthetic = class_gradients(&network, &weights, &own, class, Keep::OnTape)?;
        distances.push(distance(metric, &real, &synthetic)?);
        parts.push(Tensor::stack(&per_tensor(&real, &synthetic)?, 0)?);
        out.extend(named("dw_real", &network.names, &real));
        out.extend(named("dw_syn", &network.names, &synthetic));
    }
    let loss = sum(&distances)?;
    let gradient = grad(std::slice::from_ref(&loss), &[x], None, Keep::No)?;
    out.extend([
        ("loss".to_owned(), loss),
        ("per_class".to_owned(), Tensor::stack(&distances, 0)?),
        ("per_tensor".to_owned(), Tensor::stack(&parts, 0)?),
        ("dx_syn".to_owned(), gradient[0].clone()),
    ]);
    Ok(out)
}

pub(crate) fn dc_iteration(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (mut weights, mut x, mut momentum) = (network.weights()?, case.input("x_syn"), case.input("momentum"));
    let [outer, inner, ipc, batch, classes] =
        ["outer", "inner", "ipc", "batch_train", "classes"].map(|name| case.size(name));
    let all = Tensor::concat(&(0..classes).map(|class| labels(class, ipc)).collect::<Result<Vec<_>>>()?, 0)?;
    let (mut losses, mut images) = (Vec::new(), Vec::new());
    for step in 0..outer {
        let variable = x.variable()?;
        let real = entry(&case.input("x_real"), step)?;
        let distances = (0..classes).map(|class| {
            let target = class_gradients(&network, &weights, &entry(&real, class)?, class, Keep::No)?;
            let own = variable.slice(0, class * ipc, (class + 1) * ipc, 1)?;
            distance("ours", &target, &class_gradients(&network, &weights, &own, class, Keep::OnTape)?)
        });
        let loss = sum(&distances.collect::<Result<Vec<_>>>()?)?;
        let gradient = grad(std::slice::from_ref(&loss), &[variable], None, Keep::No)?;
        momentum = momentum.mul_scalar(case.number("momentum_img"))?.add(&gradient[0])?;
        x = x.sub(&momentum.mul_scalar(case.number("lr_img"))?)?;
        losses.push(loss);
        images.push(x.clone());
        if step + 1 == outer {
            break;
        }
        for epoch in 0..inner {
            let order = entry(&entry(&case.input("orders"), step)?, epoch)?;
            for start in (0..order.elements()).step_by(batch) {
                let rows = order.slice(0, start, (start + batch).min(order.elements()), 1)?;
                let loss = network.loss(&weights, &x.gather(0, &rows)?, &all.gather(0, &rows)?)?;
                let gradients = grad(&[loss], &weights, None, Keep::No)?;
                let step =
                    |(w, g): (&Tensor, &Tensor)| w.detach().sub(&g.mul_scalar(case.number("lr_net"))?)?.variable();
                weights = weights.iter().zip(&gradients).map(step).collect::<Result<_>>()?;
            }
        }
    }
    Ok(vec![
        ("losses".to_owned(), Tensor::stack(&losses, 0)?),
        ("images".to_owned(), Tensor::stack(&images, 0)?),
        ("theta".to_owned(), flat(&weights)?),
    ])
}

pub(crate) fn dm(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (weights, x, real) = (network.weights()?, case.input("x_syn").variable()?, case.input("x_real"));
    let [classes, per_class] = [real.shape()[0], real.shape()[1]];
    let together = real.reshape(&[&[classes * per_class], &real.shape()[2..]].concat())?;
    let means = |x: &Tensor, count: usize| {
        let features = network.forward(&weights, x)?.features();
        features.reshape(&[classes, count, features.shape()[1]])?.mean(&[1], false)
    };
    let target = means(&together, per_class)?.detach();
    let per_class = means(&x, case.size("ipc"))?.sub(&target)?.square()?.sum(&[1], false)?;
    let loss = per_class.sum_all()?;
    let gradient = grad(std::slice::from_ref(&loss), &[x], None, Keep::No)?;
    Ok(vec![("loss".to_owned(), loss), ("per_class".to_owned(), per_class), ("dx_syn".to_owned(), gradient[0].clone())])
}

pub(crate) fn cafe(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (weights, x, real) = (network.weights()?, case.input("x_syn").variable()?, case.input("x_real"));
    let [classes, ipc, per_class] = ["classes", "ipc", "real_per_class"].map(|name| case.size(name));
    let real_labels =
        Tensor::concat(&(0..classes).map(|class| labels(class, per_class)).collect::<Result<Vec<_>>>()?, 0)?;
    let (of_real, of_synthetic) = (network.forward(&weights, &real)?, network.forward(&weights, &x)?);
    let means = |x: &Tensor, count: usize| x.reshape(&[&[classes, count], &x.shape()[1..]].concat())?.mean(&[1], false);
    let term = |real: &Tensor, synthetic: &Tensor| {
        means(&real.detach(), per_class)?.sub(&means(synthetic, ipc)?)?.square()?.sum_all()
    };
    let mut terms = of_real.maps.iter().zip(&of_synthetic.maps).map(|(r, s)| term(r, s)).collect::<Result<Vec<_>>>()?;
    let pooled = [&of_real, &of_synthetic].map(|forward| forward.maps[2].avg_pool2d([2, 2], [2, 2]));
    let [real_pooled, synthetic_pooled] = pooled;
    terms.push(term(&real_pooled?, &synthetic_pooled?)?);
    terms.push(term(&of_real.features(), &of_synthetic.features())?);
    let inner = of_real.features().detach().matmul_transposed(&means(&of_synthetic.features(), ipc)?)?;
    terms.push(inner.cross_entropy(&real_labels)?.mul_scalar((classes * per_class) as f64)?);
    terms.push(of_real.logits().cross_entropy(&real_labels)?);
    let names = ["f1", "f2", "f3", "f4", "f5", "inner", "real_ce"];
    let weighted = names
        .iter()
        .zip(&terms)
        .map(|(name, term)| term.mul_scalar(case.params["coefficients"][*name].as_f64().unwrap()));
    let loss = sum(&weighted.collect::<Result<Vec<_>>>()?)?;
    let gradient = grad(std::slice::from_ref(&loss), &[x], None, Keep::No)?;
    Ok(vec![
        ("terms".to_owned(), Tensor::stack(&terms, 0)?),
        ("loss".to_owned(), loss),
        ("dx_syn".to_owned(), gradient[0].clone()),
    ])
}

pub(crate) fn idc_match(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (weights, x, factor, class) =
        (network.weights()?, case.input("x_syn").variable()?, case.size("factor"), case.size("label"));
    let channel = |name: &str| {
        let values: Vec<f64> = case.params[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        Tensor::from_values(values.clone(), &[1, values.len(), 1, 1], case.dtype, &device())
    };
    let (mean, std) = (channel("mean")?, channel("std")?);
    let normalise = |x: &Tensor| x.sub(&mean)?.div(&std);
    let decoded = if factor > 1 { decode(&x, factor)? } else { x.clone() };
    let real = class_gradients(&network, &weights, &normalise(&case.input("x_real"))?, class, Keep::No)?;
    let synthetic = class_gradients(&network, &weights, &normalise(&decoded)?, class, Keep::OnTape)?;
    let convolutions = real.iter().zip(&synthetic).filter(|(real, _)| real.rank() == 4);
    let parts = convolutions.map(|(real, synthetic)| {
        let difference = real.sub(synthetic)?;
        match case.text("metric") {
            "mse" => difference.square()?.sum_all(),
            "l1" => difference.abs()?.sum_all(),
            _ => difference.abs()?.mean(&[1, 2, 3], false)?.sum_all(),
        }
    });
    let loss = sum(&parts.collect::<Result<Vec<_>>>()?)?;
    let gradient = grad(std::slice::from_ref(&loss), &[x], None, Keep::No)?;
    Ok(vec![("loss".to_owned(), loss), ("dx_syn".to_owned(), gradient[0].clone())])
}
