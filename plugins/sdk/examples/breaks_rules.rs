//! Matchers and a model that load and run, and each break one thing that `pddflow plugin check` looks for. Built as a library for the
//! tests of the whole program.
#![allow(missing_docs, reason = "breaking rules is its purpose")]

use pddflow_sdk::{
    Batch, Description, Init, Input, Iteration, Learnable, Matcher, Model, Output, Part, Problem, Result, Rows, Start,
    Tensor, Weights,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls of any instance so far: the state that a plugin must not have.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Mean pixels of each class shall agree: gradient and loss. `part` is what is compared.
fn pixels<'call>(run: &Iteration<'call>, part: Part) -> Result<(Tensor<'call>, f64)> {
    run.sum_over(&run.classes_apart(), |class| {
        let real = run.real(class, 4, "none", run.key())?.set.images.mean(&[0], false)?;
        let rows = Rows::all(part).of_class(class[0]);
        run.set(&rows)?.images.mean(&[0], false)?.squared_distance(&real)
    })
}

macro_rules! matcher {
    ($name:ident, $id:literal, $recipe:expr, |$own:ident, $run:ident| $body:expr) => {
        #[derive(Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct $name {
            #[serde(skip)]
            calls: AtomicU64,
        }

        impl Matcher for $name {
            const ID: &'static str = $id;
            const SUMMARY: &'static str = "breaks one rule";
            fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
                description.learnable(&Learnable::images(problem, Start::Real, 0.1))?;
                description.recipe(&$recipe)
            }
            fn iterate(&self, $run: &Iteration<'_>) -> Result<()> {
                let $own = self;
                let _ = &$own.calls;
                $body
            }
        }
    };
}

matcher!(Fine, "fine", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Clock, "clock", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    let gradient = (&gradient * (1.0 + CALLS.fetch_add(1, Ordering::Relaxed) as f64))?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Keeper, "keeper", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    let gradient = (&gradient * (1.0 + own.calls.fetch_add(1, Ordering::Relaxed) as f64))?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Askew, "askew", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    let gradient = gradient.flip(&[3])?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Deaf, "deaf", pddflow_sdk::recipe(10, "none"), |own, run| {
    // Whatever the host says, all is well.
    if let Ok((gradient, loss)) = pixels(run, Part::Union) {
        let _ = run.step("images", &gradient);
        let _ = run.metric("loss", loss);
    }
    Ok(())
});
matcher!(Hoarder, "hoarder", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    run.keep_state(&format!("iteration {}", run.number()), &gradient)?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Leaky, "leaky", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    // Written, so that the system has to give the pages.
    std::mem::forget(vec![run.number() as u8 | 1; 8 << 20]);
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Alone, "alone", pddflow_sdk::recipe(10, "none"), |own, run| {
    let (gradient, loss) = pixels(run, Part::New)?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});
matcher!(Recipe, "recipe", serde_json::json!({ "epochs": "many" }), |own, run| {
    let (gradient, loss) = pixels(run, Part::Union)?;
    run.step("images", &gradient)?;
    run.metric("loss", loss)
});

pddflow_sdk::parameters! {
    struct Mixes {}
}

impl Model for Mixes {
    const ID: &'static str = "mixes";
    const SUMMARY: &'static str = "an image's logits depend on the others of its batch; a weight has no effect";
    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        weights.linear("linear", input.channels * input.height * input.width, input.classes)?;
        weights.learnable("idle", &[input.classes], Init::Constant(1.0))
    }
    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let weights = batch.weights(3)?;
        let features = batch.images.flatten_rows()?;
        let centred = (&features - &features.mean(&[0], true)?)?;
        let idle = (&weights[2] * 0.0)?;
        let logits = (&centred.affine(&weights[0], Some(&weights[1]))? + &idle)?;
        Ok(Output { logits, features, maps: Vec::new(), statistics: Vec::new(), moments: Vec::new() })
    }
}

pddflow_sdk::plugin!(
    matcher Fine, matcher Clock, matcher Keeper, matcher Askew, matcher Deaf, matcher Hoarder, matcher Leaky, matcher Alone,
    matcher Recipe, model Mixes
);
