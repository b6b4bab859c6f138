//! Rust source as the checks need it: which lines are code, where functions begin and end.
//!
//! Not a parser: comments and literals are blanked out, then braces are counted. That is enough for sources that
//! rustfmt has seen, and it keeps a parser out of the dependencies.

/// One function of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// First line, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace.
    pub(crate) lines: usize,
}

/// The text with the inside of comments, strings and characters replaced by spaces; lines stay where they are.
pub(crate) fn blank(text: &str) -> String {
    let mut blank = Blank { source: text.chars().collect(), at: 0, out: String::with_capacity(text.len()) };
    while blank.at < blank.source.len() {
        blank.step();
    }
    blank.out
}

struct Blank {
    source: Vec<char>,
    at: usize,
    out: String,
}

impl Blank {
    fn peek(&self, ahead: usize) -> char {
        self.source.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step(&mut self) {
        let after_word = self.at > 0 && self.source.get(self.at - 1).is_some_and(|c| c.is_alphanumeric() || *c == '_');
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.hide_until(|c, _| c == '\n'),
            ('/', '*') => self.block_comment(),
            ('r', '"' | '#') if !after_word && self.raw_hashes(1).is_some() => self.raw_string(1),
            ('b', 'r') if !after_word && self.raw_hashes(2).is_some() => self.raw_string(2),
            ('"', _) => self.quoted('"'),
            // A lifetime or label has no closing quote two characters on.
            ('\'', '\\') => self.quoted('\''),
            ('\'', c) if c != '\'' && self.peek(2) == '\'' => self.quoted('\''),
            (c, _) => {
                self.out.push(c);
                self.at += 1;
            }
        }
    }

    fn hide(&mut self) {
        let c = self.peek(0);
        self.out.push(if c == '\n' { '\n' } else { ' ' });
        self.at += 1;
    }

    fn hide_until(&mut self, end: impl Fn(char, char) -> bool) {
        while self.at < self.source.len() && !end(self.peek(0), self.peek(1)) {
            self.hide();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.source.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.hide();
                    continue;
                }
            }
            self.hide();
            self.hide();
            if depth == 0 {
                return;
            }
        }
    }

    fn quoted(&mut self, quote: char) {
        self.hide();
        while self.at < self.source.len() && self.peek(0) != quote {
            if self.peek(0) == '\\' {
                self.hide();
            }
            self.hide();
        }
        self.hide();
    }

    /// Number of `#` of a raw string whose `r` ends `prefix` characters on; none if it is not one.
    fn raw_hashes(&self, prefix: usize) -> Option<usize> {
        let hashes = (0..).take_while(|n| self.peek(prefix + n) == '#').count();
        (self.peek(prefix + hashes) == '"').then_some(hashes)
    }

    fn raw_string(&mut self, prefix: usize) {
        let hashes = self.raw_hashes(prefix).unwrap_or(0);
        for _ in 0..prefix + hashes + 1 {
            self.hide();
        }
        while self.at < self.source.len() {
            let ends = self.peek(0) == '"' && (1..=hashes).all(|n| self.peek(n) == '#');
            self.hide();
            if ends {
                for _ in 0..hashes {
                    self.hide();
                }
                return;
            }
        }
    }
}

/// Number of lines before a trailing `#[cfg(test)] mod`, with comments and blank lines.
pub(crate) fn code_part(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}

/// The functions with a body, in order, of a text that went through [`blank`].
pub(crate) fn functions(blanked: &str) -> Vec<Function> {
    let lines: Vec<&str> = blanked.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        if let Some(length) = body_length(&lines[index..]) {
            found.push(Function { name, line: index + 1, lines: length });
        }
    }
    found
}

/// The name after `fn`, where the words before it can only be those of a declaration.
fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let declares = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern" | "safe")
            || word.starts_with("pub(")
            || word.starts_with("super)")
            || word.starts_with("crate)")
    });
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (declares && !name.is_empty()).then_some(name)
}

/// Lines until the brace that the first line opens is closed; none for a declaration without a body.
fn body_length(lines: &[&str]) -> Option<usize> {
    let (mut depth, mut round) = (0_i64, 0_i64);
    let mut opened = false;
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' => round += 1,
                ')' | ']' => round -= 1,
                ';' if !opened && round == 0 => return None,
                '{' => (depth, opened) = (depth + 1, true),
                '}' => depth -= 1,
                _ => {}
            }
        }
        if opened && depth <= 0 {
            return Some(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let text = "a /* x { /* } */ y */ b // }\n\"{\\\"}\" 'c' '\\'' 'a r#\"}\"#\" }\"# br\"{\" r\"}\" for \n";
        let shown = blank(text);
        assert_eq!(shown.len(), text.len());
        assert!(!shown.contains(['{', '}', '"']), "{shown}");
        assert!(shown.contains("'a") && shown.contains("for"), "{shown}");
    }

    #[test]
    fn functions_are_measured() {
        let text = "trait T {\n    fn declared(&self, a: [u8; 2]) -> u8;\n    fn given() {}\n}\n\
                    pub(crate) const fn long(\n    a: u8,\n) -> u8 {\n    if a > 1 {\n    }\n    1\n}\n\
                    // fn not_this() {}\nlet f = fn_like();\n";
        let found: Vec<(String, usize, usize)> =
            functions(&blank(text)).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("given".to_owned(), 3, 1), ("long".to_owned(), 5, 7)]);
    }

    #[test]
    fn tests_at_the_end_are_not_code() {
        assert_eq!(code_part("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(code_part("a\n#[cfg(test)]\nuse b;\n"), 3);
    }
}
