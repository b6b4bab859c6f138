//! Colours of the terminal, in the sixteen that every colour scheme defines.

/// What a piece of text means; the colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Went well.
    Good,
    /// Needs attention.
    Warn,
    /// Failed.
    Bad,
    /// Runs now.
    Busy,
    /// Less important than its neighbours.
    Faint,
    /// More important than its neighbours.
    Strong,
}

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// With colours.
    #[must_use]
    pub fn colours() -> Self {
        Self { on: true }
    }

    /// Without.
    #[must_use]
    pub fn plain() -> Self {
        Self { on: false }
    }

    /// Whether it colours.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.on
    }

    /// `text` in the colour of `tone`. Widths in format strings count the codes too: pad first.
    #[must_use]
    pub fn tone(self, tone: Tone, text: &str) -> String {
        if !self.on || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31;1",
            Tone::Busy => "36",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_codes() {
        assert_eq!(Paint::plain().tone(Tone::Bad, "x"), "x");
        assert_eq!(Paint::colours().tone(Tone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
        assert_eq!(Paint::colours().tone(Tone::Good, ""), "");
    }
}
