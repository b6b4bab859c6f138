//! [`Markup`]: text that is HTML or SVG already, and the ways to make it.

use std::fmt;

/// Text that is HTML or SVG. Everything that comes from elsewhere enters it through [`escaped`] alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    /// Adds text that is markup: of our own making, or escaped.
    pub(crate) fn push(&mut self, markup: &str) {
        self.0.push_str(markup);
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Write for Markup {
    fn write_str(&mut self, markup: &str) -> fmt::Result {
        self.0.push_str(markup);
        Ok(())
    }
}

/// Text as it stands in HTML and SVG, between tags and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Replaces, in a whole page, the characters that a browser would not show but obey: control characters, and those that
/// turn the direction of the text around them. No template has any.
pub(crate) fn visible(page: &str) -> String {
    let is_bad = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    page.replace(is_bad, "\u{fffd}")
}

/// Text without the codes that colour terminals.
pub(crate) fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.peek() == Some(&'[') {
            chars.next();
            // A sequence ends with its first letter.
            for c in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<a b='1'>&\"]]>"), "&lt;a b=&#39;1&#39;&gt;&amp;&quot;]]&gt;");
        assert_eq!(visible("a\u{202e}b\r\u{0}\n"), "a\u{fffd}b\u{fffd}\u{fffd}\n");
        assert_eq!(without_colours("\u{1b}[1;31mred\u{1b}[0m plain"), "red plain");
    }
}
