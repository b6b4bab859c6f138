//! One run told to several.

use crate::Reporter;
use pddflow_runner::RunEvent;

/// A reporter that passes everything on to others, in their order.
#[must_use]
pub fn tee(reporters: Vec<Box<dyn Reporter>>) -> Box<dyn Reporter> {
    Box::new(Tee(reporters))
}

struct Tee(Vec<Box<dyn Reporter>>);

impl Reporter for Tee {
    fn event(&self, event: &RunEvent) {
        self.0.iter().for_each(|reporter| reporter.event(event));
    }

    fn note(&self, text: &str) {
        self.0.iter().for_each(|reporter| reporter.note(text));
    }

    fn finish(&self) {
        self.0.iter().for_each(|reporter| reporter.finish());
    }
}
