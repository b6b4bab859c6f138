//! Problems: collected, then shown.

pub(crate) mod problem;
pub(crate) mod shown;
