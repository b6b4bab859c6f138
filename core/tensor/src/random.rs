//! Random numbers from keys: a value is a pure function of a key, on every platform and in every version.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Separates these keys from other uses of BLAKE3; a change would change every random number.
const CONTEXT: &str = "pddflow 2025 random key v1";
/// 2^-53: spacing of the uniform numbers.
const SPACING: f64 = 1.0 / 9_007_199_254_740_992.0;

/// A key from which random numbers follow.
///
/// Keys form a tree: [`fold`](Self::fold) gives the key of a purpose, [`fold_u64`](Self::fold_u64) that of an index.
/// The same key always gives the same numbers, so use a key for one purpose only. Of two lists of different
/// lengths from one key, the shorter is the beginning of the longer ([`permutation`](Self::permutation) apart).
///
/// Numbers come from ChaCha with 8 rounds keyed with the 256 bits of the key; keys are derived with BLAKE3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RandomKey([u8; 32]);

impl RandomKey {
    /// The root key of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(blake3::derive_key(CONTEXT, &seed.to_le_bytes()))
    }

    /// The key of a named purpose below this one.
    #[must_use]
    pub fn fold(&self, name: &str) -> Self {
        self.derive(b'n', name.as_bytes())
    }

    /// The key of a number (iteration, class, row) below this one.
    #[must_use]
    pub fn fold_u64(&self, number: u64) -> Self {
        self.derive(b'u', &number.to_le_bytes())
    }

    fn derive(&self, tag: u8, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[tag]);
        hasher.update(bytes);
        Self(*hasher.finalize().as_bytes())
    }

    /// The key as four numbers, least significant byte first.
    #[must_use]
    pub fn words(&self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.0.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    /// The key that [`words`](Self::words) came from.
    #[must_use]
    pub fn from_words(words: [u64; 4]) -> Self {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        Self(bytes)
    }

    fn stream(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.0)
    }

    /// `count` numbers uniform in `[0, 1)`, multiples of 2^-53.
    #[must_use]
    pub fn uniform_f64(&self, count: usize) -> Vec<f64> {
        let mut stream = self.stream();
        (0..count).map(|_| unit(&mut stream)).collect()
    }

    /// `count` numbers of the standard normal distribution (Box-Muller, both of each pair).
    #[must_use]
    pub fn normal_f64(&self, count: usize) -> Vec<f64> {
        let mut stream = self.stream();
        let mut out = Vec::with_capacity(count + 1);
        while out.len() < count {
            // 1 - u lies in (0, 1], so the logarithm is finite.
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(&mut stream)));
            let angle = std::f64::consts::TAU * unit(&mut stream);
            out.push(radius * libm::cos(angle));
            out.push(radius * libm::sin(angle));
        }
        out.truncate(count);
        out
    }

    /// The numbers `0..count` in random order, all orders equally likely.
    #[must_use]
    pub fn permutation(&self, count: usize) -> Vec<usize> {
        self.choose(count, count)
    }

    /// `count` different numbers below `from` in random order; all of them when `count` is larger.
    #[must_use]
    pub fn choose(&self, from: usize, count: usize) -> Vec<usize> {
        let mut stream = self.stream();
        let mut all: Vec<usize> = (0..from).collect();
        let count = count.min(from);
        for place in 0..count {
            let left = (from - place) as u64;
            #[expect(clippy::cast_possible_truncation, reason = "smaller than a usize")]
            let other = place + below(&mut stream, left) as usize;
            all.swap(place, other);
        }
        all.truncate(count);
        all
    }

    /// A number uniform in `0..bound`; 0 when `bound` is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        below(&mut self.stream(), bound)
    }
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
fn unit(stream: &mut ChaCha8Rng) -> f64 {
    (stream.next_u64() >> 11) as f64 * SPACING
}

/// Lemire, "Fast random integer generation in an interval" (2019): no bias, seldom more than one draw.
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn below(stream: &mut ChaCha8Rng, bound: u64) -> u64 {
    if bound == 0 {
        return 0;
    }
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(stream.next_u64()) * u128::from(bound);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_paths_differ_and_words_round_trip() {
        let root = RandomKey::new(7);
        let keys =
            [root, RandomKey::new(8), root.fold("a"), root.fold("b"), root.fold_u64(0), root.fold("a").fold_u64(0)];
        for (i, a) in keys.iter().enumerate() {
            assert_eq!(RandomKey::from_words(a.words()), *a);
            assert!(keys[i + 1..].iter().all(|b| a != b));
        }
    }

    /// Values of a separate program, written from the definitions of BLAKE3, ChaCha and Box-Muller: they never change.
    #[test]
    fn values_are_stable() {
        let key = RandomKey::new(42);
        let words = [0x4b86_03a2_c2f4_d578, 0xf891_a6ee_0fbf_69a9, 0xaa93_7ad4_1fd7_030a, 0xd74d_fad0_792b_c58c];
        assert_eq!(key.words(), words);
        let below = [0xca45_bfa5_b53f_d805, 0x2ee2_ac78_aca8_d531, 0x4cfa_79b1_a78c_6964, 0x33ae_44a9_4d99_c569];
        assert_eq!(key.fold("images").fold_u64(3).words(), below);
        assert_eq!(key.uniform_f64(3), [0.5936075061690126, 0.29184222978725594, 0.8408616341239871]);
        let normal = [-0.3487559226560059, 1.2958553206270222, 1.1488864685584907, -1.5349339860300204];
        assert_eq!(key.normal_f64(4), normal);
        assert_eq!(key.permutation(10), [5, 3, 8, 2, 4, 7, 9, 6, 0, 1]);
        assert_eq!(key.choose(1000, 5), [593, 292, 841, 852, 54]);
        assert_eq!(key.below(1000), 593);
    }

    #[test]
    fn a_shorter_list_begins_a_longer_one() {
        let key = RandomKey::new(3).fold("list");
        assert_eq!(key.uniform_f64(5)[..], key.uniform_f64(9)[..5]);
        assert_eq!(key.normal_f64(5)[..], key.normal_f64(9)[..5]);
        assert_eq!(key.choose(50, 5)[..], key.permutation(50)[..5]);
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        let key = RandomKey::new(1);
        let count = 100_000;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        // Standard errors: 0.29, 0.003 and 0.0045 per cent of the widths; five of them are allowed.
        assert!((mean(&key.uniform_f64(count)) - 0.5).abs() < 5e-3);
        let normal = key.normal_f64(count);
        assert!(mean(&normal).abs() < 0.016);
        let squares: Vec<f64> = normal.iter().map(|v| v * v).collect();
        assert!((mean(&squares) - 1.0).abs() < 0.023);
    }

    #[test]
    fn permutation_holds_every_number_once() {
        let mut order = RandomKey::new(5).permutation(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, &v)| i == v));
    }

    #[test]
    fn below_is_even() {
        let mut seen = [0_u32; 6];
        for i in 0..6000 {
            seen[RandomKey::new(2).fold_u64(i).below(6) as usize] += 1;
        }
        // Standard deviation 29; six of them.
        assert!(seen.iter().all(|&n| (826..1174).contains(&n)), "{seen:?}");
        assert_eq!(RandomKey::new(0).below(0), 0);
    }
}
