//! Training paths and the methods that differentiate through them.

use pddflow_tensor::{Keep, Result, Tensor, grad};

use crate::case::{Case, Outputs, device};
use crate::network::{Network, flat};

/// Inputs of a trajectory case: network, images as a variable, and the rows of each step.
fn batches(case: &Case) -> Result<Vec<Tensor>> {
    let mut start = 0;
    let rows = case.input("batch_rows");
    let take = |count: usize| {
        start += count;
        rows.slice(0, start - count, start, 1)
    };
    case.indices("batch_sizes").into_iter().map(take).collect()
}

pub(crate) fn mtt(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (x, y, alpha) = (case.input("x").variable()?, case.input("y"), case.input("alpha").variable()?);
    let (start, target) = (case.input("theta0"), case.input("target"));
    let mut theta = start.variable()?;
    for rows in batches(case)? {
        let loss = network.loss(&network.split(&theta)?, &x.gather(0, &rows)?, &y.gather(0, &rows)?)?;
        let gradient = &grad(&[loss], std::slice::from_ref(&theta), None, Keep::OnTape)?[0];
        theta = theta.sub(&gradient.mul(&alpha)?)?;
    }
    let squared = |a: &Tensor| a.sub(&target)?.square()?.sum_all();
    let loss = squared(&theta)?.div(&squared(&start)?)?;
    let gradients = grad(std::slice::from_ref(&loss), &[x, alpha], None, Keep::No)?;
    Ok(vec![
        ("loss".to_owned(), loss),
        ("theta".to_owned(), theta),
        ("dx".to_owned(), gradients[0].clone()),
        ("dalpha".to_owned(), gradients[1].clone()),
    ])
}

pub(crate) fn tesla(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (x, y, alpha) = (case.input("x"), case.input("y"), case.input("alpha"));
    let (start, target) = (case.input("theta0"), case.input("target"));
    let mut thetas = vec![start.clone()];
    let mut sum = start.mul_scalar(0.0)?;
    let step_gradient = |theta: &Tensor, x: &Tensor, rows: &Tensor, keep: Keep| {
        let theta = theta.variable()?;
        let loss = network.loss(&network.split(&theta)?, &x.gather(0, rows)?, &y.gather(0, rows)?)?;
        Ok(grad(&[loss], &[theta], None, keep)?[0].clone())
    };
    for rows in batches(case)? {
        let theta = &thetas[thetas.len() - 1];
        let gradient = step_gradient(theta, &x, &rows, Keep::No)?;
        sum = sum.add(&gradient)?;
        thetas.push(theta.sub(&gradient.mul(&alpha)?)?);
    }
    let scale = start.sub(&target)?.square()?.sum_all()?;
    let off = start.sub(&sum.mul(&alpha)?)?.sub(&target)?;
    let direction = target.sub(&start)?.mul(&alpha)?.add(&sum.mul(&alpha.square()?)?)?.mul_scalar(2.0)?.div(&scale)?;
    let mut dx = x.mul_scalar(0.0)?;
    for (theta, rows) in thetas.iter().zip(batches(case)?) {
        let variable = x.variable()?;
        let product = step_gradient(theta, &variable, &rows, Keep::OnTape)?.dot(&direction)?;
        dx = dx.add(&grad(&[product], &[variable], None, Keep::No)?[0])?;
    }
    Ok(vec![
        ("loss".to_owned(), off.square()?.sum_all()?.div(&scale)?),
        ("dalpha".to_owned(), off.dot(&sum)?.mul_scalar(-2.0)?.div(&scale)?),
        ("dx_released".to_owned(), dx.mul_scalar(0.5)?),
        ("dx".to_owned(), dx),
        ("gradient_sum".to_owned(), sum),
    ])
}

pub(crate) fn sgd(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (x, y, rows, lr) = (case.input("x"), case.input("y"), case.input("batches"), case.numbers("lr"));
    let flag = |name: &str| case.params[name].as_bool().unwrap();
    let drop = case.params["lr_drop_after_step"].as_u64();
    let mut theta = flat(&network.weights()?)?.detach();
    let (mut buffer, mut path) = (None::<Tensor>, Vec::new());
    for (step, &lr) in lr.iter().enumerate() {
        let in_stage = step % case.size("steps");
        let dropped = in_stage > 0 && drop == Some(in_stage as u64 - 1);
        if (in_stage == 0 && !flag("momentum_kept_across_stages")) || (dropped && flag("rebuild_at_drop")) {
            buffer = None;
        }
        let batch = rows.slice(0, step, step + 1, 1)?.reshape(&[rows.shape()[1]])?;
        let variable = theta.variable()?;
        let loss = network.loss(&network.split(&variable)?, &x.gather(0, &batch)?, &y.gather(0, &batch)?)?;
        let gradient = &grad(&[loss], &[variable], None, Keep::No)?[0];
        let change = gradient.add(&theta.mul_scalar(case.number("weight_decay"))?)?;
        let next = match buffer {
            Some(buffer) => buffer.mul_scalar(case.number("momentum"))?.add(&change)?,
            None => change,
        };
        theta = theta.sub(&next.mul_scalar(lr)?)?;
        buffer = Some(next);
        path.push(theta.clone());
    }
    Ok(vec![("path".to_owned(), Tensor::stack(&path, 0)?)])
}

pub(crate) fn image_sgd(case: &Case) -> Result<Outputs> {
    let (mut x, gradients) = (case.input("x"), case.input("grads"));
    let (images, frozen) = (x.shape()[0], case.size("frozen_rows"));
    let mask = (0..images).map(|row| f64::from(u8::from(row >= frozen))).collect();
    let mask = Tensor::from_values(mask, &[images, 1, 1, 1], case.dtype, &device())?;
    let (mut buffer, mut path) = (x.mul_scalar(0.0)?, Vec::new());
    for step in 0..case.size("steps") {
        let gradient = gradients.slice(0, step, step + 1, 1)?.reshape(x.shape())?.mul(&mask)?;
        buffer = buffer.mul_scalar(case.number("momentum"))?.add(&gradient)?;
        x = x.sub(&buffer.mul_scalar(case.number("lr"))?)?;
        path.push(x.clone());
    }
    Ok(vec![("path".to_owned(), Tensor::stack(&path, 0)?)])
}
