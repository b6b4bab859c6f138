//! The canonical bytes of a JSON value, as hashed into a key.
//!
//! | value | bytes |
//! |---|---|
//! | null, false, true | `n`, `f`, `t` |
//! | integer that fits `i64` | `i`, 8 bytes little endian |
//! | larger integer | `u`, 8 bytes little endian |
//! | other number | `d`, the 8 bytes of the f64's bits, little endian |
//! | string | `s`, length in bytes (8 bytes), UTF-8 |
//! | array | `a`, length, the values |
//! | object | `o`, length, then name (as a string) and value for each member, sorted by the name's bytes |
//!
//! Every value says its own length, so two different values never give the same bytes. `1` and `1.0` are different
//! on purpose: the node kind decides which of the two a parameter is when it checks its parameters.

use crate::error::KeyError;
use serde_json::{Number, Value};

/// Deeper values are refused, so that no input can exhaust the stack.
const MOST_LEVELS: usize = 128;

/// Appends the canonical bytes of `value`; `part` names it in errors.
pub(crate) fn encode_value(out: &mut Vec<u8>, part: &str, value: &Value) -> Result<(), KeyError> {
    encode_at(out, part, value, MOST_LEVELS)
}

/// Appends the canonical bytes of a string.
pub(crate) fn encode_text(out: &mut Vec<u8>, text: &str) {
    out.push(b's');
    encode_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a length as 8 bytes, whatever the machine's word.
pub(crate) fn encode_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&(length as u64).to_le_bytes());
}

fn encode_at(out: &mut Vec<u8>, part: &str, value: &Value, levels: usize) -> Result<(), KeyError> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(KeyError::TooDeep { part: part.to_owned(), most: MOST_LEVELS });
    };
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(false) => out.push(b'f'),
        Value::Bool(true) => out.push(b't'),
        Value::Number(number) => encode_number(out, part, number)?,
        Value::String(text) => encode_text(out, text),
        Value::Array(values) => {
            out.push(b'a');
            encode_length(out, values.len());
            for value in values {
                encode_at(out, part, value, levels)?;
            }
        }
        Value::Object(members) => {
            out.push(b'o');
            encode_length(out, members.len());
            // The map's own order depends on a feature that any crate of the program could switch on.
            let mut encode_member = |name: &str, value| {
                encode_text(out, name);
                encode_at(out, part, value, levels)
            };
            if members.keys().is_sorted() {
                return members.iter().try_for_each(|(name, value)| encode_member(name, value));
            }
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            sorted.into_iter().try_for_each(|(name, value)| encode_member(name, value))?;
        }
    }
    Ok(())
}

fn encode_number(out: &mut Vec<u8>, part: &str, number: &Number) -> Result<(), KeyError> {
    let (tag, bytes) = if let Some(integer) = number.as_i64() {
        (b'i', integer.to_le_bytes())
    } else if let Some(integer) = number.as_u64() {
        (b'u', integer.to_le_bytes())
    } else {
        let float = number.as_f64().filter(|float| float.is_finite());
        let float = float.ok_or_else(|| KeyError::NotFinite { part: part.to_owned() })?;
        (b'd', float.to_bits().to_le_bytes())
    };
    out.push(tag);
    out.extend_from_slice(&bytes);
    Ok(())
}
