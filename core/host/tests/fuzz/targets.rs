//! What of this crate judges plugins before any of their code runs. Shared by the test `fuzz` and the example
//! `fuzz_plugins`.

use crate::image::{CHANGE_BYTES, Image};
use pddflow_fuzz::{Chance, Target, bytes};

/// Numbers at the edges of sizes, counts, lengths and pointers.
const EDGES: [u64; 14] = [0, 1, 2, 8, 63, 64, 103, 104, 256, 257, 4097, 1 << 20, u32::MAX as u64, u64::MAX];

/// The exported header with all that hangs on it. An input is a list of changes to one that is right.
pub(crate) fn headers() -> Target {
    let program = std::env::current_exe().and_then(fs_err::canonicalize).expect("this program");
    let change = |at: u16, way: u8, number: u64| [&at.to_le_bytes()[..], &[way], &number.to_le_bytes()].concat();
    Target {
        name: "headers",
        corpus: vec![
            Vec::new(),
            // Another magic; no size; no descriptors; a list that leads into itself; a text of endless length.
            change(0, 3, 0),
            change(8, 2, 0),
            change(88, 0, u64::MAX),
            change(80, 1, 80),
            change(40, 0, u64::MAX),
        ],
        make: Box::new(|chance, _| changes(chance)),
        check: Box::new(move |input| {
            let mut image = Image::new();
            image.change(input);
            let Some(ids) = image.judge(&program) else { return false };
            assert!(!ids.is_empty() && ids.iter().all(|id| id.starts_with(|letter: char| letter.is_ascii_lowercase())));
            true
        }),
    }
}

fn changes(chance: &mut Chance) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * CHANGE_BYTES);
    for _ in 0..=chance.below(4) {
        // Fields begin at multiples of four.
        let at = chance.below(size_of::<Image>() / 4) as u16 * 4 + u16::from(chance.below(8) == 0);
        let number = if chance.below(3) == 0 { chance.number() } else { *chance.one_of(&EDGES) };
        bytes.extend_from_slice(&at.to_le_bytes());
        bytes.push(chance.below(4) as u8);
        let number = if chance.below(2) == 0 { chance.number() % 600 } else { number };
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// Whole files, as they are judged before the loader of the system sees them.
pub(crate) fn files() -> Target {
    Target {
        name: "plugin-files",
        corpus: vec![library(), library()[..100].to_vec(), b"\x7fELF".to_vec(), Vec::new()],
        make: Box::new(bytes::damaged),
        check: Box::new(|input| match pddflow_host::file_fault(input) {
            Some(fault) => fault.is_empty(),
            None => true,
        }),
    }
}

/// A library in which nothing is but its tables: ELF header, one segment, one section.
fn library() -> Vec<u8> {
    let mut bytes = vec![0; 64 + 56 + 64];
    let program = std::env::current_exe().and_then(fs_err::read).expect("this program");
    // Machine, width and byte order of this program.
    bytes[..20].copy_from_slice(&program[..20]);
    bytes[16..18].copy_from_slice(&3_u16.to_ne_bytes());
    let mut set = |at: usize, number: u64, width: usize| {
        bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
    };
    for (at, number, width) in [(32, 64, 8), (40, 120, 8), (54, 56, 2), (56, 1, 2), (58, 64, 2), (60, 1, 2)] {
        set(at, number, width);
    }
    // The segment is the whole file.
    set(64 + 32, 184, 8);
    bytes
}
