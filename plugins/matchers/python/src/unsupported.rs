//! The process where the system has no Unix sockets: it cannot be started.

use crate::call::{Answer, Setup};
use crate::frame::Frame;
use pddflow_sdk::{Error, Iteration, Result};
use serde_json::Value;

#[derive(Debug, Default)]
pub(crate) struct Processes;

impl Processes {
    pub(crate) fn call(&self, _: &Iteration<'_>, _: &Setup<'_>, _: &Value, _: &Frame) -> Result<Answer> {
        Err(Error::new("matchers in Python need a system with Unix sockets"))
    }
}
