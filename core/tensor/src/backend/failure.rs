//! A fault of this crate.

use crate::error::{Result, TensorError};

pub(super) fn internal<T>(op: &'static str, message: impl Into<String>) -> Result<T> {
    Err(TensorError::Internal { op, message: message.into() })
}
