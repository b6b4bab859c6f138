//! What files of others hold.

use super::array::Array;

/// Arrays, and lists and dictionaries of them.
#[derive(Clone, Debug)]
pub enum Foreign {
    /// An array of numbers.
    Array(Array),
    /// A list or a tuple.
    List(Vec<Foreign>),
    /// A dictionary, in the order of the file.
    Map(Vec<(String, Foreign)>),
    /// A single number; truth values are 0 and 1.
    Number(f64),
    /// A text.
    Text(String),
    /// Something without content.
    Nothing,
}

impl Foreign {
    /// A single number, also from an array with one element.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Array(array) if array.elements() == 1 => array.to_f64().first().copied(),
            _ => None,
        }
    }

    /// The entry of a dictionary.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(own, _)| own == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A list of texts.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<String>> {
        let Self::List(items) = self else { return None };
        let text = |item: &Self| match item {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        };
        items.iter().map(text).collect()
    }

    /// What it is, for messages: `an array [10, 3, 32, 32]`, `a list of 5`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Array(array) => format!("an array {:?}", array.shape()),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Map(entries) => {
                let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).take(8).collect();
                let rest = if entries.len() > names.len() { ", ..." } else { "" };
                format!("a dictionary with {}{rest}", names.join(", "))
            }
            Self::Number(number) => format!("the number {number}"),
            Self::Text(_) => "a text".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}
