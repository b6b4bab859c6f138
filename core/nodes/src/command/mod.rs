//! The kind `command`: a program of the user's, such as a script that draws a figure from tables.
//!
//! It runs in a new folder below the store that holds the files it declares and its inputs; only the outputs that it
//! declares are taken, and all of them must be there. Its environment is empty but for `PATH`, `HOME` and what `env` and
//! `pass` name, and `CUDA_VISIBLE_DEVICES` where its `resources` ask for graphics processors: those that are its alone. It
//! leads a process group of its own; group and folder go with the node, however the node ends.
//!
//! An output may be an artifact that other kinds take, such as a set: it is read before it is stored, so that a file that is none
//! stops the node that made it and not one that uses it.
//!
//! | what | where the program finds it |
//! |---|---|
//! | declared `files` | under their own names, relative to the current folder |
//! | input number n, a tree of files | folder `inputs/<n>`, from 0, in the order of the pipeline |
//! | input number n, anything else | file `inputs/<n>`, to be read only |
//!
//! The key holds the parameters, the bytes of the declared files, whether they are executable, and the inputs. What the
//! program reads besides (itself, its libraries, the network) is not in the key: declare what may change, or raise
//! `revision`.

mod gpus;
mod guard;
mod left;
mod node;
mod process;
mod word;
mod work;

pub use gpus::visible_gpus;
pub(crate) use node::CommandKind;
