//! Registers for the kernels that the compiler would not vectorise well by itself: products and convolutions.

use std::ops::{Add, Mul, Sub};

use super::simd::{Instructions, level};

/// One register of numbers. The functions are only for code that [`dispatch`] or [`Number::dispatch`] has entered, because they
/// use the instructions of the type's level; pointers must be valid for all lanes.
pub trait Register<T>: Copy {
    /// Numbers in a register.
    const LANES: usize;
    /// Registers that a loop may use for its sums, some being left for its operands.
    const SUMS: usize;

    unsafe fn splat(value: T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self + a * b`, rounded once where the level has such an instruction.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
}

/// What convolutions need beside that, in single precision.
pub(crate) trait Vector: Register<f32> {
    /// The first `count` lanes; the others are zero and their memory is not touched.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;
    /// Stores the first `count` lanes.
    unsafe fn store_first(self, to: *mut f32, count: usize);
    /// Reads the lanes of `rows` as columns: result `i` holds lane `i` of every row.
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]);
    /// Sum of the lanes.
    unsafe fn total(self) -> f32;
}

/// The widest register.
pub(crate) const MAX_LANES: usize = 16;

/// A square of `N` registers, read row by row.
///
/// # Safety
/// Level of `V`; every register is readable.
#[inline(always)]
pub(crate) unsafe fn load_square<V: Vector, const N: usize>(
    from: *const f32,
    row: usize,
    column: usize,
) -> [[V; N]; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut square = [[V::splat(0.0); N]; N];
        for (r, values) in square.iter_mut().enumerate() {
            for (c, value) in values.iter_mut().enumerate() {
                *value = V::load(from.add(r * row + c * column));
            }
        }
        square
    }
}

/// Rows of the next block of sums when `left` rows are left and a block may have `most`: one of few
/// sizes, because each is a function of its own.
#[inline(always)]
pub(crate) fn block_rows(left: usize, most: usize) -> usize {
    match left.min(most) {
        12.. if left != 16 => 12,
        8.. => 8,
        // Eight are two blocks of four, as a block of two has a load for each of its sums.
        6.. if left != 8 => 6,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

/// A loop over registers, compiled for every level. `run` and what it calls must be inlined.
pub(crate) trait VectorKernel {
    type Output;
    /// # Safety
    /// The processor has the instructions of `V`.
    ///
    /// Closures that use registers are compiled without the instructions of the level: use loops.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

/// As [`VectorKernel`], for either precision.
pub trait RegisterKernel<T> {
    /// # Safety
    /// The processor has the instructions of `V`.
    unsafe fn run<V: Register<T>>(self);
}

/// Lanes of the level in use.
pub(crate) fn lanes() -> usize {
    match level() {
        Instructions::Avx512 => 16,
        Instructions::Baseline | Instructions::Avx2 => 8,
    }
}

/// Runs the kernel with the registers of the level in use.
#[inline]
pub(crate) fn dispatch<K: VectorKernel>(kernel: K) -> K::Output {
    match level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level never exceeds what the processor has.
        Instructions::Avx512 => unsafe { x86::v4(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Instructions::Avx2 => unsafe { x86::v3(kernel) },
        // SAFETY: `Plain` needs no special instruction.
        _ => unsafe { kernel.run::<Plain<f32>>() },
    }
}

/// A precision that there are registers for.
pub trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// Runs the kernel with the registers of the level in use.
    fn dispatch(kernel: impl RegisterKernel<Self>);
}

macro_rules! number {
    ($number:ident, $v4:ident, $v3:ident) => {
        impl Number for $number {
            fn dispatch(kernel: impl RegisterKernel<Self>) {
                match level() {
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: the level never exceeds what the processor has.
                    Instructions::Avx512 => unsafe { x86::with_v4::<Self, x86::$v4>(kernel) },
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: as above.
                    Instructions::Avx2 => unsafe { x86::with_v3::<Self, x86::$v3>(kernel) },
                    // SAFETY: `Plain` needs no special instruction.
                    _ => unsafe { kernel.run::<Plain<Self>>() },
                }
            }
        }
    };
}

number!(f32, V4, V3);
number!(f64, V4Double, V3Double);

/// Eight numbers in whatever registers every processor of the target has.
#[derive(Clone, Copy)]
struct Plain<T>([T; 8]);

impl<T: Number> Plain<T> {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl<T: Number> Register<T> for Plain<T> {
    const LANES: usize = 8;
    const SUMS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: T) -> Self {
        Self([value; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: eight lanes are readable.
        Self(unsafe { from.cast::<[T; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: eight lanes are writable.
        unsafe { to.cast::<[T; 8]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| a * b), |sum, product| sum + product)
    }
}

impl Vector for Plain<f32> {
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: only the first `count` lanes are read.
        Self(std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        for (i, value) in self.0.into_iter().enumerate().take(count) {
            // SAFETY: the first `count` lanes are writable.
            unsafe { *to.add(i) = value };
        }
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
        for i in 0..8 {
            for j in 0..i {
                let (a, b) = (rows[i].0[j], rows[j].0[i]);
                rows[i].0[j] = b;
                rows[j].0[i] = a;
            }
        }
    }
    #[inline(always)]
    unsafe fn total(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (b + f)) + ((c + g) + (d + h))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{MAX_LANES, Register, RegisterKernel, Vector, VectorKernel};

    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn v4<K: VectorKernel>(kernel: K) -> K::Output {
        // SAFETY: this function has the instructions of `V4`.
        unsafe { kernel.run::<V4>() }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn v3<K: VectorKernel>(kernel: K) -> K::Output {
        // SAFETY: this function has the instructions of `V3`.
        unsafe { kernel.run::<V3>() }
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn with_v4<T, V: Register<T>>(kernel: impl RegisterKernel<T>) {
        // SAFETY: this function has the instructions of AVX-512.
        unsafe { kernel.run::<V>() }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn with_v3<T, V: Register<T>>(kernel: impl RegisterKernel<T>) {
        // SAFETY: this function has the instructions of AVX2.
        unsafe { kernel.run::<V>() }
    }

    macro_rules! registers {
        ($($(#[$doc:meta])* $name:ident($inner:ty): $lanes:literal of $number:ty, $sums:literal sums,
            $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $add_product:ident;)*) => {$(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(super) struct $name($inner);

            // SAFETY of every block below: callers run at the level of the type and pass valid pointers (see the trait).
            impl Register<$number> for $name {
                const LANES: usize = $lanes;
                const SUMS: usize = $sums;

                #[inline(always)]
                unsafe fn splat(value: $number) -> Self {
                    // SAFETY: the level.
                    Self(unsafe { $splat(value) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $number) -> Self {
                    // SAFETY: the level, readable lanes.
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $number) {
                    // SAFETY: the level, writable lanes.
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the level.
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    // SAFETY: the level.
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: the level.
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // SAFETY: the level.
                    Self(unsafe { $add_product(a.0, b.0, self.0) })
                }
            }
        )*};
    }

    registers! {
        /// AVX-512.
        V4(__m512): 16 of f32, 24 sums, _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_fmadd_ps;
        /// AVX-512.
        V4Double(__m512d): 8 of f64, 24 sums, _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_fmadd_pd;
        /// AVX2 and FMA.
        V3(__m256): 8 of f32, 12 sums, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_fmadd_ps;
        /// AVX2 and FMA.
        V3Double(__m256d): 4 of f64, 12 sums, _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_fmadd_pd;
    }

    /// The first `count` of sixteen lanes.
    #[inline(always)]
    fn mask(count: usize) -> __mmask16 {
        if count >= 16 { !0 } else { (1 << count) - 1 }
    }

    // SAFETY of every block below: callers run at level V4 and pass valid pointers (see the trait).
    impl Vector for V4 {
        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            // SAFETY: level V4; masked lanes are not touched.
            Self(unsafe { _mm512_maskz_loadu_ps(mask(count), from) })
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            // SAFETY: level V4; masked lanes are not touched.
            unsafe { _mm512_mask_storeu_ps(to, mask(count), self.0) }
        }
        #[inline(always)]
        unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
            // SAFETY: level V4.
            unsafe {
                // Pairs of rows, then fours: lane group `q` of `fours[4 * b + j]` holds column
                // `4 * q + j` of rows `4 * b ..`.
                let mut pairs = [_mm512_setzero_pd(); 16];
                for i in (0..16).step_by(2) {
                    let (a, b) = (rows[i].0, rows[i + 1].0);
                    pairs[i] = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
                    pairs[i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
                }
                let mut fours = [_mm512_setzero_ps(); 16];
                for i in (0..16).step_by(4) {
                    for half in 0..2 {
                        let (a, b) = (pairs[i + half], pairs[i + 2 + half]);
                        fours[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                        fours[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                    }
                }
                for j in 0..4 {
                    let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
                    let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b);
                    let high = _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b);
                    let low_right = _mm512_shuffle_f32x4::<0b01_00_01_00>(c, d);
                    let high_right = _mm512_shuffle_f32x4::<0b11_10_11_10>(c, d);
                    rows[j] = Self(_mm512_shuffle_f32x4::<0b10_00_10_00>(low, low_right));
                    rows[4 + j] = Self(_mm512_shuffle_f32x4::<0b11_01_11_01>(low, low_right));
                    rows[8 + j] = Self(_mm512_shuffle_f32x4::<0b10_00_10_00>(high, high_right));
                    rows[12 + j] = Self(_mm512_shuffle_f32x4::<0b11_01_11_01>(high, high_right));
                }
            }
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: level V4.
            unsafe { _mm512_reduce_add_ps(self.0) }
        }
    }

    impl V3 {
        #[inline(always)]
        unsafe fn mask(count: usize) -> __m256i {
            const BITS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
            // SAFETY: the start is at most 8, so that eight of the sixteen numbers follow.
            unsafe { _mm256_loadu_si256(BITS.as_ptr().add(8 - count.min(8)).cast()) }
        }
    }

    // SAFETY of every block below: callers run at level V3 or higher and pass valid pointers.
    impl Vector for V3 {
        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            // SAFETY: level V3; masked lanes are not touched.
            Self(unsafe { _mm256_maskload_ps(from, Self::mask(count)) })
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            // SAFETY: level V3; masked lanes are not touched.
            unsafe { _mm256_maskstore_ps(to, Self::mask(count), self.0) }
        }
        #[inline(always)]
        unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
            // SAFETY: level V3.
            unsafe {
                let mut pairs = [_mm256_setzero_ps(); 8];
                for i in (0..8).step_by(2) {
                    pairs[i] = _mm256_unpacklo_ps(rows[i].0, rows[i + 1].0);
                    pairs[i + 1] = _mm256_unpackhi_ps(rows[i].0, rows[i + 1].0);
                }
                let mut fours = [_mm256_setzero_ps(); 8];
                for i in (0..8).step_by(4) {
                    for half in 0..2 {
                        let (a, b) = (pairs[i + half], pairs[i + 2 + half]);
                        fours[i + 2 * half] = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                        fours[i + 2 * half + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
                    }
                }
                for j in 0..4 {
                    rows[j] = Self(_mm256_permute2f128_ps::<0x20>(fours[j], fours[4 + j]));
                    rows[4 + j] = Self(_mm256_permute2f128_ps::<0x31>(fours[j], fours[4 + j]));
                }
            }
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: level V3.
            unsafe {
                let half = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
                _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
            }
        }
    }
}
