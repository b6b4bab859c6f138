//! The report of a run: one page of HTML that needs nothing else, neither a server nor the network.
//!
//! [`page()`] reads what runs left in the store (journal, records, artifacts, logs) and writes the page; [`serve()`] shows
//! the same page on this machine while a run goes on. Tables, pictures, charts and the graph are there without a script;
//! the script of the page (`assets/page.js`) sorts, copies and slides.
//!
//! What enters the page is text for it, wherever it comes from: templates escape, `markup` escapes, and the content
//! policy allows no script and no style but the page's own, by their digests, and no request at all.
//!
//! | module | what |
//! |---|---|
//! | `gather` | what a run left: nodes with their records, artifacts by type |
//! | `section` | one module for each part of the page: what it shows, ready for its template |
//! | `draw` | lines, bars, graph, time line as SVG; images as PNG |
//! | `detail` | how much is shown, so that the page stays small |
//! | `document` | the parts put together under their templates (`templates/`), the content policy |
//! | `live` | the page served on localhost |
//! | `markup`, `words` | text that is HTML already; numbers and moments for people |
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod detail;
mod document;
mod draw;
mod gather;
mod live;
mod markup;
mod section;
#[cfg(test)]
mod tests;
mod words;

pub use document::{DEFAULT_SIZE, Page, Sources, page};
pub use live::{Source, serve};
