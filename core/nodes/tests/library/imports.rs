//! What other programs made, in pipelines: a set is evaluated and conditions a later one, experts are matched, weights are
//! started from. The files in `tests/foreign` are written by PyTorch (`make.py` there).

use pddflow_artifact::{NetWeights, Trajectories};

use crate::harness::Bench;

fn foreign(name: &str) -> String {
    format!("{}/tests/foreign/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn pipeline(nodes: &str) -> String {
    format!(
        "format: 1\nname: imported\nnodes:\n  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 8 }} }}\n{nodes}"
    )
}

const MODEL: &str = "model: { convnet: { width: 2 } }";

#[test]
fn experts_of_pytorch_are_matched() {
    let bench = Bench::new();
    let text = pipeline(&format!(
        r#"
  experts:
    kind: import
    needs: {{ data: data }}
    with: {{ from: {}, as: trajectories, {MODEL} }}
  distill:
    kind: distill
    needs: {{ data: data, trajectories: experts.trajectories }}
    with: {{ ipc: 1, iterations: 2, {MODEL}, matcher: {{ mtt: {{ syn_steps: 2, expert_epochs: 1, max_start: 1, lr: 10 }} }} }}
"#,
        foreign("replay_buffer_0.pt")
    ));
    bench.run(&text).unwrap();
    let experts = Trajectories::decode(&bench.artifact("experts.trajectories")).unwrap();
    assert_eq!((experts.info().count, experts.epochs()), (2, [0, 1, 2].as_slice()));
    let losses = bench.metric_values("distill", "loss");
    assert!(losses.len() == 2 && losses.iter().all(|loss| loss.is_finite() && *loss > 0.0), "{losses:?}");
    let bias = |net, epoch| experts.snapshot(net, epoch).unwrap().last().unwrap().to_f64_vec().unwrap();
    assert!(bias(0, 0) != bias(0, 1) && bias(0, 0) != bias(1, 0));
}

#[test]
fn experts_of_another_net_name_the_weight_that_differs() {
    let bench = Bench::new();
    let text = pipeline(&format!(
        "  experts:\n    kind: import\n    needs: {{ data: data }}\n    with: {{ from: {}, as: trajectories, model: {{ convnet: {{ width: 3 }} }} }}\n",
        foreign("replay_buffer_0.pt")
    ));
    let error = bench.run(&text).unwrap_err();
    assert!(error.message.contains("expert 0, epoch 0") && error.message.contains("[2, 1, 3, 3]"), "{}", error.message);
    assert!(error.help.unwrap().contains("model:"));
}

#[test]
fn a_state_dictionary_of_pytorch_is_a_net_to_start_from() {
    let bench = Bench::new();
    let text = pipeline(&format!(
        r#"
  net:
    kind: import
    needs: {{ data: data }}
    with: {{ from: {}, as: weights, model: {{ convnet: {{ width: 2, norm: batch }} }} }}
  chosen:
    kind: select
    needs: {{ data: data }}
    with: {{ method: random, ipc: 1 }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: chosen, start: net.weights }}
    with: {{ model: {{ convnet: {{ width: 2, norm: batch }} }}, nets: 1, epochs: 1, recipe: dsa }}
"#,
        foreign("state.pt")
    ));
    bench.run(&text).unwrap();
    let net = NetWeights::decode(&bench.artifact("net.weights")).unwrap();
    let shown: Vec<(&str, bool)> =
        net.info().weights.iter().map(|weight| (weight.name.as_str(), weight.statistic)).collect();
    let weights = net.net(0).unwrap();
    for ((name, statistic), value) in shown.iter().zip(&weights) {
        let values = value.to_f64_vec().unwrap();
        // Running variances of random maps are neither 0 nor 1, and running means begin at 0.
        assert!(!statistic || values.iter().all(|value| *value != 0.0 && *value != 1.0), "{name}: {values:?}");
    }
    assert!(shown.iter().filter(|(_, statistic)| *statistic).count() == 6, "{shown:?}");
}

#[test]
fn an_imported_set_is_evaluated_exported_and_conditions_a_later_one() {
    let bench = Bench::new();
    let first = pipeline(
        r#"
  chosen: { kind: select, needs: { data: data }, with: { method: random, ipc: 1 } }
  release: { kind: export, needs: { sets: chosen }, with: { pictures: true } }
  eval:
    kind: evaluate
    needs: { data: data, sets: chosen }
    with: { model: { convnet: { width: 2 } }, nets: 1, epochs: 2, recipe: dsa }
"#,
    );
    bench.run(&first).unwrap();
    let accuracy = bench.results("eval").reported.accuracies.clone();
    let folder = tempfile::tempdir().unwrap();
    bench.files("release.files").write_to(folder.path()).unwrap();
    let of = |from: &str, more: &str| {
        pipeline(&format!(
            r#"
  foreign: {{ kind: import, needs: {{ data: data }}, with: {{ from: {}, as: set, {more} }} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: foreign }}
    with: {{ model: {{ convnet: {{ width: 2 }} }}, nets: 1, epochs: 2, recipe: dsa }}
  release: {{ kind: export, needs: {{ sets: foreign }} }}
  second:
    kind: distill
    needs: {{ data: data, previous: foreign.set }}
    with: {{ ipc: 1, iterations: 1, model: {{ convnet: {{ width: 2 }} }}, matcher: {{ dm: {{ batch: 8 }} }} }}
"#,
            folder.path().join(from).display()
        ))
    };
    bench.run(&of("images.safetensors", "stage: 1")).unwrap();
    assert_eq!(bench.results("eval").reported.accuracies, accuracy);
    assert_eq!(bench.results("eval").method, "random");
    assert!(bench.files("release.files").get("train.py").is_some());
    // A complete set, and a file beside it that would be ignored.
    let (own, other) = (folder.path().join("images.safetensors"), folder.path().join("other.npy"));
    fs_err::write(&other, b"unread").unwrap();
    let (one, both) = (own.display().to_string(), format!("[{}, {}]", own.display(), other.display()));
    let error = bench.run(&of("images.safetensors", "stage: 1").replace(&one, &both));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("images.safetensors` was written by pddflow and is complete"), "{text}");
    // Its pictures: real images are pixels, so they are the same numbers once more.
    bench.run(&of("png", "method: pictures")).unwrap();
    assert_eq!(bench.results("eval").reported.accuracies, accuracy);
    assert_eq!(bench.results("eval").method, "pictures");
}
