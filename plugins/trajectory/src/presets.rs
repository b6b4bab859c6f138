//! Published parameters by data set and images per class.
//!
//! MTT's are the authors' commands as dc_benchmark collected them (justincui03/dc_benchmark at 2a57711;
//! GeorgeCazenavette/mtt-distillation issues 31 and 42 for the learning rate of CIFAR-10 at 10 images per class). Those of PDD are the
//! README of VITA-Group/ProgressiveDD at 844fa9a: the number of images is the total of five sets. HaBa's are the commands of
//! Huage001/DatasetFactorization at 60c9128, where they count bases. TESLA's are the README of justincui03/tesla at 488842e. DATM's are
//! the configurations of NUS-HPC-AI-Lab/DATM at 97ae510, whose images start as ones that an expert takes for their class, and whose
//! labels start from all experts instead of ten.
//!
//! Normalisation is not a matcher's: ZCA for MTT on CIFAR-10 at 1 and 10 and on CIFAR-100 at 1 and 50, for PDD on all of CIFAR, and for
//! TESLA, HaBa and DATM; mean and deviation for the rest.

use serde_json::{Map, Value, json};

/// Name; N, M, T+; learning rate of the images, of the learned learning rate, its first value; images in a mini-batch, 0 for all.
type Row = (&'static str, [u64; 3], [f64; 3], u64);

const MTT: [Row; 15] = [
    ("cifar10-ipc1", [50, 2, 2], [100.0, 1e-7, 0.01], 0),
    ("cifar10-ipc10", [30, 2, 20], [100.0, 1e-5, 0.001], 0),
    ("cifar10-ipc50", [30, 2, 40], [1000.0, 1e-5, 0.001], 0),
    ("cifar100-ipc1", [20, 3, 20], [1000.0, 1e-5, 0.01], 0),
    ("cifar100-ipc10", [20, 2, 20], [1000.0, 1e-5, 0.01], 0),
    ("cifar100-ipc50", [80, 2, 40], [1000.0, 1e-5, 0.01], 125),
    ("tiny-ipc1", [10, 2, 10], [10000.0, 1e-4, 0.01], 0),
    ("tiny-ipc10", [20, 2, 40], [10000.0, 1e-4, 0.01], 200),
    ("tiny-ipc50", [20, 2, 40], [10000.0, 1e-4, 0.01], 300),
    ("pdd-cifar10-ipc10", [50, 2, 5], [1000.0, 1e-7, 0.01], 20),
    ("pdd-cifar10-ipc50", [30, 2, 15], [1000.0, 1e-5, 0.01], 100),
    ("pdd-cifar100-ipc10", [20, 3, 20], [1000.0, 1e-5, 0.01], 200),
    ("pdd-cifar100-ipc50", [20, 2, 20], [1000.0, 1e-5, 0.01], 512),
    ("pdd-tiny-ipc10", [20, 2, 20], [10000.0, 1e-4, 0.01], 64),
    ("pdd-tiny-ipc50", [20, 2, 20], [10000.0, 1e-4, 0.01], 64),
];

const HABA: [Row; 3] = [
    ("cifar10-ipc1", [50, 2, 2], [100.0, 1e-7, 0.01], 0),
    ("cifar10-ipc10", [30, 2, 20], [100.0, 1e-5, 0.001], 0),
    ("cifar10-ipc50", [30, 2, 20], [100.0, 1e-5, 0.01], 0),
];

const TESLA: [Row; 2] =
    [("cifar10-ipc1", [50, 2, 5], [1000.0, 1e-7, 0.01], 0), ("cifar100-ipc50", [80, 2, 40], [1000.0, 1e-5, 0.01], 125)];

/// Name; N; first start epoch, end of the first start epochs and T+; iterations until T+; learning rate of the images, of the learned learning
/// rate, of the labels; images in a mini-batch, 0 for all.
type WideningRow = (&'static str, u64, [u64; 3], u64, [f64; 3], u64);

const DATM: [WideningRow; 5] = [
    ("datm-cifar10-ipc1", 80, [0, 4, 4], 0, [100.0, 1e-7, 5.0], 0),
    ("datm-cifar10-ipc10", 80, [0, 10, 20], 1000, [100.0, 1e-5, 2.0], 100),
    ("datm-cifar10-ipc50", 80, [0, 20, 40], 2000, [1000.0, 1e-5, 2.0], 500),
    ("datm-cifar10-ipc500", 40, [40, 60, 60], 0, [50.0, 1e-5, 10.0], 1000),
    ("datm-cifar10-ipc1000", 100, [40, 60, 60], 0, [50.0, 1e-5, 10.0], 1000),
];

/// Of MTT, of PDD with MTT, and of DATM.
#[must_use]
pub fn mtt() -> Value {
    let mut all = table(&MTT);
    for (name, steps, [min, from, max], iterations, [lr, lr_lr, lr_labels], batch) in DATM {
        let skip = if name == "datm-cifar10-ipc1" { 1.1 } else { 1.0 };
        all[name] = json!({
            "syn_steps": steps, "expert_epochs": 2, "min_start": min, "max_start": max, "lr": lr, "lr_lr": lr_lr, "lr_teacher": 0.01,
            "labels": "teacher", "label_experts": 10, "lr_labels": lr_labels, "momentum_labels": 0.9, "skip_above": skip,
            "init": "recognised"
        });
        if from < max {
            (all[name]["expand_from"], all[name]["expand_iterations"]) = (from.into(), iterations.into());
        }
        if batch > 0 {
            all[name]["batch_syn"] = batch.into();
        }
    }
    all
}

/// Of HaBa, whose momenta and floor all settings share.
#[must_use]
pub fn haba() -> Value {
    let mut all = table(&HABA);
    for preset in all.as_object_mut().into_iter().flat_map(Map::values_mut) {
        for (name, value) in [("momentum", 0.95), ("momentum_lr", 0.9), ("lr_floor", 0.001)] {
            preset[name] = value.into();
        }
    }
    all
}

/// Of TESLA.
#[must_use]
pub fn tesla() -> Value {
    table(&TESLA)
}

fn table(rows: &[Row]) -> Value {
    let parameters = |(name, [steps, epochs, start], [lr, lr_lr, first], batch): &Row| {
        let mut preset = json!({
            "syn_steps": steps, "expert_epochs": epochs, "max_start": start, "lr": lr, "lr_lr": lr_lr, "lr_teacher": first
        });
        if *batch > 0 {
            preset["batch_syn"] = (*batch).into();
        }
        ((*name).to_owned(), preset)
    };
    Value::Object(rows.iter().map(parameters).collect::<Map<_, _>>())
}
