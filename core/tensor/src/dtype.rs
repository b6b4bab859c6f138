//! Number types and devices.

use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// Single precision.
    F32,
    /// Double precision, on the CPU only; used for checks.
    F64,
    /// Integers: indices and labels, never on the tape.
    I64,
}

impl DType {
    /// Bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// Whether gradients exist for this type.
    #[must_use]
    pub fn is_float(self) -> bool {
        self != Self::I64
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I64 => "i64",
        })
    }
}
