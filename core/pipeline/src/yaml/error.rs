//! What is said about a text that is not YAML, or more YAML than a pipeline may be.

use granit_parser::ScanError;

use crate::diagnostic::problem::Problem;
use crate::text::scalar::ScalarError;
use crate::text::source::Span;

/// Deepest nesting of mappings and lists, aliases included. Pipelines need less than ten levels.
pub(crate) const MAX_DEPTH: usize = 40;
pub(crate) const YAML_SYNTAX: &str = "pddflow::pipeline::yaml_syntax";

/// A syntax error of the parser; `before` is the text up to it.
pub(crate) fn scan(error: &ScanError, span: Span, before: &str) -> Problem {
    let message = error.info();
    if message.contains("recursion limit") {
        return *limit(span, format!("values are nested more than {MAX_DEPTH} levels deep"));
    }
    let problem = Problem::new(YAML_SYNTAX, span, message.clone()).help(help(&message));
    // The parser stops where it can go on no longer; the slip is often where a bracket or quote was opened.
    let unclosed = message.contains("':'") || message.contains("quoted");
    match last_open(before).filter(|_| unclosed) {
        Some(opened) => problem.other(Span::new(span.source, opened..opened + 1), "opened here and not closed"),
        None => problem,
    }
}

/// The last bracket or quote of a text that is not closed. Quotes count only where a value may begin.
fn last_open(text: &str) -> Option<usize> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut before = '\n';
    let mut comment = false;
    for (at, character) in text.char_indices() {
        let quote = open.last().map(|(_, opened)| *opened).filter(|opened| matches!(opened, '"' | '\''));
        match (character, quote) {
            _ if comment => comment = character != '\n',
            (_, Some(quote)) if character == quote => drop(open.pop()),
            (_, Some(_)) => {}
            ('#', None) if before.is_whitespace() => comment = true,
            ('"' | '\'', None) if before.is_whitespace() || "[{,".contains(before) => open.push((at, character)),
            ('[' | '{', None) => open.push((at, character)),
            (']' | '}', None) => drop(open.pop()),
            _ => {}
        }
        before = character;
    }
    open.last().map(|(at, _)| *at)
}

pub(crate) fn limit(place: Span, message: String) -> Box<Problem> {
    Box::new(
        Problem::new("pddflow::pipeline::yaml_limit", place, message)
            .help("use `for` families instead of repeated aliases, and flatter parameters"),
    )
}

pub(crate) fn tag(place: Span) -> Box<Problem> {
    Box::new(
        Problem::new(YAML_SYNTAX, place, "the value has a YAML tag")
            .help("remove the word that begins with `!`; the type of a value follows from how it is written"),
    )
}

pub(crate) fn scalar(error: ScalarError, text: &str, place: Span) -> Box<Problem> {
    let (message, help) = match error {
        ScalarError::NotFinite => (
            format!("`{text}` is not a finite number"),
            "leave the parameter out or quote the value if you mean a string",
        ),
        ScalarError::IntegerTooLarge => {
            (format!("the integer {text} does not fit into 64 bits"), "quote the value if you mean a string")
        }
    };
    Box::new(Problem::new("pddflow::pipeline::invalid_number", place, message).help(help))
}

/// What to do about a syntax error, by the words of the parser.
fn help(message: &str) -> &'static str {
    const HELPS: [(&str, &str); 7] = [
        ("tab", "indent with spaces; YAML forbids tabs there"),
        ("',' or", "inside `{ }` and `[ ]`, quote a value that contains brackets or commas: \"distill[3]\""),
        ("unclosed", "add the closing bracket"),
        ("quoted", "close the quotes on the same line"),
        ("mapping values", "quote a value that contains `: `, or indent the key like its neighbours"),
        ("unexpected character", "quote the value"),
        ("anchor", "write `&name` before the value that `*name` repeats"),
    ];
    let found = HELPS.iter().find(|(words, _)| message.contains(words));
    found.map_or("check indentation, quotes and colons around this place", |(_, help)| help)
}
