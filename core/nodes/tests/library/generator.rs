//! A generator, and the matchers that work from it.

use crate::harness::Bench;
use pddflow_artifact::{DistilledSet, NamedTensors};

/// Two matchers over one generator, the second stage of the first, and nets on all.
fn pipeline(generator: &str) -> String {
    format!(
        r#"
format: 1
name: latents
params:
  model: {{ convnet: {{ width: 4 }} }}
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  generator:
    kind: generator
    needs: {{ data: data }}
    with: {{ latent: 8, width: 8, epochs: 3, batch: 50, {generator} }}
  glad:
    for: {{ k: [1, 2] }}
    kind: distill
    needs: {{ data: data, tensors: generator, previous: "glad[..${{k}}]" }}
    with: {{ ipc: 2, iterations: 3, model: "${{model}}", matcher: {{ glad: {{ batch: 16, augment: none, lr: 0.1 }} }} }}
  maps:
    kind: distill
    needs: {{ data: data, tensors: generator }}
    with: {{ ipc: 1, iterations: 2, model: "${{model}}", matcher: {{ glad: {{ base: dc, layer: 2, batch: 16, augment: none }} }} }}
  itgan:
    kind: distill
    needs: {{ data: data, tensors: generator, previous: "glad[1]" }}
    with: {{ ipc: 5, iterations: 2, model: "${{model}}", matcher: {{ itgan: {{ batch: 3, real_batch: 16, augment: none, lr: 1 }} }} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: "glad[*]" }}
    with: {{ model: "${{model}}", nets: 1, epochs: 2 }}
"#
    )
}

#[test]
fn latents_are_learned_and_evaluated_and_the_generator_is_a_part_of_the_key() {
    let bench = Bench::new();
    bench.run(&pipeline("seed: 0")).unwrap();
    let tensors = NamedTensors::decode(&bench.artifact("generator.tensors")).unwrap();
    let names: Vec<&str> = tensors.tensors.keys().map(String::as_str).collect();
    let layers = ["classes", "conv0.bias", "conv0.weight", "conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight"];
    assert_eq!(names, [&layers[..], &["dense.bias", "dense.weight", "latent_counts", "latents"]].concat());
    assert_eq!(tensors.tensors["dense.weight"].shape(), [8 * 7 * 7, 8]);
    let counts: i64 = tensors.tensors["latent_counts"].to_i64_vec().unwrap().iter().sum();
    assert_eq!(tensors.tensors["latents"].shape(), [usize::try_from(counts).unwrap(), 8]);
    // Images have variance 1: what stands for all of them by their mean has an error of about that.
    let error = bench.final_metrics("generator")["reconstruction_error"];
    assert!(error > 0.0 && error < 0.7, "{error}");
    let losses = bench.metric_values("generator", "loss");
    assert!(losses.len() == 3 && losses[2] < losses[0], "{losses:?}");
    assert_eq!(bench.files("generator.samples").iter().map(|(name, _)| name).collect::<Vec<_>>(), ["samples.png"]);

    let set = |name: &str| DistilledSet::decode(&bench.artifact(name)).unwrap();
    let glad = set("glad[1].set");
    assert_eq!((glad.images.shape(), glad.learnables["latents"].shape()), (&[20, 1, 28, 28][..], &[20, 8][..]));
    assert_eq!(
        glad.learnables["conv2.weight"].to_f64_vec().unwrap(),
        tensors.tensors["conv2.weight"].to_f64_vec().unwrap()
    );
    // What the second convolution receives is not enlarged yet.
    assert_eq!(set("maps.set").learnables["latents"].shape(), [10, 8, 7, 7]);
    assert!(!set("maps.set").learnables.contains_key("dense.weight"));
    assert_eq!(set("itgan.set").images.shape(), [50, 1, 28, 28]);
    for node in ["glad[1]", "maps", "itgan"] {
        assert!(bench.metric_values(node, "gradient_norm_latents").iter().all(|norm| *norm > 0.0), "{node}");
    }
    assert_eq!(bench.warnings(), [""; 0]);

    bench.run(&pipeline("seed: 1")).unwrap();
    assert!(bench.started().contains(&"glad[1]".to_owned()), "{:?}", bench.started());
}

#[test]
fn a_generator_that_was_stopped_ends_as_an_unbroken_one_at_any_number_of_threads() {
    let text = pipeline("seed: 0");
    let text = &text[..text.find("  glad:").unwrap()];
    let unbroken = Bench::new();
    unbroken.run(text).unwrap();
    for checkpoint in [1, 2] {
        let bench = Bench::new();
        assert!(bench.run_until(text, checkpoint), "there is no checkpoint {checkpoint}");
        assert!(bench.digests().len() < unbroken.digests().len(), "it was not stopped at {checkpoint}");
        bench.run(text).unwrap();
        assert_eq!(bench.digests(), unbroken.digests(), "stopped at checkpoint {checkpoint}");
    }
    assert_eq!(Bench::new().run_with_threads(text, 1), Bench::new().run_with_threads(text, 3));
}

#[test]
fn what_is_not_wired_or_of_no_use_is_found_before_anything_runs() {
    let text = pipeline("seed: 0");
    let missing = Bench::new()
        .problems(&text.replace("tensors: generator, previous: \"glad[..${k}]\"", "previous: \"glad[..${k}]\""));
    assert!(missing.contains("matcher `glad` works from a generator, and this node is given none"), "{missing}");
    assert!(missing.contains("of the kind `generator`, into `tensors`"), "{missing}");
    let useless = Bench::new().problems(&text.replace("glad: { batch: 16, augment: none, lr: 0.1 }", "dm: {}"));
    assert!(useless.contains("matcher `dm` takes no tensors"), "{useless}");
    let unknown = Bench::new().problems(&text.replace("tensors: generator,", "decoder: generator,"));
    assert!(unknown.contains("decoder") && unknown.contains("`tensors`"), "{unknown}");
    let range = Bench::new().problems(&pipeline("lr: 0"));
    assert!(range.contains("`lr` must be greater than 0"), "{range}");
}

#[test]
fn a_generator_of_other_data_or_with_other_layers_is_refused() {
    let failure = |from: &str, to: &str| {
        let text = pipeline("seed: 0").replace(from, to);
        let failure = Bench::new().run(&text).unwrap_err();
        format!("{} {} {}", failure.code, failure.message, failure.help.unwrap_or_default())
    };
    let other = "  other: { kind: dataset, with: { source: fashion-mini, normalize: none } }\n  generator:\n    kind: generator\n    needs: { data: other }";
    let text = failure("  generator:\n    kind: generator\n    needs: { data: data }", other);
    assert!(
        text.contains("net_mismatch") && text.contains("the tensors of `generator` were trained under another"),
        "{text}"
    );
    let few = "  few: { kind: dataset, with: { source: fashion-mini, classes: [0, 1, 2] } }\n  generator:\n    kind: generator\n    needs: { data: few }";
    let text = failure("  generator:\n    kind: generator\n    needs: { data: data }", few);
    assert!(text.contains("3 classes that are not the 10 of this node's data"), "{text}");
    let fewer = "  part: { kind: dataset, with: { source: fashion-mini, train_per_class: 20 } }\n  generator:\n    kind: generator\n    needs: { data: part }";
    let text = failure("  generator:\n    kind: generator\n    needs: { data: data }", fewer);
    assert!(text.contains("latents of 20 images of class 0") && text.contains("train it on the same data"), "{text}");
    let text = failure("layer: 2", "layer: 9");
    assert!(text.contains("`layer` is 9, and the generator's last is 3"), "{text}");
    let text = failure("ipc: 5", "ipc: 90000");
    assert!(text.contains("90000"), "{text}");
}

#[test]
fn a_decoder_of_another_program_is_imported_and_latents_start_as_noise() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decoder.safetensors");
    let zeros = |count: usize| vec![0_u8; 4 * count];
    let tensor = |shape: &[usize]| (shape.to_vec(), zeros(shape.iter().product()));
    let all = [("classes", tensor(&[10, 4])), ("dense.weight", tensor(&[784, 4])), ("dense.bias", tensor(&[784]))];
    let views = all.iter().map(|(name, (shape, bytes))| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    fs_err::write(&file, safetensors::serialize(views, None).unwrap()).unwrap();
    let text = |init: &str| {
        format!(
            r#"
format: 1
name: imported
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  decoder: {{ kind: import, needs: {{ data: data }}, with: {{ from: {file:?}, as: tensors }} }}
  glad:
    kind: distill
    needs: {{ data: data, tensors: decoder }}
    with: {{ ipc: 1, iterations: 1, model: {{ convnet: {{ width: 4 }} }}, matcher: {{ glad: {{ batch: 8, augment: none, init: {init} }} }} }}
"#
        )
    };
    let bench = Bench::new();
    bench.run(&text("noise")).unwrap();
    let set = DistilledSet::decode(&bench.artifact("glad.set")).unwrap();
    assert!(set.images.to_f64_vec().unwrap().iter().all(|value| *value == 0.0));
    let latents = set.learnables["latents"].to_f64_vec().unwrap();
    assert!(latents.iter().any(|value| *value != 0.0));
    let failure = Bench::new().run(&text("real")).unwrap_err();
    assert!(failure.message.contains("`init: noise` needs none"), "{}", failure.message);
    fs_err::write(&file, b"no tensors").unwrap();
    let failure = Bench::new().run(&text("noise")).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.help.is_some()), ("pddflow::nodes::import_content", true));
}
