//! Texts: where they stand, and what small ones mean.

pub(crate) mod quantity;
pub(crate) mod reference;
pub(crate) mod scalar;
pub(crate) mod source;
pub(crate) mod suggest;
pub(crate) mod text_error;
