//! [`Scale`]: numbers to places in a picture, with ticks at round numbers.
#![expect(clippy::disallowed_methods, reason = "logarithms of the C library: a page has no key")]

use pddflow_report::number;

/// How numbers are spread over a length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log: bool,
    /// Where `low` and `high` are in the picture.
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Scale {
    /// A scale over these values; a little wider, or as far as to round numbers, when `loose`.
    pub(crate) fn over(values: impl Iterator<Item = f64>, log: bool, loose: bool, (from, to): (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if log && low > 0.0 {
            let room = if loose { (high / low).powf(0.05).max(1.02) } else { 1.0 };
            return Self { low: low / room, high: high * room, log: true, from, to };
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        } else if loose {
            let room = (high - low) * 0.06;
            // Amounts that begin near zero are drawn from zero.
            let floor = if low >= 0.0 && low < 0.25 * high { 0.0 } else { low - room };
            (low, high) = (floor, high + room);
        }
        Self { low, high, log: false, from, to }
    }

    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(-0.02, 1.02) * (self.to - self.from)
    }

    /// Round numbers within, about as many as asked for, with their texts.
    pub(crate) fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        if self.log {
            let decades = (self.high / self.low).log10();
            if decades >= 1.0 {
                #[expect(clippy::cast_possible_truncation, reason = "decades of finite numbers are small")]
                let (first, last) = (self.low.log10().ceil() as i32, self.high.log10().floor() as i32);
                let step = usize::try_from((last - first) / 6 + 1).unwrap_or(1);
                return (first..=last).step_by(step).map(|power| 10_f64.powi(power)).map(|v| (v, number(v))).collect();
            }
        }
        let step = round_step((self.high - self.low) / about.max(1) as f64);
        let first = (self.low / step).ceil() * step;
        let count = ((self.high - first) / step + 1e-9).floor().max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about as many as asked for")]
        let count = count as usize + 1;
        (0..count.min(20)).map(|at| first + at as f64 * step).map(|v| (v, tick(v, step))).collect()
    }
}

/// 1, 2 or 5 times a power of ten, the next above.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let share = step / power;
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| *round >= share - 1e-9).unwrap_or(10.0);
    round * power
}

/// The text of a tick: as many digits as its step has.
fn tick(value: f64, step: f64) -> String {
    if step >= 1.0 && value.abs() < 1e6 {
        return format!("{value:.0}");
    }
    if step < 1e-4 || value.abs() >= 1e6 {
        return number(value);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 4")]
    let digits = (-step.log10().floor()).max(0.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let texts = |scale: Scale| scale.ticks(5).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        let linear = Scale::over([0.0, 100.0].into_iter(), false, false, (0.0, 10.0));
        assert_eq!(texts(linear), ["0", "20", "40", "60", "80", "100"]);
        let small = Scale::over([0.21, 0.29].into_iter(), false, false, (0.0, 10.0));
        assert_eq!(texts(small), ["0.22", "0.24", "0.26", "0.28"]);
        let log = Scale::over([0.01, 100.0].into_iter(), true, false, (0.0, 10.0));
        assert_eq!(texts(log), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!((linear.place(50.0), log.place(1.0)), (5.0, 5.0));
    }

    #[test]
    fn nothing_and_one_value_have_a_scale_too() {
        for values in [vec![], vec![0.0], vec![3.0, 3.0], vec![f64::NAN]] {
            let scale = Scale::over(values.iter().copied(), false, true, (0.0, 1.0));
            assert!(scale.low < scale.high, "{values:?}");
            assert!(!scale.ticks(4).is_empty(), "{values:?}");
        }
    }
}
