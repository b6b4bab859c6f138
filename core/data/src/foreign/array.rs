//! Arrays of numbers as they lie in files of others.

use std::sync::Arc;

/// Of one array; a damaged header, or a small file that unpacks to a large one, may claim any size.
pub(super) const MOST_BYTES: u64 = 8 << 30;

/// What one number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A truth value in one byte.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 64 bits.
    I64,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
}

impl Number {
    /// Its width in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether it is a whole number.
    #[must_use]
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// The value of its bytes, the lowest first. Whole numbers beyond 2^53 are rounded.
    fn value(self, bytes: &[u8]) -> f64 {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        let low = u64::from_le_bytes(eight);
        // The sign bit of a number of this width, brought to the top and back.
        let unused = 64 - 8 * u32::try_from(bytes.len()).unwrap_or(8);
        #[expect(clippy::cast_possible_wrap, reason = "the bits of a signed number")]
        let signed = ((low << unused) as i64) >> unused;
        #[expect(clippy::cast_possible_truncation, reason = "a number of that width")]
        match self {
            Self::Bool | Self::U8 | Self::U16 | Self::U32 | Self::U64 => low as f64,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => signed as f64,
            Self::F16 => half::f16::from_bits(low as u16).to_f64(),
            Self::Bf16 => half::bf16::from_bits(low as u16).to_f64(),
            Self::F32 => f64::from(f32::from_bits(low as u32)),
            Self::F64 => f64::from_bits(low),
        }
    }
}

/// An array in row-major order. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct Array {
    shape: Vec<usize>,
    number: Number,
    bytes: Arc<Vec<u8>>,
    start: usize,
}

impl Array {
    /// An array of these bytes (the lowest byte of each number first) from `start` on; `None` where there are too few.
    #[must_use]
    pub fn new(shape: Vec<usize>, number: Number, bytes: Arc<Vec<u8>>, start: usize) -> Option<Self> {
        let length = elements(&shape)?.checked_mul(number.bytes())?;
        (start.checked_add(length)? <= bytes.len()).then_some(Self { shape, number, bytes, start })
    }

    /// A view with these steps (in numbers, one for each axis) of stored numbers, brought into row-major order; `None` where it
    /// leaves what is stored, or has more elements than that.
    #[must_use]
    pub fn strided(
        shape: Vec<usize>,
        steps: &[usize],
        number: Number,
        (bytes, first): (&Arc<Vec<u8>>, usize),
    ) -> Option<Self> {
        let (count, stored) = (elements(&shape)?, bytes.len() / number.bytes());
        if steps.len() != shape.len() {
            return None;
        }
        if is_row_major(&shape, steps) || count == 0 {
            return Self::new(shape, number, Arc::clone(bytes), first.checked_mul(number.bytes())?);
        }
        let last = shape
            .iter()
            .zip(steps)
            .try_fold(first, |last, (axis, step)| last.checked_add((axis - 1).checked_mul(*step)?))?;
        if count > stored || last >= stored {
            return None;
        }
        let width = number.bytes();
        let mut out = Vec::with_capacity(count * width);
        let mut place = vec![0; shape.len()];
        for _ in 0..count {
            let at = first + place.iter().zip(steps).map(|(place, step)| place * step).sum::<usize>();
            out.extend_from_slice(&bytes[at * width..(at + 1) * width]);
            for (place, axis) in place.iter_mut().zip(&shape).rev() {
                *place += 1;
                if *place < *axis {
                    break;
                }
                *place = 0;
            }
        }
        Self::new(shape, number, Arc::new(out), 0)
    }

    /// Its axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What its numbers are.
    #[must_use]
    pub fn number(&self) -> Number {
        self.number
    }

    /// How many numbers there are.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.elements() * self.number.bytes()]
    }

    /// All numbers in double precision.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        self.bytes().chunks_exact(self.number.bytes()).map(|bytes| self.number.value(bytes)).collect()
    }

    /// All numbers in single precision; doubles are rounded.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        if self.number == Number::F32 {
            return self.bytes().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        }
        #[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is meant")]
        let round = |value: f64| value as f32;
        self.to_f64().into_iter().map(round).collect()
    }

    /// The same numbers with other axes; `None` where these have another number of elements.
    #[must_use]
    pub fn reshaped(mut self, shape: Vec<usize>) -> Option<Self> {
        (elements(&shape)? == self.elements()).then(|| {
            self.shape = shape;
            self
        })
    }

    /// Part number `at` along the first axis; `None` where there is none.
    #[must_use]
    pub fn part(&self, at: usize) -> Option<Self> {
        let (count, shape) = self.shape.split_first()?;
        let each = elements(shape)? * self.number.bytes();
        (at < *count).then(|| Self { shape: shape.to_vec(), start: self.start + at * each, ..self.clone() })
    }
}

fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis))
}

fn is_row_major(shape: &[usize], steps: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(steps).rev().all(|(axis, step)| {
        // The step of an axis of one element is never taken.
        let fits = *axis == 1 || *step == expected;
        expected *= axis;
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Arc<Vec<u8>> {
        Arc::new(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    #[test]
    fn views_are_brought_into_order_and_stay_inside() {
        let stored = bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let transposed = Array::strided(vec![3, 2], &[1, 3], Number::F32, (&stored, 0)).unwrap();
        assert_eq!(transposed.to_f64(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let tail = Array::strided(vec![2], &[1], Number::F32, (&stored, 4)).unwrap();
        assert_eq!(tail.to_f32(), [4.0, 5.0]);
        assert_eq!(transposed.part(1).unwrap().to_f64(), [1.0, 4.0]);
        for (shape, steps, first) in [
            (vec![3], vec![1], 4),
            (vec![2, 2], vec![4, 2], 0),
            (vec![1000, 1000], vec![0, 0], 0),
            (vec![usize::MAX, 2], vec![0, 0], 0),
            (vec![2], vec![usize::MAX], 1),
            (vec![2], vec![], 0),
        ] {
            let view = Array::strided(shape.clone(), &steps, Number::F32, (&stored, first));
            assert!(view.is_none(), "{shape:?} {steps:?} {first}");
        }
    }

    #[test]
    fn every_number_has_its_value() {
        let check = |number: Number, bytes: &[u8], expected: f64| {
            assert_eq!(Array::new(Vec::new(), number, Arc::new(bytes.to_vec()), 0).unwrap().to_f64(), [expected]);
        };
        check(Number::U8, &[255], 255.0);
        check(Number::I8, &[255], -1.0);
        check(Number::I16, &(-300_i16).to_le_bytes(), -300.0);
        check(Number::U16, &40_000_u16.to_le_bytes(), 40_000.0);
        check(Number::I32, &(-70_000_i32).to_le_bytes(), -70_000.0);
        check(Number::I64, &(-5_i64).to_le_bytes(), -5.0);
        check(Number::F16, &0x3e00_u16.to_le_bytes(), 1.5);
        check(Number::Bf16, &0x3fc0_u16.to_le_bytes(), 1.5);
        check(Number::F32, &(-0.25_f32).to_le_bytes(), -0.25);
        check(Number::F64, &0.1_f64.to_le_bytes(), 0.1);
        assert!(Array::new(vec![2], Number::F64, Arc::new(vec![0; 15]), 0).is_none());
    }
}
