//! The kind `command`: a program of the user's, such as a script that draws a figure from tables.
//!
//! It runs in a fresh folder that holds the files it declares and its inputs; only the outputs that it declares are
//! taken, and all of them must be there. Its environment is empty but for `PATH`, `HOME` and what it declares. It is the
//! leader of a process group of its own, which ends with the node, however the node ends.
//!
//! | what | where the program finds it |
//! |---|---|
//! | declared `files` | under their own names, relative to the current folder |
//! | input number n, a tree of files | folder `inputs/<n>`, from 0, in the order of the pipeline |
//! | input number n, anything else | file `inputs/<n>` |
//!
//! The key holds the parameters, the bytes of the declared files and the inputs. What the program reads besides (itself,
//! its libraries, the network) is not in the key: declare what may change, or raise `revision`.

mod node;
mod process;
mod word;

pub(crate) use node::CommandKind;
