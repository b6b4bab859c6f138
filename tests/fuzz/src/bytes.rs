//! Damage to bytes of which nothing is known.

use crate::Chance;

/// Numbers at the edges of what a field can hold.
const EDGES: [u64; 9] = [0, 1, 7, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// One of the corpus after one to six changes.
#[must_use]
pub fn damaged(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = chance.one_of(corpus).clone();
    for _ in 0..=chance.below(6) {
        change(chance, &mut bytes, corpus);
    }
    bytes
}

fn change(chance: &mut Chance, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = chance.below(bytes.len() + 1);
    match chance.below(7) {
        0 => flip(chance, bytes),
        1 => bytes.truncate(at),
        2 => {
            let end = (at + 1 + chance.below(16)).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => bytes.insert(at, chance.number() as u8),
        4 => {
            // A number of 1 to 8 bytes, little endian, in place of what is there.
            let number = if chance.below(2) == 0 { *chance.one_of(&EDGES) } else { chance.number() };
            let width = 1 << chance.below(4);
            for (place, byte) in bytes.iter_mut().skip(at).zip(number.to_le_bytes()).take(width) {
                *place = byte;
            }
        }
        5 => {
            let other = chance.one_of(corpus);
            let from = chance.below(other.len() + 1);
            let piece = other[from..(from + chance.below(64)).min(other.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = chance.number() as u8;
            }
        }
    }
}

fn flip(chance: &mut Chance, bytes: &mut [u8]) {
    let at = chance.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << chance.below(8);
    }
}
