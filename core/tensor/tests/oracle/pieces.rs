//! Augmentation, resizing, losses and whitening.

use std::sync::Arc;

use pddflow_tensor::augment::{Grid, cut_box, paste, transform};
use pddflow_tensor::{DType, Device, Keep, ResampleMap, Result, Tensor, grad, linalg};

use crate::case::{Case, Outputs, device};

fn out<const N: usize>(outputs: [(&str, Tensor); N]) -> Outputs {
    outputs.map(|(name, tensor)| (name.to_owned(), tensor)).into()
}

/// `y = f(x)` and the pull-back of the cotangent `u`.
fn with_pull_back(case: &Case, y: &str, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Outputs> {
    let x = case.input("x").variable()?;
    let value = f(&x)?;
    let gradient = grad(std::slice::from_ref(&value), &[x], Some(&[case.input("u")]), Keep::No)?;
    Ok(out([(y, value), ("dx", gradient[0].clone())]))
}

pub(crate) fn dsa_op(case: &Case) -> Result<Outputs> {
    let corners = case.params["align_corners"].as_bool() == Some(true);
    let grid = if corners { Grid::Corners } else { Grid::Centres };
    with_pull_back(case, "y", |x| match case.text("op") {
        "brightness" => transform::brightness(x, &case.numbers("delta")),
        "saturation" => transform::saturation(x, &case.numbers("saturation")),
        "contrast" => transform::contrast(x, &case.numbers("contrast")),
        "color" => {
            let x = transform::brightness(x, &case.numbers("delta"))?;
            transform::contrast(&transform::saturation(&x, &case.numbers("saturation"))?, &case.numbers("contrast"))
        }
        "crop" => transform::crop(x, &case.integers("ty"), &case.integers("tx")),
        "cutout" => {
            transform::cutout(x, &case.integers("oy"), &case.integers("ox"), [case.size("size_y"), case.size("size_x")])
        }
        "flip" => transform::flip(x, &case.integers("flip").iter().map(|&flip| flip == 1).collect::<Vec<_>>()),
        op if op.starts_with("scale") => transform::scale(x, &case.numbers("sx"), &case.numbers("sy"), grid),
        op if op.starts_with("rotate") => transform::rotate(x, &case.numbers("angle"), grid),
        op => panic!("{}: unknown op {op}", case.name),
    })
}

pub(crate) fn upsample(case: &Case) -> Result<Outputs> {
    let size = case.params["out_size"].as_array().unwrap();
    let [rows, columns] = [0, 1].map(|axis| usize::try_from(size[axis].as_u64().unwrap()).unwrap());
    with_pull_back(case, "y", |x| x.bilinear_resize(rows, columns))
}

/// All first cells, then all second cells, ..., each enlarged to the full size.
pub(crate) fn decode(x: &Tensor, factor: usize) -> Result<Tensor> {
    let [height, width] = [x.shape()[2], x.shape()[3]];
    let [cell_rows, cell_columns] = [height, width].map(|side| side.div_ceil(factor));
    let more = [cell_rows * factor - height, cell_columns * factor - width];
    let padded = x.add_scalar(-0.5)?.pad(&[(0, 0), (0, 0), (0, more[0]), (0, more[1])])?.add_scalar(0.5)?;
    let cells = (0..factor * factor).map(|cell| {
        let (row, column) = (cell / factor * cell_rows, cell % factor * cell_columns);
        padded.slice(2, row, row + cell_rows, 1)?.slice(3, column, column + cell_columns, 1)
    });
    Tensor::concat(&cells.collect::<Result<Vec<_>>>()?, 0)?.bilinear_resize(height, width)
}

pub(crate) fn idc_decode(case: &Case) -> Result<Outputs> {
    let factor = case.size("factor");
    let mut outputs = with_pull_back(case, "z", |x| decode(x, factor))?;
    let labels = case.input("y");
    outputs.push(("labels".to_owned(), Tensor::concat(&vec![labels; factor * factor], 0)?));
    Ok(outputs)
}

pub(crate) fn idc_mix(case: &Case) -> Result<Outputs> {
    let (factor, ipc) = (case.size("factor"), case.size("ipc"));
    let size = [case.size("height"), case.size("width_px")];
    let sides =
        size.map(|side| (0..factor).map(|cell| side / factor + usize::from(cell < side % factor)).collect::<Vec<_>>());
    let real = case.input("real");
    let row = |row: usize| {
        let cells = (0..factor).map(|column| {
            let cell = row * factor + column;
            let map = ResampleMap::nearest(size, [sides[0][row], sides[1][column]])?;
            real.slice(0, cell * ipc, (cell + 1) * ipc, 1)?.resample(&Arc::new(map))
        });
        Tensor::concat(&cells.collect::<Result<Vec<_>>>()?, 3)
    };
    Ok(out([("x", Tensor::concat(&(0..factor).map(row).collect::<Result<Vec<_>>>()?, 2)?)]))
}

pub(crate) fn cutmix(case: &Case) -> Result<Outputs> {
    let size = [case.size("height"), case.size("width_px")];
    let draws = case.numbers("draws");
    let boxes: Vec<[usize; 4]> =
        draws.chunks(3).map(|draw| cut_box(size, draw[0], [draw[1] as usize, draw[2] as usize])).collect();
    let (mixed, ratio) = paste(&case.input("x"), &case.input("partner"), boxes[0])?;
    let (logits, y) = (case.input("logits").variable()?, case.input("y"));
    let other = y.gather(0, &case.input("partner"))?;
    let loss =
        logits.cross_entropy(&y)?.mul_scalar(ratio)?.add(&logits.cross_entropy(&other)?.mul_scalar(1.0 - ratio)?)?;
    let gradient = grad(std::slice::from_ref(&loss), &[logits], None, Keep::No)?;
    let flat = boxes.iter().flatten().map(|&v| i64::try_from(v).unwrap()).collect();
    Ok(out([
        ("boxes", Tensor::from_i64(flat, &[boxes.len(), 4], &device())?),
        ("mixed", mixed),
        ("ratio", Tensor::full(ratio, &[], case.dtype, &device())?),
        ("loss", loss),
        ("dlogits", gradient[0].clone()),
    ]))
}

pub(crate) fn soft_ce(case: &Case) -> Result<Outputs> {
    let logits = case.input("logits").variable()?;
    let (soft, hard) = (logits.cross_entropy_soft(&case.input("q"))?, logits.cross_entropy(&case.input("y"))?);
    let by =
        |loss: &Tensor| Ok(grad(std::slice::from_ref(loss), std::slice::from_ref(&logits), None, Keep::No)?[0].clone());
    Ok(out([
        ("dsoft", by(&soft)?),
        ("dhard", by(&hard)?),
        ("soft", soft),
        ("hard", hard),
        ("probabilities", logits.softmax(1)?),
    ]))
}

pub(crate) fn zca(case: &Case) -> Result<Outputs> {
    let rows = |x: Tensor| {
        let images = x.shape()[0];
        let pixels = x.elements() / images;
        x.reshape(&[images, pixels])
    };
    // Fitted in double precision on the processor, as for a data set.
    let train = case.input("train").to_device(&Device::Cpu)?.cast(DType::F64)?;
    let (train, shape) = (rows(train)?, case.input("test").shape().to_vec());
    let [images, pixels] = [train.shape()[0], train.shape()[1]];
    let mean = train.mean(&[0], false)?;
    let centred = train.sub(&mean)?;
    let covariance = centred.permute(&[1, 0])?.matmul(&centred)?.mul_scalar(1.0 / (images - 1) as f64)?;
    let (values, vectors) = linalg::symmetric_eigen(&covariance.to_f64_vec()?, pixels)?;
    let vectors = Tensor::from_f64(vectors, &[pixels, pixels], &Device::Cpu)?;
    let there = |x: &Tensor| x.cast(case.dtype)?.to_device(&device());
    let transform = |power: f64| {
        let scale = values.iter().map(|s| libm::pow(s.max(0.0) + case.number("eps"), power)).collect();
        let scaled = vectors.mul(&Tensor::from_f64(scale, &[pixels, 1], &Device::Cpu)?)?;
        there(&vectors.permute(&[1, 0])?.matmul(&scaled)?)
    };
    let (t, t_inv, mean) = (transform(-0.5)?, transform(0.5)?, there(&mean)?);
    let white = rows(case.input("test"))?.sub(&mean)?.matmul(&t)?;
    let back = white.matmul(&t_inv)?.add(&mean)?;
    Ok(out([
        ("white", white.reshape(&shape)?),
        ("back", back.reshape(&shape)?),
        ("mean", mean),
        ("t", t),
        ("t_inv", t_inv),
    ]))
}
