//! Results, scores and sets as people look at them: tables, charts, grids of images.
//!
//! | module | what |
//! |---|---|
//! | [`table`] | results side by side, as Markdown, CSV and JSON |
//! | [`figure`] | results as lines with error bars, scores as a histogram: SVG, PNG and CSV |
//! | [`score_histogram`] | whole scores with those that were never learned, as Markdown, CSV, JSON and SVG |
//! | [`images`] | sets as pixels, and many small pictures in one |
//! | `observe` | results by labels, for tables and charts |
//! | `drawing` | charts as SVG and PNG, with a font that is part of the program |
//!
//! Nothing is read or stored here: a function takes decoded artifacts and gives files.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod drawing;
pub mod figure;
pub mod images;
mod observe;
pub mod score_histogram;
pub mod table;

pub use drawing::png;
pub use observe::shown;
