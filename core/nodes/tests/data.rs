//! Data sets from every source, damaged ones, and what is made of sets and results: through the library, as the runner
//! calls it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test: it panics on what is wrong"
)]

#[path = "data/archives.rs"]
mod archives;
#[path = "data/artifacts.rs"]
mod artifacts;
#[path = "data/bench.rs"]
mod bench;
#[path = "data/damaged.rs"]
mod damaged;
#[path = "data/download.rs"]
mod download;
#[path = "data/imports.rs"]
mod imports;
#[path = "data/make.rs"]
mod make;
#[path = "data/named.rs"]
mod named;
#[path = "data/parameters.rs"]
mod parameters;
#[path = "data/parts.rs"]
mod parts;
#[path = "data/products.rs"]
mod products;
#[path = "data/rank.rs"]
mod rank;
#[path = "data/sources.rs"]
mod sources;
