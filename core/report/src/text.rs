//! Numbers for people.

/// Seconds with as many digits as are of use: `0.04 s`, `3.2 s`, `48 s`, `2 min 05 s`, `1 h 07 min`.
#[must_use]
pub fn seconds(value: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    // Each bound is where the shorter form would round up to the next unit.
    match value {
        v if v < 0.995 => format!("{v:.2} s"),
        v if v < 9.95 => format!("{v:.1} s"),
        v if v < 59.5 => format!("{v:.0} s"),
        v if v < HOUR - 0.5 => {
            let whole = v.round();
            format!("{:.0} min {:02.0} s", (whole / MINUTE).floor(), whole % MINUTE)
        }
        v => {
            let minutes = (v / MINUTE).round();
            format!("{:.0} h {:02.0} min", (minutes / MINUTE).floor(), minutes % MINUTE)
        }
    }
}

/// `1 node`, `3 nodes`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A size with as many digits as are of use: `312 B`, `1.9 MB`, `40.2 GB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    const STEP: f64 = 1_000.0;
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut value, mut at) = (bytes as f64 / STEP, 0);
    while value >= 999.95 && at + 1 < UNITS.len() {
        (value, at) = (value / STEP, at + 1);
    }
    format!("{value:.1} {}", UNITS[at])
}

/// A rate with three digits: `12.3`, `1.05`, `340`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if r < 9.995 => format!("{r:.2}"),
        r if r < 99.95 => format!("{r:.1}"),
        r => format!("{r:.0}"),
    }
}

/// A loss or a metric: four decimals at most, whatever its size; none for whole numbers.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e6).contains(&size) {
        let digits = if size >= 100.0 { 1 } else { 4 };
        let text = format!("{value:.digits$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{value:.3e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_short() {
        let check = |value, expected: &str| assert_eq!(seconds(value), expected);
        check(0.0, "0.00 s");
        check(0.994, "0.99 s");
        check(0.996, "1.0 s");
        check(9.96, "10 s");
        check(59.6, "1 min 00 s");
        check(125.0, "2 min 05 s");
        check(3599.6, "1 h 00 min");
        check(4020.0, "1 h 07 min");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([bytes(999), bytes(1_900_000), bytes(999_960)], ["999 B", "1.9 MB", "1.0 MB"]);
        assert_eq!(count(1, "node"), "1 node");
        assert_eq!(count(0, "node"), "0 nodes");
        assert_eq!([rate(1.05), rate(12.34), rate(340.2)], ["1.05", "12.3", "340"]);
        let check = |value, expected: &str| assert_eq!(number(value), expected);
        check(0.0, "0");
        check(10.0, "10");
        check(17.299_999_999, "17.3");
        check(1.23456, "1.2346");
        check(123.45, "123.5");
        check(60_000.0, "60000");
        check(1.5e-7, "1.500e-7");
        assert_eq!(number(f64::NAN), "NaN");
    }
}
