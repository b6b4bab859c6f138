//! The matcher `python`: the example of its page is DM, and whatever a file does, the error says it and the program lives.
//! All of it is skipped, with a visible line, where no interpreter has PyTorch.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use pddflow_host::{Decoded, InputShape, Labels, Matcher, PluginError};
use pddflow_tensor::{RandomKey, Tensor};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use support::{Bench, noise};

const SHAPE: InputShape = InputShape { channels: 1, height: 16, width: 16 };

/// An interpreter with PyTorch.
fn python() -> Option<&'static str> {
    static FOUND: OnceLock<Option<&'static str>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let has = |python: &&str| {
            Command::new(python).args(["-c", "import torch"]).output().is_ok_and(|run| run.status.success())
        };
        let found = ["/usr/bin/python3", "python3"].into_iter().find(has);
        if found.is_none() {
            println!("SKIPPED: no interpreter has PyTorch");
        }
        found
    })
}

/// A block of the page about matchers in Python.
fn documented(name: &str) -> String {
    let page = fs_err::read_to_string(support::root().join("core/docs/matchers_in_python.md")).unwrap();
    let (_, after) = page.split_once(&format!("<!-- {name} -->\n")).unwrap();
    let (_, block) = after.split_once('\n').unwrap();
    block.split_once("\n```").unwrap().0.to_owned() + "\n"
}

fn matcher(folder: &Path, python: &str, text: &str, more: &Value) -> Arc<Matcher> {
    fs_err::write(folder.join("mine.py"), text).unwrap();
    let mut config =
        json!({ "file": "mine.py", "python": python, "batch": 4, "augment": "none", "packages": ["torch"] });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    support::registry().matcher_in("python", &config, folder).unwrap()
}

fn bench() -> Bench {
    let model = support::registry().model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    Bench::new(support::problem(3, SHAPE, 2)).with_model(model).with_random_images()
}

/// What a file does in its first iteration.
fn outcome(text: &str, more: &Value) -> Option<(Result<(), PluginError>, Bench)> {
    let python = python()?;
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench();
    let outcome = matcher(folder.path(), python, text, more).iterate(&mut bench, 0);
    Some((outcome, bench))
}

fn close(a: &Tensor, b: &Tensor, tolerance: f64) {
    let (a, b) = (a.to_f64_vec().unwrap(), b.to_f64_vec().unwrap());
    let scale = a.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    let most = a.iter().zip(&b).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
    assert!(a.len() == b.len() && scale > 0.0 && most <= tolerance * scale, "{most} of {scale}");
}

#[test]
fn the_example_of_the_page_is_dm() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (augment, earlier) in [("none", false), ("dsa:color_crop_cutout_flip_scale_rotate", false), ("dsa:crop", true)]
    {
        let shared = json!({ "augment": augment, "batch": 4 });
        let dm = support::registry().matcher("dm", &shared).unwrap();
        let own = matcher(folder.path(), python, &documented("my_dm.py"), &shared);
        let run = |matcher: &Matcher| {
            let mut bench = bench();
            bench.previous = earlier.then(|| Decoded {
                images: noise(&[3, 1, 16, 16], RandomKey::new(11), 1.0),
                labels: Labels::Hard(Tensor::from_i64(vec![0, 1, 2], &[3], &support::device()).unwrap()),
            });
            (0..2).for_each(|iteration| matcher.iterate(&mut bench, iteration).unwrap());
            bench
        };
        let (expected, found) = (run(&dm), run(&own));
        assert_eq!(found.steps.len(), 2);
        for ((name, expected, rate), (own, found, own_rate)) in expected.steps.iter().zip(&found.steps) {
            assert_eq!((name, rate), (own, own_rate));
            close(expected, found, 1e-9);
        }
        // `dm` reports the mean over the classes, the file the sum.
        assert!((expected.metrics["loss"] - found.metrics["loss"] / 3.0).abs() < 1e-9 * expected.metrics["loss"].abs());
    }
}

#[test]
fn a_gradient_is_taken_as_well_as_a_loss() {
    let both = "import torch
def loss(problem, batch):
    total = (batch.synthetic ** 2).sum() * problem.parameters['factor']
    problem.metric('rows', len(batch.synthetic))
    assert batch.real is None and batch.net == {} and problem.shape == (1, 16, 16)
    if problem.parameters['own']:
        return float(total), torch.autograd.grad(total, batch.synthetic)[0]
    return total
";
    let run = |own: bool| {
        let more = json!({ "with": {"factor": 0.5, "own": own}, "batch": 0, "net": false });
        let (outcome, bench) = outcome(both, &more)?;
        outcome.unwrap();
        Some(bench)
    };
    let (Some(own), Some(torchs)) = (run(true), run(false)) else { return };
    let images = noise(&[6, 1, 16, 16], RandomKey::new(1), 1.0);
    for bench in [own, torchs] {
        close(&images, &bench.steps[0].1, 1e-12);
        assert_eq!(bench.metrics["rows"], 6.0);
        assert!(bench.metrics["loss"] > 0.0);
    }
}

/// What is wrong with the file, further parameters, part of the error, part of the log.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("def loss(p, b):\n    x = 1\n    return x / 0", "{}", "mine.py, line 3: ZeroDivisionError", "line 3, in loss"),
    ("import nothing_of_this_name", "{}", "mine.py, line 1: ModuleNotFoundError", "nothing_of_this_name"),
    ("def loss(p, b)\n    pass", "{}", "mine.py, line 1: SyntaxError", "SyntaxError"),
    ("def los(p, b): pass", "{}", "no function `loss`; it has los", ""),
    ("def loss(p, b): return b.synthetic", "{}", "gave a tensor of shape [6, 1, 16, 16]; it must give", ""),
    ("def loss(p, b): return None", "{}", "gave NoneType", ""),
    ("def loss(p, b): return b.real.sum()", "{}", "does not depend on `batch.synthetic`", ""),
    ("def loss(p, b): return b.synthetic.detach().sum()", "{}", "does not depend on `batch.synthetic`", ""),
    ("def loss(p, b): return b.synthetic.sum() * float('nan')", "{}", "gave the loss nan", ""),
    ("def loss(p, b): return (b.synthetic * 0).sqrt().sum()", "{}", "gradient that is not finite", ""),
    (
        "def loss(p, b): return b.synthetic.sum(), b.synthetic[0]",
        "{}",
        "gradient of shape [1, 16, 16]; `batch.synthetic`",
        "",
    ),
    ("def loss(p, b):\n    p.metric('m', float('inf'))\n    return b.synthetic.sum()", "{}", "metric `m`", ""),
    ("def loss(p, b):\n    print('last words')\n    raise SystemExit(3)", "{}", "ended with status 3", "last words"),
    ("import os\ndef loss(p, b): os._exit(0)", "{}", "ended with status 0", ""),
    ("import ctypes\ndef loss(p, b):\n    ctypes.string_at(0)", "{}", "signal 11 (segmentation fault)", "in loss"),
    ("def loss(p, b):\n    while True: pass", r#"{"patience": 3}"#, "did not end in 3 s", "line 2 in loss"),
    (
        "def loss(p, b):\n    x = []\n    while True: x.append(bytearray(1 << 24))",
        r#"{"memory": 1}"#,
        "GiB of memory, 1.0 are",
        "",
    ),
    ("def loss(p, b):\n    while True: print('x' * 1000)", "{}", "printed more than 64 MB", "lines are left out"),
    ("def loss(p, b): return b.synthetic.sum()", r#"{"function": "other"}"#, "no function `other`; it has loss", ""),
];

#[test]
fn whatever_a_file_does_the_error_says_it() {
    for (text, more, message, logged) in WRONG {
        let Some((outcome, bench)) = outcome(text, &serde_json::from_str(more).unwrap()) else { return };
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains(message), "{text}\n{error}");
        let log = bench.log.join("\n");
        assert!(log.contains(logged), "{text}\n{error}\n{log}");
        assert!(bench.steps.is_empty(), "{text}");
    }
}

#[test]
fn the_process_is_kept_and_one_that_failed_is_not() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = "import os\ncalls = 0
def loss(problem, batch):
    global calls
    calls += 1
    problem.metric('calls', calls)
    if problem.iteration == 2:
        os._exit(1)
    return batch.synthetic.sum()";
    let (matcher, mut bench) = (matcher(folder.path(), python, text, &json!({})), bench());
    let calls = |bench: &mut Bench, iteration| {
        matcher.iterate(bench, iteration)?;
        Ok::<_, PluginError>(bench.metrics["calls"])
    };
    assert_eq!(calls(&mut bench, 0).unwrap(), 1.0);
    assert_eq!(calls(&mut bench, 1).unwrap(), 2.0);
    assert!(calls(&mut bench, 2).unwrap_err().to_string().contains("status 1"));
    assert_eq!(calls(&mut bench, 3).unwrap(), 1.0);
}

#[test]
fn a_cancelled_run_ends_the_process_at_once() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = "import os, time\ndef loss(p, b):\n    open(p.parameters['to'], 'w').write(str(os.getpid()))\n    time.sleep(1000)";
    let to = folder.path().join("pid");
    let matcher = matcher(folder.path(), python, text, &json!({ "with": {"to": to} }));
    let mut bench = bench();
    // Cancelled when the function is at work.
    let started = to.clone();
    bench.cancelled_when = Some(Box::new(move || fs_err::read_to_string(&started).is_ok_and(|text| !text.is_empty())));
    let begin = Instant::now();
    let error = matcher.iterate(&mut bench, 0).unwrap_err();
    assert_eq!(error.code(), "plugin::cancelled", "{error}");
    assert!(begin.elapsed() < Duration::from_secs(60));
    let process = fs_err::read_to_string(&to).unwrap();
    assert!(!Path::new("/proc").join(process).exists(), "the process lives on");
}

#[test]
fn a_file_that_is_imported_must_be_named() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("helper.py"), "FACTOR = 2").unwrap();
    let text = "import helper\ndef loss(p, b): return b.synthetic.sum() * helper.FACTOR";
    let error = matcher(folder.path(), python, text, &json!({})).iterate(&mut bench(), 0).unwrap_err();
    assert!(error.to_string().contains("imports `helper.py`, which `files` does not name"), "{error}");
    let named = json!({ "files": ["helper.py"] });
    let mut first = bench();
    matcher(folder.path(), python, text, &named).iterate(&mut first, 0).unwrap();
    // In the same second: what was compiled of the older file is not used.
    fs_err::write(folder.path().join("helper.py"), "FACTOR = 3").unwrap();
    let mut second = bench();
    matcher(folder.path(), python, text, &named).iterate(&mut second, 0).unwrap();
    assert_eq!(first.steps[0].1.to_f64_vec().unwrap()[0], 2.0);
    assert_eq!(second.steps[0].1.to_f64_vec().unwrap()[0], 3.0);
    assert!(!folder.path().join("__pycache__").exists());
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let text = "import torch, random
def loss(p, b):
    return (b.synthetic * torch.randn(b.synthetic.shape)).sum() * random.random()";
    let run = || {
        let (outcome, bench) = outcome(text, &json!({}))?;
        outcome.unwrap();
        Some(bench.steps[0].1.to_f64_vec().unwrap())
    };
    let (Some(first), Some(second)) = (run(), run()) else { return };
    assert_eq!(first, second);
}

#[test]
fn the_interpreter_says_what_it_is_or_that_it_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let registry = support::registry();
    let identity = |python: &str, packages: Value| {
        registry.identity("python", &json!({"file": "x.py", "python": python, "packages": packages}), folder.path())
    };
    let error = identity("no-such-python", json!([])).unwrap_err().to_string();
    assert!(error.contains("`no-such-python` cannot be started") && error.contains("`python:`"), "{error}");
    let error = identity("false", json!([])).unwrap_err().to_string();
    assert!(error.contains("does not tell its version"), "{error}");
    assert!(registry.identity("dm", &json!({}), folder.path()).unwrap().is_empty());
    let error = registry.matcher("python", &json!({"file": "x.py", "python": "sub/python"})).unwrap_err().to_string();
    assert!(error.contains("an absolute path"), "{error}");
    let Some(python) = python() else { return };
    let found = identity(python, json!(["torch", "no-such-package"])).unwrap();
    let value = |name: &str| &found.iter().find(|(known, _)| known == name).unwrap().1;
    assert!(value("python").starts_with("CPython 3."), "{found:?}");
    assert!(value("torch").contains('.') && value("no-such-package") == "absent", "{found:?}");
}
