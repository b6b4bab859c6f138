//! Amounts with units in settings: times such as `90s` or `1h30m`, memory such as `8GiB`.

use std::time::Duration;

use serde_json::Value;

/// Units of time in seconds; a longer name stands before its prefix.
const TIMES: [(&str, f64); 5] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
/// Units of memory in bytes.
const SIZES: [(&str, f64); 10] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("B", 1.0),
];
/// Longest time: about 30 years, far from every overflow.
const MOST_SECONDS: f64 = 1e9;
/// Most memory: 8 EiB.
const MOST_BYTES: f64 = 9.2e18;

/// A time: a number of seconds, or numbers with units.
pub(crate) fn time(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => seconds(number.as_f64()?),
        Value::String(text) => duration(text),
        _ => None,
    }
}

/// The time that a text such as `90s` or `1h30m` means.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    seconds(sum(text, &TIMES)?)
}

fn seconds(seconds: f64) -> Option<Duration> {
    (0.0..=MOST_SECONDS).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// An amount of memory in bytes: a number of bytes, or a number with a unit.
pub(crate) fn bytes(value: &Value) -> Option<u64> {
    let bytes = match value {
        Value::Number(number) => return number.as_u64(),
        Value::String(text) => sum(text, &SIZES)?,
        _ => return None,
    };
    // Checked above the cast: it is in range and not negative.
    (0.0..=MOST_BYTES).contains(&bytes).then_some(bytes as u64)
}

/// The bytes that a text such as `8GiB` or `4096` means.
#[must_use]
pub fn memory_bytes(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| bytes(&Value::from(text)))
}

/// The sum of parts such as `1h30m`; none if there is no part or one that is not a number with a unit.
fn sum(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let mut rest = text.trim();
    let mut total = None;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, behind) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let behind = behind.trim_start();
        let (unit, factor) = units.iter().find(|(unit, _)| behind.starts_with(unit))?;
        total = Some(total.unwrap_or(0.0) + number * factor);
        rest = behind.get(unit.len()..)?.trim_start();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_have_units() {
        let cases = [
            (json!(90), Some(90.0)),
            (json!(0.5), Some(0.5)),
            (json!("90s"), Some(90.0)),
            (json!("250ms"), Some(0.25)),
            (json!("1h30m"), Some(5400.0)),
            (json!("1 d 2 h"), Some(93_600.0)),
            (json!("1.5m"), Some(90.0)),
            (json!(-1), None),
            (json!("90"), None),
            (json!(""), None),
            (json!("5x"), None),
            (json!("1h30"), None),
            (json!(1e300), None),
            (json!(true), None),
        ];
        for (value, expected) in cases {
            assert_eq!(time(&value).map(|time| time.as_secs_f64()), expected, "{value}");
        }
    }

    #[test]
    fn sizes_have_units() {
        let cases = [
            (json!(4096), Some(4096)),
            (json!("8GiB"), Some(8 << 30)),
            (json!("1.5 MiB"), Some(1_572_864)),
            (json!("2GB"), Some(2_000_000_000)),
            (json!("100B"), Some(100)),
            (json!("8G"), None),
            (json!(1.5), None),
            (json!(-1), None),
            (json!("99999999999TiB"), None),
        ];
        for (value, expected) in cases {
            assert_eq!(bytes(&value), expected, "{value}");
        }
    }
}
