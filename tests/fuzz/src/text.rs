//! Damage to texts: cut, copied and put together, with words that their readers look at.

use crate::Chance;

/// A text of the corpus after one to eight changes.
#[must_use]
pub fn damaged(chance: &mut Chance, corpus: &[Vec<u8>], words: &[&str]) -> String {
    let mut text = any(chance, corpus);
    let most = chance.below(8);
    for _ in 0..=chance.below(most + 1) {
        text = change(chance, &text, corpus, words);
    }
    text
}

/// Up to so many of the words, one after the other.
#[must_use]
pub fn words(chance: &mut Chance, words: &[&str], most: usize) -> String {
    (0..=chance.below(most)).map(|_| *chance.one_of(words)).collect()
}

fn any(chance: &mut Chance, corpus: &[Vec<u8>]) -> String {
    let bytes: &Vec<u8> = chance.one_of(corpus);
    String::from_utf8_lossy(bytes).into_owned()
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

fn change(chance: &mut Chance, text: &str, corpus: &[Vec<u8>], words: &[&str]) -> String {
    let at = boundary(chance, text);
    let word = *chance.one_of(words);
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
            let other = any(chance, corpus);
            let (_, copied) = piece(chance, &other, 400);
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
