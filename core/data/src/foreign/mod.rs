//! Files that other programs made: arrays, and lists and dictionaries of them.
//!
//! | begins with | format | what it may hold |
//! |---|---|---|
//! | `PK`, with a `data.pkl` inside | `.pt` of `torch.save` | tensors, numbers, texts, in lists and dictionaries; nothing else is read, and nothing is run |
//! | `PK`, with `.npy` files inside | `.npz` | arrays of numbers and of texts, by name |
//! | `\x93NUMPY` | `.npy` | one of them |
//! | a length and a JSON header | safetensors | arrays of numbers by name |
//!
//! The format is told by the bytes, not by the name. A single file may have 8 GiB of numbers.

mod array;
mod files;
mod npy;
mod open;
mod pickle;
mod tree;

pub use array::{Array, Number};
pub use files::{GivenFiles, Pictures};
pub use open::{is_own, read};
pub use tree::Foreign;
