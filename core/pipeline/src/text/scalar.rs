//! Types of plain YAML scalars: the core schema of YAML 1.2, section 10.3.2.
//!
//! `yes`, `no`, `on`, `off` and `010` are therefore a text, a text, a text, a text and ten. Infinite and undefined numbers
//! are refused: JSON has no place for them and a key must not contain them.

use serde_json::{Number, Value};

/// Why a plain scalar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarError {
    /// `.nan`, `.inf`, or a number whose magnitude no 64-bit float holds.
    NotFinite,
    /// An integer outside -2^63 .. 2^64.
    IntegerTooLarge,
}

/// The value of a plain (unquoted) scalar.
pub(crate) fn resolve(text: &str) -> Result<Value, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(ScalarError::NotFinite),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(ScalarError::NotFinite);
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Ok(Value::String(text.to_owned()));
    }
    if let Some(number) = integer(text, unsigned) {
        return number.map(Value::Number);
    }
    if is_float(unsigned) {
        let number: f64 = text.parse().map_err(|_| ScalarError::NotFinite)?;
        return Number::from_f64(number).map(Value::Number).ok_or(ScalarError::NotFinite);
    }
    Ok(Value::String(text.to_owned()))
}

/// The integer written in decimal, octal (`0o17`) or hexadecimal (`0x1F`), if it is one.
fn integer(text: &str, unsigned: &str) -> Option<Result<Number, ScalarError>> {
    let (digits, radix) = match (text.strip_prefix("0o"), text.strip_prefix("0x")) {
        (Some(octal), _) => (octal, 8),
        (_, Some(hexadecimal)) => (hexadecimal, 16),
        _ => (unsigned, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok();
    let number = if text.starts_with('-') {
        magnitude.and_then(|magnitude| 0_i64.checked_sub_unsigned(magnitude)).map(Number::from)
    } else {
        magnitude.map(Number::from)
    };
    Some(number.ok_or(ScalarError::IntegerTooLarge))
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, the sign being stripped already.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()) && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("NULL", json!(null)),
            ("nULL", json!("nULL")),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("010", json!(10)),
            ("0o17", json!(15)),
            ("0xfF", json!(255)),
            ("-0x1", json!("-0x1")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("-1e3", json!(-1000.0)),
            ("1_000", json!("1_000")),
            ("1..5", json!("1..5")),
            ("1.2.3", json!("1.2.3")),
            (".", json!(".")),
            ("-", json!("-")),
            ("1e", json!("1e")),
            ("e3", json!("e3")),
            ("2024-01-01", json!("2024-01-01")),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn integers_and_floats_stay_apart() {
        assert!(resolve("1").unwrap().is_u64());
        assert!(resolve("-1").unwrap().is_i64());
        assert!(resolve("1.0").unwrap().is_f64());
        assert!(resolve("1e0").unwrap().is_f64());
    }

    #[test]
    fn numbers_without_a_value_are_refused() {
        for text in [".nan", "-.inf", "+.INF", "1e999"] {
            assert_eq!(resolve(text), Err(ScalarError::NotFinite), "{text}");
        }
        for text in ["18446744073709551616", "-9223372036854775809"] {
            assert_eq!(resolve(text), Err(ScalarError::IntegerTooLarge), "{text}");
        }
    }
}
