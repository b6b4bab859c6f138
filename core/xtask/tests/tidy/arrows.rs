//! The arrows between crates, from `cargo metadata`.

use super::{Problems, list};
use serde_json::Value;

/// A crate and the crates of ours that it may depend on. The drawing is in `core/ARCHITECTURE.md`.
const ARROWS: [(&str, &[&str]); 25] = [
    ("pddflow-abi", &[]),
    ("pddflow-artifact", &["pddflow-cache", "pddflow-host", "pddflow-runner", "pddflow-tensor"]),
    ("pddflow-cache", &[]),
    (
        "pddflow-cli",
        &[
            "pddflow-artifact",
            "pddflow-cache",
            "pddflow-cluster",
            "pddflow-nodes",
            "pddflow-page",
            "pddflow-pipeline",
            "pddflow-remote",
            "pddflow-report",
            "pddflow-runner",
        ],
    ),
    ("pddflow-cluster", &["pddflow-cache", "pddflow-pipeline", "pddflow-runner"]),
    ("pddflow-data", &["pddflow-artifact", "pddflow-cache", "pddflow-runner", "pddflow-tensor"]),
    (
        "pddflow-distillation",
        &["pddflow-artifact", "pddflow-host", "pddflow-runner", "pddflow-tensor", "pddflow-training"],
    ),
    (
        "pddflow-exchange",
        &[
            "pddflow-artifact",
            "pddflow-cache",
            "pddflow-data",
            "pddflow-figures",
            "pddflow-host",
            "pddflow-runner",
            "pddflow-tensor",
            "pddflow-training",
        ],
    ),
    ("pddflow-figures", &["pddflow-artifact", "pddflow-runner"]),
    ("pddflow-fuzz", &[]),
    ("pddflow-host", &["pddflow-abi", "pddflow-tensor"]),
    ("pddflow-kernels", &[]),
    (
        "pddflow-nodes",
        &[
            "pddflow-artifact",
            "pddflow-cache",
            "pddflow-data",
            "pddflow-distillation",
            "pddflow-exchange",
            "pddflow-figures",
            "pddflow-host",
            "pddflow-runner",
            "pddflow-tensor",
            "pddflow-training",
        ],
    ),
    (
        "pddflow-page",
        &["pddflow-artifact", "pddflow-cache", "pddflow-host", "pddflow-report", "pddflow-runner", "pddflow-tensor"],
    ),
    ("pddflow-pipeline", &["pddflow-cache"]),
    ("pddflow-plugin-test", &["pddflow-abi", "pddflow-host", "pddflow-sdk", "pddflow-tensor"]),
    ("pddflow-remote", &["pddflow-cache"]),
    ("pddflow-report", &["pddflow-runner"]),
    ("pddflow-runner", &["pddflow-cache", "pddflow-pipeline"]),
    ("pddflow-sdk", &["pddflow-abi"]),
    ("pddflow-tensor", &["pddflow-kernels"]),
    ("pddflow-tests", &["pddflow-abi", "pddflow-cache", "pddflow-remote", "pddflow-sdk"]),
    ("pddflow-training", &["pddflow-artifact", "pddflow-cache", "pddflow-host", "pddflow-runner", "pddflow-tensor"]),
    ("pddflow-trajectory", &["pddflow-sdk"]),
    ("pddflow-xtask", &["pddflow-abi"]),
];
/// What a matcher or a model may depend on: the SDK and crates that only compute.
const PLUGIN_MAY: [&str; 6] = ["pddflow-sdk", "pddflow-trajectory", "libm", "schemars", "serde", "serde_json"];
/// Inputs for the tests of any crate.
const FUZZ: &str = "pddflow-fuzz";
/// An iteration without a pipeline, for the tests of plugins and of the host.
const PLUGIN_TEST: &str = "pddflow-plugin-test";
/// The only crate that may name burn, and the language of its kernels.
const NAMES_BURN: &str = "pddflow-tensor";

pub(super) fn check(packages: &[Value]) -> Problems {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Value) -> Problems {
    let name = package["name"].as_str().unwrap_or_default();
    list(&package["dependencies"])
        .iter()
        .filter_map(|dependency| {
            let on = dependency["name"].as_str().unwrap_or_default();
            let dev = dependency["kind"].as_str() == Some("dev");
            refusal(name, on, dev).map(|why| format!("{name} -> {on}: {why}"))
        })
        .collect()
}

/// Why `name` may not depend on `on`, if it may not.
fn refusal(name: &str, on: &str, dev: bool) -> Option<String> {
    if (on.starts_with("burn") || on.starts_with("cubecl")) && name != NAMES_BURN {
        return Some(format!("only {NAMES_BURN} names burn"));
    }
    if dev && (is_plugin(on) || [FUZZ, PLUGIN_TEST, name].contains(&on)) {
        // Plugins are built beside the tests, which load them; tests may turn on features of their own crate.
        return None;
    }
    if is_plugin(name) {
        let allowed = dev || PLUGIN_MAY.contains(&on);
        return (!allowed).then(|| format!("a plugin depends on {}", PLUGIN_MAY.join(", ")));
    }
    let Some((_, may)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return Some("this crate is not in the drawing of core/ARCHITECTURE.md; add it there and here".to_owned());
    };
    let ours = on.starts_with("pddflow-");
    (ours && !may.contains(&on)).then(|| "this arrow is not in the drawing of core/ARCHITECTURE.md".to_owned())
}

fn is_plugin(name: &str) -> bool {
    name.starts_with("pddflow-matcher-") || name.starts_with("pddflow-model-")
}

#[test]
fn forbidden_arrows_are_refused() {
    let check = |name, on, refused| assert_eq!(refusal(name, on, false).is_some(), refused, "{name} -> {on}");
    check("pddflow-runner", "pddflow-tensor", true);
    check("pddflow-runner", "pddflow-cache", false);
    check("pddflow-nodes", "burn-flex", true);
    check("pddflow-host", "cubecl", true);
    check("pddflow-tensor", "burn-flex", false);
    check("pddflow-matcher-dc", "rayon", true);
    check("pddflow-matcher-dc", "pddflow-sdk", false);
    check("pddflow-new", "serde", true);
    check("pddflow-nodes", "pddflow-matcher-dc", true);
    assert!(refusal("pddflow-nodes", "pddflow-matcher-dc", true).is_none(), "tests may load plugins");
}
