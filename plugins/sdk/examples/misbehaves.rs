//! A plugin that misbehaves on request, as Rust code can: it panics. Built as a library for the tests of the host.
//!
//! The host must report the panic with its text and place, and must live.
#![allow(clippy::panic, missing_docs, reason = "misbehaving is its purpose")]

use pddflow_sdk::{Description, Error, Iteration, Learnable, Matcher, Problem, Result, Start};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Misbehaves {
    /// Where to panic or fail: `create`, `describe`, `iterate`, `destroy`, `error`, or nowhere.
    #[serde(default)]
    at: String,
}

impl Misbehaves {
    fn here(&self, place: &str) {
        assert!(self.at != place, "misbehaving in {place}");
    }
}

impl Drop for Misbehaves {
    fn drop(&mut self) {
        self.here("destroy");
    }
}

impl Matcher for Misbehaves {
    const ID: &'static str = "misbehaves";
    const SUMMARY: &'static str = "panics on request";

    fn check(&self) -> Result<()> {
        self.here("create");
        if self.at == "refuse" {
            return Err(Error::config("`at` is `refuse`, so it refuses"));
        }
        Ok(())
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        self.here("describe");
        description.learnable(&Learnable::images(problem, Start::Real, 1.0))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        self.here("iterate");
        if self.at == "error" {
            return Err(Error::new("an error of the plugin's own"));
        }
        // What it leaves behind must be gone after the call.
        let images = run.learnable("images")?;
        run.metric("live", run.call().live()? as f64)?;
        run.step("images", &images.detach()?)
    }
}

pddflow_sdk::plugin!(matcher Misbehaves);
