//! A matcher that is linked into its test: iterations without a pipeline, and errors with the line of the author's that asked for what
//! was refused, or that made the first number that is not finite.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use pddflow_plugin_test::{
    Bench, Decoded, Device, Labels, Matcher, Optimizer, Plugins, RandomKey, Tensor, TrainSpec, json, noise, this_plugin,
};
use pddflow_sdk::Matcher as _;
use pddflow_sdk::{
    Conv2d, Decoded as MadeImages, Description, Error, Iteration, Keep, Key, Kind, Learnable, Learnables, Mode, Need,
    Net, Part, Problem, Result, Rows, Start, TrainOn, Training, grad,
};
use std::sync::Arc;

pddflow_sdk::parameters! {
    /// Mean features agree, and what can go wrong on the way.
    struct Mean {
        /// Learning rate.
        #[schemars(range(min = 0.0))]
        lr: f64 = 0.1,
        /// What goes wrong.
        wrong: String = String::new(),
    }
}

impl pddflow_sdk::Matcher for Mean {
    const ID: &'static str = "mean";
    const SUMMARY: &'static str = "mean features agree";

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Model)?;
        description.learnable(&Learnable::images(problem, Start::Real, self.lr).with_momentum(0.5))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let weights = run.start_weights(run.key().fold("net")?)?;
        let (gradient, loss) = run.sum_over(&run.classes_apart(), |class| {
            let real = run.real(class, 4, "none", run.key())?;
            let ours = run.synthetic(class, None, "none", run.key())?;
            let [real, ours] = [&real, &ours].map(|batch| {
                run.forward(&weights, &batch.set.images, Mode::Train, run.key())?.features.mean(&[0], false)
            });
            let loss = ours?.squared_distance(&real?)?;
            match self.wrong.as_str() {
                "shapes" => loss.matmul(&weights[0]),                            // shapes
                "sum" => &weights[0] + &weights[2],                              // sum
                "class" => Ok(run.real(&[7], 4, "none", run.key())?.set.images), // class
                "nan" => (&loss.negated()? - 1.0)?.log(),                        // nan
                "infinite" => (&loss * 1e300)?.exp(),                            // infinite
                "slope" => (&loss * 0.0)?.sqrt(),                                // slope
                _ => Ok(loss),
            }
        })?;
        match self.wrong.as_str() {
            "gradient" => run.step("images", &run.learnable("images")?.mean(&[0], false)?)?, // gradient
            "name" => run.step("pictures", &gradient)?,                                      // name
            "own" => return Err(Error::new("this is its own error")),
            _ => run.step("images", &gradient)?,
        }
        if self.wrong == "late" {
            let root = gradient.negated()?.abs()?.negated()?.sqrt()?; // late
            run.step("images", &root)?;
        }
        if self.wrong == "fixed" {
            let drawn = Key::fixed(run.call(), [1, 2, 3, 4]).uniform(&[1])?;
            run.metric("drawn", drawn.to_f64_vec()?[0])?;
        }
        if self.wrong == "trains" {
            let mut net = Net::new(weights);
            run.train(
                &mut net,
                &TrainOn::Real(12),
                &Training { epochs: 20, lr: 0.5, ..Training::default() },
                run.key(),
            )?;
            let all = run.real_batch(None, 12, run.key())?;
            let logits = run.forward(&net.weights, &all.images, Mode::Train, run.key())?.logits;
            run.metric("trained", logits.cross_entropy(&all.labels)?.scalar()?)?;
        }
        run.metric("loss", loss)
    }
}

pddflow_sdk::parameters! {
    /// Images are latents times a matrix that is wired.
    struct Latent {
        /// What goes wrong.
        wrong: String = String::new(),
    }
}

impl pddflow_sdk::Matcher for Latent {
    const ID: &'static str = "latent";
    const SUMMARY: &'static str = "images of latents";
    const DECODES: bool = true;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Model)?;
        let Some(tensors) = description.input("a matrix")? else { return Ok(()) };
        if self.wrong == "twice" {
            description.input("a matrix")?;
        }
        let matrix = tensors.get(if self.wrong == "name" { "vector" } else { "matrix" })?;
        let values = problem.channels * problem.height * problem.width;
        let latents = description.key()?.fold("latents")?.normal(&[problem.classes * problem.ipc, values])?;
        let learned = Learnable::new(Kind::Images, "latents", &latents.shape()?, Start::Given, 0.1);
        description.learnable_from(&learned, &latents)?;
        let constant = Learnable::new(Kind::Other, "matrix", &matrix.shape()?, Start::Given, 0.0);
        description.learnable_from(&constant, matrix)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<MadeImages<'call>> {
        let images = learnables.get("latents")?.matmul(learnables.get("matrix")?)?.reshape(&problem.images())?;
        let labels = problem.labels();
        let labels = pddflow_sdk::Tensor::from_i64(learnables.call(), &labels, &[labels.len()])?;
        Ok(MadeImages { images, labels })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let images = run.set(&Rows::all(Part::New))?.images;
        let loss = images.square()?.mean(&[], false)?;
        let latents = [run.learnable("latents")?];
        run.step("latents", &grad(&loss, &latents, Keep::No)?[0])?;
        run.metric("drawn", run.node_key()?.fold("latents")?.normal(&[1])?.to_f64_vec()?[0])?;
        run.metric("loss", loss.detach()?.scalar()?)
    }
}

pddflow_sdk::parameters! {
    /// Uses what hosts have since 0.8, and reports what it sees.
    struct Recent {
        /// What goes wrong.
        wrong: String = String::new(),
    }
}

impl Recent {
    /// Differences that must be 0.
    fn differences<'call>(&self, run: &Iteration<'call>) -> Result<Vec<pddflow_sdk::Tensor<'call>>> {
        let images = run.learnable("images")?;
        let (sorted, places) = images.flatten_rows()?.sort(1, true)?;
        let turned = images.flatten_rows()?.negated()?.sort(1, false)?.0.negated()?;
        // Each row in two halves, by its columns, then the same by one kernel for each channel of a pair.
        let pair = pddflow_sdk::Tensor::concat(&[images.clone(), images.flip(&[3])?], 1)?;
        let kernel = images.slice(0, 0, 2, 1)?.slice(2, 0, 3, 1)?.slice(3, 0, 3, 1)?;
        let how = Conv2d { padding: 2, dilation: 2, groups: 2, ..Conv2d::default() };
        let grouped = pair.conv2d_grouped(&kernel, None, how)?;
        let seed = grouped.sin()?;
        let back = seed.conv_transpose2d(&kernel, None, how)?;
        let by_pair = pddflow_sdk::gradients(&[grouped], Some(&[seed]), &[pair], Keep::No)?;
        // The positions of the pixels themselves, mirrored.
        let at = |place: usize| (2 * place + 1) as f64 / 8.0 - 1.0;
        let grid: Vec<f64> = (0..64).flat_map(|pixel| [-at(pixel % 8), at(pixel / 8)]).collect();
        let grid = pddflow_sdk::Tensor::from_f64(run.call(), &grid, &[1, 8, 8, 2])?;
        let batch = run.real_batch(Some(1), 3, run.key())?;
        let chosen = run.choose_rows(Some(1), 3, run.key())?;
        let again = [run.real_rows(&chosen)?, run.real_rows(&chosen)?];
        Ok(vec![
            (&sorted - &turned)?,
            (&sorted - &images.flatten_rows()?.take_along(1, &places)?)?,
            (&back - &by_pair[0])?,
            (&images.grid_sample(&grid)? - &images.flip(&[3])?)?,
            (&again[0].images - &again[1].images)?,
            (&batch.labels.one_hot(3)? - &again[0].labels.one_hot(3)?)?,
        ])
    }
}

impl pddflow_sdk::Matcher for Recent {
    const ID: &'static str = "recent";
    const SUMMARY: &'static str = "what hosts have since 0.8";

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Model)?;
        description.learnable(&Learnable::images(problem, Start::Real, 0.1))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let images = run.learnable("images")?;
        let by = |optimizer| Training { optimizer, momentum: 0.9, ..Training::default() };
        match self.wrong.as_str() {
            "count" => images.top_k(3, 9, true).map(drop)?,
            "groups" => drop(images.conv2d_grouped(&images, None, Conv2d { groups: 2, ..Conv2d::default() })?),
            "momentum" => {
                let mut net = Net::new(run.start_weights(run.key())?);
                let how = Training { momentum: 1.0, ..by(Optimizer::Adam) };
                run.train(&mut net, &TrainOn::Real(4), &how, run.key())?;
            }
            _ => {}
        }
        for difference in self.differences(run)? {
            let largest = difference.detach()?.abs()?.max(&[], false)?.scalar()?;
            if largest > 1e-12 {
                return Err(Error::new(format!("a difference of {largest}")));
            }
        }
        let mut net = Net::new(run.start_weights(run.key())?);
        for optimizer in [Optimizer::AdamW, Optimizer::AdamW] {
            run.train(&mut net, &TrainOn::Real(4), &by(optimizer), run.key())?;
        }
        run.metric("buffers", net.buffers.len() as f64)?;
        // The gradient of the largest element of each row.
        let largest = images.flatten_rows()?.top_k(1, 1, true)?.0.sum(&[], false)?;
        run.metric("taken", grad(&largest, &[images], Keep::No)?[0].sum(&[], false)?.scalar()?)
    }
}

pddflow_sdk::parameters! {
    /// Goes through all models, nested, and reports how many numbers the first weight of each has.
    struct Several {
        /// What goes wrong.
        wrong: String = String::new(),
    }
}

impl pddflow_sdk::Matcher for Several {
    const ID: &'static str = "several";
    const SUMMARY: &'static str = "sees all models";

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Models)?;
        description.learnable(&Learnable::images(problem, Start::Real, 0.1))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let size = |run: &Iteration<'_>| Ok(run.weights()?[0].shape.iter().product::<usize>() as f64);
        let images = run.learnable("images")?;
        let widths: Vec<usize> = (0..run.models()?)
            .map(|model| {
                run.with_model(model, |run| {
                    let weights = run.start_weights(run.key())?;
                    Ok(run.forward(&weights, &images, Mode::Train, run.key())?.features.shape()?[1])
                })
            })
            .collect::<Result<_>>()?;
        for (model, width) in widths.iter().enumerate() {
            run.metric(&format!("width {model}"), *width as f64)?;
        }
        run.metric("turn", run.in_turn(size)?)?;
        let first = size(run)?;
        run.with_model(1, |run| {
            let own = size(run)?;
            let failed = run.with_model(0, |run| {
                run.metric("inner", size(run)?)?;
                if self.wrong == "weights" {
                    let of_another = run.with_model(1, |run| run.start_weights(run.key()))?;
                    run.forward(&of_another, &images, Mode::Train, run.key())?; // weights
                }
                Err::<(), _>(Error::new("as planned"))
            });
            if self.wrong == "weights" {
                failed?;
            }
            assert_eq!(size(run)?, own, "a closure that failed left its model behind");
            run.metric("outer", own)
        })?;
        assert_eq!(size(run)?, first, "the first model is not the one that is chosen");
        if self.wrong == "beyond" {
            run.with_model(7, size)?; // beyond
        }
        Ok(())
    }
}

pddflow_sdk::plugin!(matcher Mean, matcher Latent, matcher Recent, matcher Several);

#[test]
fn a_matcher_works_with_several_models() {
    let matcher = |wrong: &str| Plugins::linked(this_plugin!()).matcher("several", &json!({ "wrong": wrong }));
    let described = matcher("").describe(&Bench::small_problem()).unwrap();
    assert!(described.model_required && described.needs == [pddflow_plugin_test::Need::Models]);
    let mut bench = Bench::small(&matcher("")).and_small_net(5).and_small_net(3);
    let metrics: Vec<_> = (0..4).map(|iteration| bench.iterate(&matcher(""), iteration).unwrap()).collect();
    let of = |metrics: &std::collections::BTreeMap<String, f64>, names: &[&str]| -> Vec<f64> {
        names.iter().map(|name| metrics[*name]).collect()
    };
    assert_eq!(of(&metrics[0], &["width 0", "width 1", "width 2"]), [8.0, 5.0, 3.0]);
    assert_eq!(of(&metrics[0], &["inner", "outer"]), [8.0 * 64.0, 5.0 * 64.0]);
    let turns: Vec<f64> = metrics.iter().map(|one| one["turn"] / 64.0).collect();
    assert_eq!(turns, [8.0, 5.0, 3.0, 8.0]);
    assert_eq!(bench.forwards_of.into_iter().collect::<Vec<_>>(), [(0, 4), (1, 4), (2, 4)]);
    for (wrong, why) in [
        ("beyond", "there is no model 7: the node has 2"),
        ("weights", "weight `hidden.weight` has shape [8, 64], but the one given has [5, 64]"),
    ] {
        let mut bench = Bench::small(&matcher(wrong)).and_small_net(5);
        let text = bench.iterate(&matcher(wrong), 0).unwrap_err().to_string();
        assert!(text.contains(why) && text.contains(&line_of(wrong)), "{wrong}: {text}");
        // Whatever a failed call chose, the next one begins with the first.
        assert_eq!(bench.iterate(&matcher(""), 0).unwrap()["inner"], 8.0 * 64.0, "{wrong}");
    }
}

#[test]
fn a_matcher_uses_what_hosts_have_since_0_8() {
    let matcher = Plugins::linked(this_plugin!()).matcher("recent", &json!({}));
    let mut bench = Bench::small(&matcher);
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    bench.train = Some(Box::new(move |net, spec: &TrainSpec| {
        told.lock().unwrap().push((spec.optimizer, net.momentum.as_ref().map(Vec::len)));
        let twice = net.weights.iter().flat_map(|weight| [weight.clone(), weight.clone()]);
        let steps = Tensor::from_i64(vec![1], &[1], &Device::Cpu).unwrap();
        net.momentum = Some(twice.chain([steps]).collect());
    }));
    let weights = bench.specs.len();
    let metrics = bench.iterate(&matcher, 0).unwrap();
    let buffers = 2 * weights + 1;
    assert_eq!(*seen.lock().unwrap(), [(Optimizer::AdamW, None), (Optimizer::AdamW, Some(buffers))]);
    assert_eq!((metrics["buffers"], metrics["taken"]), (buffers as f64, 6.0));
    for (wrong, why) in [
        ("count", "axis 3 has 8 elements, not 9"),
        ("groups", "2 groups must divide the 1 channels"),
        ("momentum", "momentum 1 of Adam must be"),
    ] {
        let matcher = Plugins::linked(this_plugin!()).matcher("recent", &json!({ "wrong": wrong }));
        let text = Bench::small(&matcher).iterate(&matcher, 0).unwrap_err().to_string();
        assert!(text.contains(why), "{wrong}: {text}");
    }
}

/// Twice the identity, for the small task.
fn matrix() -> Vec<(String, Tensor)> {
    let values = (0..64 * 64).map(|at| if at % 65 == 0 { 2.0 } else { 0.0 }).collect();
    vec![("matrix".to_owned(), Tensor::from_f64(values, &[64, 64], &Device::Cpu).unwrap())]
}

#[test]
fn a_matcher_works_from_tensors_that_are_wired() {
    let matcher = Plugins::linked(this_plugin!()).matcher("latent", &json!({}));
    let before = matcher.describe(&Bench::small_problem()).unwrap();
    assert_eq!((before.input.as_deref(), before.learnables.len()), (Some("a matrix"), 0));
    let mut bench = Bench::small_with(&matcher, matrix());
    let first = bench.value("latents").to_f64_vec().unwrap();
    let metrics = bench.iterate(&matcher, 0).unwrap();
    let mean = first.iter().map(|value| 4.0 * value * value).sum::<f64>() / first.len() as f64;
    assert!((metrics["loss"] - mean).abs() < 1e-12, "{metrics:?} {mean}");
    assert_eq!(metrics["drawn"], first[0], "the node's key is one in `describe` and in `iterate`");
    assert_eq!(bench.value("matrix").to_f64_vec().unwrap(), matrix()[0].1.to_f64_vec().unwrap());
    let decoded = matcher.decode(&bench.learnables, &bench.problem).unwrap().images.to_f64_vec().unwrap();
    let latents = bench.value("latents").to_f64_vec().unwrap();
    assert_eq!(decoded, latents.iter().map(|value| 2.0 * value).collect::<Vec<_>>());
}

#[test]
fn what_is_wrong_with_wired_tensors_is_told() {
    let error = |wrong: &str| {
        let matcher = Plugins::linked(this_plugin!()).matcher("latent", &json!({ "wrong": wrong }));
        matcher.describe_with(&Bench::small_problem(), &matrix()).unwrap_err().to_string()
    };
    assert!(error("name").contains("the wired tensors have no `vector`: there are `matrix`"), "{}", error("name"));
    assert!(error("twice").contains("was declared before"), "{}", error("twice"));
}

fn matcher(wrong: &str) -> Arc<Matcher> {
    Plugins::linked(this_plugin!()).matcher("mean", &json!({ "wrong": wrong }))
}

/// `at <this file>:<line>` of the line that ends with this comment.
fn line_of(comment: &str) -> String {
    let lines = include_str!("linked.rs").lines();
    let found = lines.enumerate().find(|(_, line)| line.ends_with(&format!("// {comment}")));
    format!("plugin-test/tests/linked.rs:{}:", found.unwrap().0 + 1)
}

fn error(wrong: &str) -> String {
    Bench::small(&matcher(wrong)).iterate(&matcher(wrong), 0).unwrap_err().to_string()
}

#[test]
fn the_loss_falls_and_the_same_seed_gives_the_same() {
    let losses = || {
        let matcher = matcher("");
        let mut bench = Bench::small(&matcher);
        let losses: Vec<f64> = (0..20).map(|at| bench.iterate(&matcher, at).unwrap()["loss"]).collect();
        assert_eq!((bench.steps.len(), bench.value("images").shape()), (20, &[6, 1, 8, 8][..]));
        losses
    };
    let first = losses();
    assert!(first[19] < 0.5 * first[0], "{first:?}");
    assert_eq!(first, losses());
}

#[test]
fn earlier_sets_are_seen() {
    let loss = |earlier: bool| {
        let matcher = matcher("");
        let mut bench = Bench::small(&matcher);
        bench.previous = earlier.then(|| Decoded {
            images: noise(&[3, 1, 8, 8], RandomKey::new(4), 1.0, &Device::Cpu),
            labels: Labels::Hard(Tensor::from_i64(vec![0, 1, 2], &[3], &Device::Cpu).unwrap()),
        });
        bench.iterate(&matcher, 0).unwrap()["loss"]
    };
    assert_ne!(loss(false), loss(true));
}

#[test]
fn a_net_is_trained_without_a_trainer() {
    let metrics = Bench::small(&matcher("trains")).iterate(&matcher("trains"), 0).unwrap();
    assert!(metrics["trained"] < 0.9, "no better than guessing among three classes: {metrics:?}");
}

#[test]
fn a_fixed_key_gives_the_same_in_every_iteration() {
    let matcher = matcher("fixed");
    let mut bench = Bench::small(&matcher);
    let drawn = [0, 1].map(|at| bench.iterate(&matcher, at).unwrap()["drawn"]);
    assert_eq!(drawn[0], drawn[1]);
    assert!(drawn[0] > 0.0 && drawn[0] < 1.0);
}

#[test]
fn what_the_host_refuses_has_the_author_s_line() {
    for (wrong, why) in [
        ("shapes", "matmul"),
        ("sum", "shapes"),
        ("class", "class 7 is not one of the 3"),
        ("gradient", "the gradient of `images` has shape [1, 8, 8]"),
        ("name", "`pictures`"),
    ] {
        let text = error(wrong);
        assert!(text.contains(why) && text.contains(&format!("; at {}", place(&text, wrong))), "{wrong}: {text}");
    }
    let own = error("own");
    assert!(own.ends_with("this is its own error"), "{own}");
}

/// The place that an error must name, as the compiler writes the path of this file.
fn place(text: &str, wrong: &str) -> String {
    let wanted = line_of(wrong);
    let start = text.find("; at ").map_or("", |at| &text[at + 5..]);
    let folder = start.find("plugin-test/tests").map_or("", |end| &start[..end]);
    format!("{folder}{wanted}")
}

#[test]
fn a_number_that_is_not_finite_is_told_with_the_operation_that_made_the_first() {
    for (wrong, operation) in [
        ("nan", "log: the result holds NaN"),
        ("infinite", "exp: the result holds a number that is not finite"),
        ("late", "sqrt: the result holds NaN"),
    ] {
        let text = error(wrong);
        assert!(text.contains("not finite"), "{wrong}: {text}");
        let first = text.split_once("; the first of it: ").map_or("", |(_, first)| first);
        assert!(first.contains(operation) && first.contains(&line_of(wrong)), "{wrong}: {text}");
    }
    // Of a gradient the operation is told whose gradient it is.
    let text = error("slope");
    assert!(text.contains("; the first of it: grad.gradient") && text.contains("in the gradient of `sqrt`"), "{text}");
}

#[test]
fn a_cancelled_iteration_ends() {
    let mut bench = Bench::small(&matcher(""));
    bench.cancelled = true;
    assert!(bench.iterate(&matcher(""), 0).unwrap_err().is_cancelled());
}

#[test]
fn parameters_are_judged_as_a_run_does() {
    let plugins = Plugins::linked(this_plugin!());
    let refused = plugins.registry().matcher("mean", &json!({ "lr": -1 })).unwrap_err().to_string();
    assert!(refused.contains("-1 is less than the minimum"), "{refused}");
    let unknown = plugins.registry().matcher("mena", &json!({})).unwrap_err();
    assert!(unknown.help().unwrap().contains("mean"), "{unknown}");
}
