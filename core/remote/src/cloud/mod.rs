//! Remotes on a network, S3 and HTTP servers: the only code with a runtime for asynchronous calls.
//!
//! | module | what |
//! |---|---|
//! | `address` | clients from addresses and variables |
//! | `failure` | from the many layers of the library's errors to one kind and one sentence |

mod address;
mod client;
mod failure;

pub(crate) use address::open;
