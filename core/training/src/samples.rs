//! Images with labels to train on.

use pddflow_host::Labels;
use pddflow_tensor::{Tensor, TensorError};

/// Images and their labels, row by row.
#[derive(Clone, Debug)]
pub struct Samples {
    /// `[row, channel, height, width]`.
    pub images: Tensor,
    /// One for each row.
    pub labels: Labels,
}

impl Samples {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.images.shape().first().copied().unwrap_or(0)
    }

    /// The named rows, in that order.
    pub fn take(&self, rows: &[usize]) -> Result<Self, TensorError> {
        let rows = row_tensor(rows, &self.images)?;
        Ok(Self { images: self.images.gather(0, &rows)?, labels: take_labels(&self.labels, &rows)? })
    }
}

/// The labels of the named rows (I64 `[row]`).
pub(crate) fn take_labels(labels: &Labels, rows: &Tensor) -> Result<Labels, TensorError> {
    Ok(match labels {
        Labels::Hard(tensor) => Labels::Hard(tensor.gather(0, rows)?),
        Labels::Soft(tensor) => Labels::Soft(tensor.gather(0, rows)?),
    })
}

/// Row numbers as an index tensor on the device of `like`.
pub(crate) fn row_tensor(rows: &[usize], like: &Tensor) -> Result<Tensor, TensorError> {
    #[expect(clippy::cast_possible_wrap, reason = "row numbers of a tensor fit in i64")]
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let count = rows.len();
    Tensor::from_i64(rows, &[count], &like.device())
}
