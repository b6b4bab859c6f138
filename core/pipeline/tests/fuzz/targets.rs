//! What of this crate reads what others wrote. Shared by the test `fuzz` and the example `fuzz_pipeline`.

use crate::world::World;
use pddflow_fuzz::{Target, corpus, text};
use pddflow_pipeline::Options;
use std::path::Path;

/// Pieces that the readers of YAML, of expressions and of references look at.
const WORDS: [&str; 76] = [
    "format: 1",
    "nodes:",
    "params:",
    "include:",
    "profiles:",
    "pools:",
    "plugins:",
    "for:",
    "exclude:",
    "when:",
    "needs:",
    "with:",
    "kind:",
    "retries:",
    "timeout:",
    "resources:",
    "priority:",
    "allow_failure:",
    "${",
    "}",
    "${k}",
    "$${",
    "[*]",
    "[..${k}]",
    "[k=1]",
    "..",
    "..=",
    "1..=3",
    "1..1",
    "{ if: true, then: data }",
    "{",
    "[",
    "]",
    "(",
    ")",
    ",",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    "#",
    "&a",
    "*a",
    "<<: *a",
    "!!str",
    "!x",
    "|",
    ">",
    "'",
    "\"",
    "\\",
    "---",
    "...",
    "~",
    "null",
    "true",
    ".nan",
    "1e999",
    "99999999999999999999",
    "-1",
    "0x1F",
    "if ",
    " then ",
    " else ",
    " and ",
    "not ",
    "**",
    "// 0",
    "% 0",
    "join([1], ',')",
    "min(",
    "é\u{feff}",
    "\r\n",
];

/// Pieces of the language of expressions.
const PARTS: [&str; 44] = [
    "1",
    "0",
    "2.5",
    "-",
    "+",
    "*",
    "/",
    "//",
    "%",
    "**",
    "(",
    ")",
    "[",
    "]",
    ",",
    "'a'",
    "\\\"b\\\"",
    "k",
    "n",
    "list",
    "map",
    "map.key",
    "list[0]",
    "nothing",
    "if ",
    " then ",
    " else ",
    " and ",
    " or ",
    "not ",
    " in ",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "min(",
    "max(",
    "len(",
    "str(",
    "int(",
    "join(",
    "9223372036854775807",
];

/// Whole files.
pub(crate) fn yaml() -> Target {
    let world = World::new();
    let swept = Options { set: vec!["stages=1,2".into()], profile: Some("smoke".into()) };
    Target {
        name: "yaml",
        corpus: corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")),
        make: Box::new(|chance, corpus| text::damaged(chance, corpus, &WORDS).into_bytes()),
        check: Box::new(move |input| {
            let text = String::from_utf8_lossy(input);
            let options = if input.len() % 8 == 0 { swept.clone() } else { Options::default() };
            world.check(&text, &options)
        }),
    }
}

/// Expressions alone, in a file that is right.
pub(crate) fn expressions() -> Target {
    let world = World::new();
    Target {
        name: "expressions",
        corpus: ["k + 1", "list[0]", "if k > n then map.key else 'a'"].map(Into::into).to_vec(),
        make: Box::new(|chance, _| text::words(chance, &PARTS, 14).into_bytes()),
        check: Box::new(move |input| world.check_expression(&String::from_utf8_lossy(input))),
    }
}
