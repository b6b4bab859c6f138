//! What can go wrong in a tensor operation.

use crate::{DType, Device};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, TensorError>;

/// Why an operation could not be done. Messages name the operation, every shape and the broken rule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// Shapes that do not fit the operation.
    #[error("{op}: shapes {} do not fit: {rule}", list(.shapes))]
    Shape {
        /// The operation.
        op: &'static str,
        /// The shapes of its tensors in order.
        shapes: Vec<Vec<usize>>,
        /// The rule that they break.
        rule: String,
    },
    /// A tensor that no machine holds.
    #[error("{op}: a tensor of shape {shape:?} has more than {most} elements")]
    Size {
        /// The operation.
        op: &'static str,
        /// The shape of its result.
        shape: Vec<usize>,
        /// The most elements that a tensor may have.
        most: usize,
    },
    /// A large tensor that the system has no memory for.
    #[error("{op}: there is no memory for the {bytes} bytes of a tensor of shape {shape:?}")]
    Memory {
        /// The operation.
        op: &'static str,
        /// The shape of its result.
        shape: Vec<usize>,
        /// The bytes of its elements.
        bytes: usize,
    },
    /// Number types that do not fit the operation.
    #[error("{op}: number types {dtypes:?} do not fit: {rule}")]
    DType {
        /// The operation.
        op: &'static str,
        /// The number types of its tensors in order.
        dtypes: Vec<DType>,
        /// The rule that they break.
        rule: &'static str,
    },
    /// Tensors of one operation on different devices.
    #[error("{op}: tensors lie on different devices, {first} and {second}; move one with to_device")]
    Devices {
        /// The operation.
        op: &'static str,
        /// Device of the first tensor.
        first: Device,
        /// The differing device.
        second: Device,
    },
    /// A device that failed, does not exist, or has too little memory.
    #[error("{op} on {device}: {message}")]
    Device {
        /// The operation.
        op: &'static str,
        /// The device.
        device: Device,
        /// What its backend says.
        message: String,
    },
    /// A value out of its range.
    #[error("{op}: {message}")]
    Value {
        /// The operation.
        op: &'static str,
        /// Which value, and the range allowed.
        message: String,
    },
    /// A matrix that is not positive definite.
    #[error(
        "{op}: the matrix [{size}, {size}] is not positive definite: pivot {pivot} of its Cholesky decomposition is {value:e}; add more to \
         its diagonal"
    )]
    NotPositiveDefinite {
        /// The operation.
        op: &'static str,
        /// Rows and columns.
        size: usize,
        /// The first row, from 0, whose pivot is not above 0.
        pivot: usize,
        /// The pivot, before the square root is taken.
        value: f64,
    },
    /// A gradient by a tensor that is not on the tape.
    #[error(
        "grad: input {index} of shape {shape:?} is not on the tape; make it with variable() before computing the outputs"
    )]
    NotOnTape {
        /// Position among the inputs.
        index: usize,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A number that is not finite, while a thread [watches](crate::watch).
    #[error("{op}: {message}")]
    NotFinite {
        /// The operation.
        op: &'static str,
        /// What was found.
        message: String,
    },
    /// Text that is not an augmentation policy.
    #[error("augmentation policy `{text}`: {message}")]
    Policy {
        /// The text.
        text: String,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// A fault of this crate.
    #[error("{op}: internal error, {message}; please report it")]
    Internal {
        /// The operation.
        op: &'static str,
        /// What was found.
        message: String,
    },
}

fn list(shapes: &[Vec<usize>]) -> String {
    shapes.iter().map(|shape| format!("{shape:?}")).collect::<Vec<_>>().join(" and ")
}

/// A shape error about one tensor.
pub(crate) fn shape_error<T>(op: &'static str, shapes: &[&[usize]], rule: impl Into<String>) -> Result<T> {
    Err(TensorError::Shape { op, shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), rule: rule.into() })
}

/// A value error.
pub(crate) fn value_error<T>(op: &'static str, message: impl Into<String>) -> Result<T> {
    Err(TensorError::Value { op, message: message.into() })
}
