//! What a file says about itself before the loader sees it: a foreign, cut or empty file must not reach `dlopen`, which may
//! crash on some of them.

/// Why a file is not a library of this machine; `None` when nothing speaks against it.
#[doc(hidden)]
pub fn fault(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("the file is empty".to_owned());
    }
    if cfg!(target_os = "linux") {
        elf_fault(bytes)
    } else if cfg!(windows) {
        (!bytes.starts_with(b"MZ")).then(|| "the file is not a DLL".to_owned())
    } else {
        // Mach-O, 64 bits or universal.
        let known: [&[u8]; 2] = [&[0xcf, 0xfa, 0xed, 0xfe], &[0xca, 0xfe, 0xba, 0xbe]];
        (!known.iter().any(|magic| bytes.starts_with(magic))).then(|| "the file is not a Mach-O library".to_owned())
    }
}

const ELF_HEADER: usize = 64;
const ELF_DYNAMIC: u16 = 3;

/// The machine number of this build in ELF; 0 for one that is not listed, which skips the check.
const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

fn elf_fault(bytes: &[u8]) -> Option<String> {
    let fault = |text: &str| Some(text.to_owned());
    if !bytes.starts_with(b"\x7fELF") {
        return fault("the file is not an ELF library");
    }
    if bytes.len() < ELF_HEADER {
        return fault("the file is cut short: it ends within its header");
    }
    if bytes[4] != 2 || bytes[5] != if cfg!(target_endian = "little") { 1 } else { 2 } {
        return fault("the library is for another word size or byte order");
    }
    let half = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    if half(16) != ELF_DYNAMIC {
        return fault("the ELF file is not a dynamic library");
    }
    let machine = half(18);
    if MACHINE != 0 && machine != MACHINE {
        return Some(format!("the library is for machine {machine}, but this one is {MACHINE}"));
    }
    cut_short(bytes)
}

/// Whether the segments or the section table end beyond the file.
fn cut_short(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| -> Option<u64> {
        bytes.get(at..at.checked_add(8)?).and_then(|slice| slice.try_into().ok()).map(u64::from_ne_bytes)
    };
    let half = |at: usize| -> Option<u64> {
        bytes.get(at..at + 2).and_then(|slice| slice.try_into().ok()).map(|two| u64::from(u16::from_ne_bytes(two)))
    };
    let size = bytes.len() as u64;
    let segments = || -> Option<u64> {
        let (start, width, count) = (word(32)?, half(54)?, half(56)?);
        let mut end = start.checked_add(width.checked_mul(count)?)?;
        for number in 0..count {
            let at = usize::try_from(start.checked_add(number.checked_mul(width)?)?).ok()?;
            end = end.max(word(at.checked_add(8)?)?.checked_add(word(at.checked_add(32)?)?)?);
        }
        Some(end)
    };
    let sections = || -> Option<u64> { word(40)?.checked_add(half(58)?.checked_mul(half(60)?)?) };
    match segments().zip(sections()) {
        Some((segments, sections)) if segments.max(sections) <= size => None,
        Some((segments, sections)) => {
            Some(format!("the file is cut short: it has {size} bytes of {}", segments.max(sections)))
        }
        None => Some("the file is cut short or its header is damaged".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_of_a_library_passes_and_none_panics() {
        let Ok(program) = std::env::current_exe().and_then(fs_err::read) else {
            return;
        };
        // The test program is itself a position-independent ELF file.
        if cfg!(target_os = "linux") {
            assert_eq!(fault(&program), None);
            let steps = (0..200).chain((200..program.len()).step_by(program.len() / 50 + 1));
            for length in steps {
                assert!(fault(&program[..length]).is_some(), "{length}");
            }
        }
    }

    #[test]
    fn noise_after_the_magic_is_refused() {
        let mut bytes = vec![0xffu8; 4096];
        bytes[..4].copy_from_slice(b"\x7fELF");
        assert!(fault(&bytes).is_some());
        bytes[4] = 2;
        bytes[5] = 1;
        bytes[16..18].copy_from_slice(&3u16.to_ne_bytes());
        bytes[18..20].copy_from_slice(&MACHINE.to_ne_bytes());
        assert!(fault(&bytes).is_some());
    }
    #[test]
    fn a_table_of_segments_beyond_all_addresses_is_damage() {
        let mut bytes = vec![0_u8; 256];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16..18].copy_from_slice(&ELF_DYNAMIC.to_ne_bytes());
        bytes[18..20].copy_from_slice(&MACHINE.to_ne_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_ne_bytes());
        for start in [u64::MAX, u64::MAX - 8, u64::MAX - 40] {
            bytes[32..40].copy_from_slice(&start.to_ne_bytes());
            let told = fault(&bytes);
            assert!(told.is_some_and(|told| told.contains("damaged")) || cfg!(not(target_os = "linux")), "{start:x}");
        }
    }
}
