//! Inputs that are nearly pipelines: texts of a corpus, damaged and put together by chance. The same seed gives the same
//! inputs. Shared by the test `fuzz` and the program `examples/fuzz.rs`.

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

/// A small generator of numbers (xorshift64*), so that a run can be repeated from its seed.
pub(crate) struct Chance(u64);

impl Chance {
    /// From a seed; every seed gives another sequence.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// One input: a text of the corpus after one to eight changes.
pub(crate) fn input(chance: &mut Chance, corpus: &[String]) -> String {
    let mut text = corpus[chance.below(corpus.len())].clone();
    let most = chance.below(8);
    for _ in 0..=chance.below(most + 1) {
        text = change(chance, &text, corpus);
    }
    text
}

fn boundary(chance: &mut Chance, text: &str) -> usize {
    let mut at = chance.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn piece<'a>(chance: &mut Chance, text: &'a str, longest: usize) -> (usize, &'a str) {
    let start = boundary(chance, text);
    let mut end = (start + 1 + chance.below(longest)).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (start, &text[start..end.max(start)])
}

fn change(chance: &mut Chance, text: &str, corpus: &[String]) -> String {
    let at = boundary(chance, text);
    let word = WORDS[chance.below(WORDS.len())];
    match chance.below(8) {
        0 | 1 => format!("{}{word}{}", &text[..at], &text[at..]),
        2 => {
            let (start, cut) = piece(chance, text, 12);
            format!("{}{}", &text[..start], &text[start + cut.len()..])
        }
        3 => {
            let (start, cut) = piece(chance, text, 6);
            format!("{}{word}{}", &text[..start], &text[start + cut.len()..])
        }
        4 => {
            let (_, copied) = piece(chance, text, 200);
            format!("{}{copied}{}", &text[..at], &text[at..])
        }
        5 => {
            let other = &corpus[chance.below(corpus.len())];
            let (_, copied) = piece(chance, other, 400);
            format!("{}{copied}{}", &text[..at], &text[at..])
        }
        6 => {
            // Another character in place of one.
            let (start, cut) = piece(chance, text, 1);
            let character = char::from(32 + chance.below(95) as u8);
            format!("{}{character}{}", &text[..start], &text[start + cut.len()..])
        }
        _ => {
            // The line at this place, once more or gone.
            let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
            let end = text[at..].find('\n').map_or(text.len(), |found| at + found + 1);
            let line = if chance.below(2) == 0 { "" } else { &text[start..end] };
            format!("{}{line}{line}{}", &text[..start], &text[end..])
        }
    }
}

/// An input for expressions: pieces of the language one after the other.
pub(crate) fn expression(chance: &mut Chance) -> String {
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
    let mut text = String::new();
    for _ in 0..=chance.below(14) {
        text.push_str(PARTS[chance.below(PARTS.len())]);
    }
    text
}
