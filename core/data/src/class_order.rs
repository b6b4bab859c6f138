//! The order of classes of class-incremental learning: what `numpy.random.seed(seed); permutation(n)` gives.
//!
//! Published class orders are those of numpy's legacy generator, the 32-bit Mersenne Twister; nothing else here uses it.

const STATE: usize = 624;
const SHIFT: usize = 397;
const MATRIX: u32 = 0x9908_b0df;
const UPPER: u32 = 0x8000_0000;

/// Numbers `0..classes` in numpy's legacy order for `seed`.
#[must_use]
pub fn class_order(seed: u32, classes: usize) -> Vec<usize> {
    let mut generator = MersenneTwister::new(seed);
    let mut order: Vec<usize> = (0..classes).collect();
    for last in (1..classes).rev() {
        order.swap(last, generator.at_most(last));
    }
    order
}

struct MersenneTwister {
    state: [u32; STATE],
    next: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; STATE];
        for i in 1..STATE {
            let before = state[i - 1];
            #[expect(clippy::cast_possible_truncation, reason = "i is below 624")]
            let number = i as u32;
            state[i] = 1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(number);
        }
        Self { state, next: STATE }
    }

    fn draw(&mut self) -> u32 {
        if self.next == STATE {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn refill(&mut self) {
        for i in 0..STATE {
            let mixed = (self.state[i] & UPPER) | (self.state[(i + 1) % STATE] & !UPPER);
            let odd = if mixed & 1 == 1 { MATRIX } else { 0 };
            self.state[i] = self.state[(i + SHIFT) % STATE] ^ (mixed >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// Uniform in `0..=limit` by rejection: the low bits under the smallest mask that covers the limit.
    fn at_most(&mut self, limit: usize) -> usize {
        let mask = (limit + 1).next_power_of_two() - 1;
        loop {
            let value = self.draw() as usize & mask;
            if value <= limit {
                return value;
            }
        }
    }
}
