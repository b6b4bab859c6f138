//! Picks the widest instruction set of the processor for a loop, at run time.
//!
//! A loop is written once as a [`Kernel`] whose `run` is `#[inline(always)]`; it is then compiled
//! into one function per level, where the compiler vectorises it with that level's registers.

use std::sync::atomic::{AtomicU8, Ordering};

/// A loop that is compiled for every level. `run` and what it calls must be inlined.
pub(crate) trait Kernel {
    type Output;
    fn run(self) -> Self::Output;
}

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// What every processor of the target has.
    Baseline = 1,
    /// AVX2 and FMA.
    Avx2 = 2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
}

impl Instructions {
    /// The level in use.
    #[must_use]
    pub fn in_use() -> Self {
        level()
    }

    /// Whether this processor has them.
    #[must_use]
    pub fn are_available(self) -> bool {
        self <= best()
    }

    /// The name in options, keys and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// 0 = not looked up yet.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level in use.
#[inline]
pub(crate) fn level() -> Instructions {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Instructions::Baseline,
        2 => Instructions::Avx2,
        3 => Instructions::Avx512,
        _ => {
            let best = best();
            LEVEL.store(best as u8, Ordering::Relaxed);
            best
        }
    }
}

/// Uses no more than these instructions from now on, and fewer where the processor has fewer. Sums and products are rounded
/// differently with other instructions: results then differ in their last digits.
pub fn use_at_most(instructions: Instructions) {
    LEVEL.store(instructions.min(best()) as u8, Ordering::Relaxed);
}

#[cfg(target_arch = "x86_64")]
fn best() -> Instructions {
    let v3 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let v4 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (v3, v4) {
        (true, true) => Instructions::Avx512,
        (true, false) => Instructions::Avx2,
        _ => Instructions::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> Instructions {
    Instructions::Baseline
}

/// Runs the kernel compiled for the processor's level.
#[inline]
#[cfg(target_arch = "x86_64")]
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    match level() {
        Instructions::Baseline => plain(kernel),
        // SAFETY: `level` never exceeds what `best` found on this processor.
        Instructions::Avx2 => unsafe { v3(kernel) },
        // SAFETY: as above.
        Instructions::Avx512 => unsafe { v4(kernel) },
    }
}

/// Runs the kernel compiled for the processor's level.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    plain(kernel)
}

fn plain<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn v3<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn v4<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
