//! Tensors side by side in one run of bytes.

use pddflow_sdk::{DType, Result, Tensor};
use serde_json::{Value, json};

/// Tensors start at multiples of this: more than any element, and what vector instructions like.
const ALIGNMENT: usize = 64;

/// One tensor of a frame.
#[derive(Debug)]
struct Entry {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    at: usize,
    /// Rows of each tensor that it was put together of.
    rows: Vec<usize>,
}

/// Tensors with names, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Frame {
    /// Adds a tensor, detached; one of the same name as the last is appended to that along the first axis.
    pub(crate) fn append(&mut self, name: &str, tensor: &Tensor<'_>) -> Result<()> {
        let (dtype, shape) = (tensor.dtype()?, tensor.shape()?);
        let rows = shape.first().copied().unwrap_or(1);
        match self.entries.last_mut().filter(|last| last.name == name) {
            Some(last) => {
                last.shape[0] += rows;
                last.rows.push(rows);
            }
            None => self.enter(name, dtype, &shape, rows),
        }
        self.bytes.extend_from_slice(&tensor.to_bytes()?);
        Ok(())
    }

    /// Adds room for a tensor that the other side fills.
    pub(crate) fn reserve(&mut self, name: &str, dtype: DType, shape: &[usize]) {
        self.enter(name, dtype, shape, shape.first().copied().unwrap_or(1));
        self.bytes.resize(self.bytes.len() + shape.iter().product::<usize>() * dtype.bytes(), 0);
    }

    fn enter(&mut self, name: &str, dtype: DType, shape: &[usize], rows: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        let at = self.bytes.len();
        self.entries.push(Entry { name: name.to_owned(), dtype, shape: shape.to_vec(), at, rows: vec![rows] });
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the last tensor lies, and its length in bytes.
    pub(crate) fn last(&self) -> (u64, usize) {
        let at = self.entries.last().map_or(0, |last| last.at);
        (at as u64, self.bytes.len() - at)
    }

    /// Where each tensor is and what it is, for the other side.
    pub(crate) fn tensors(&self) -> Value {
        let kind = |dtype| match dtype {
            DType::F32 => "float32",
            DType::F64 => "float64",
            DType::I64 => "int64",
        };
        let one = |entry: &Entry| {
            json!({
                "name": entry.name, "dtype": kind(entry.dtype), "shape": entry.shape, "at": entry.at, "rows": entry.rows,
            })
        };
        self.entries.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_aligned_and_what_is_reserved_comes_last() {
        let mut frame = Frame::default();
        frame.reserve("a", DType::I64, &[3]);
        frame.reserve("b", DType::F32, &[2, 5]);
        assert_eq!(frame.last(), (64, 40));
        assert_eq!(frame.bytes().len(), 104);
        assert_eq!(frame.tensors()[1]["shape"], json!([2, 5]));
        assert_eq!(frame.tensors()[1]["at"], 64);
    }
}
