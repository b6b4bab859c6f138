//! Arrays in MATLAB files of version 5 (`.mat`, to version 7 of the program), little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 128 | header: text, version 0x0100, `IM` |
//! | | elements, one for each variable |
//!
//! An element is a type, a length and bytes, filled up to 8; type and length of at most 4 bytes stand in 4 bytes together. A
//! variable is an element of type 14 with elements inside (flags, axes, name, numbers), often packed into one of type 15 (zlib).
//! Numbers lie with the first axis fastest.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use crate::foreign::Number;

const HEADER_BYTES: usize = 128;
const VERSION: [u8; 4] = [0x00, 0x01, b'I', b'M'];
/// How files of version 7.3 begin, which are HDF5.
const NEWER: &[u8] = b"MATLAB 7.3";
const MATRIX: u32 = 14;
const PACKED: u32 = 15;
/// No variable of a known data set is larger; a small file may unpack to any size.
const MOST_BYTES: u64 = 1 << 31;

/// A numeric variable; numbers as they lie in the file.
#[derive(Debug, PartialEq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// The first one is the fastest.
    pub(crate) axes: Vec<usize>,
    pub(crate) number: Number,
    pub(crate) bytes: Vec<u8>,
}

/// The variables of a file.
pub(crate) fn variables(file: &[u8]) -> Result<Vec<Variable>, String> {
    if file.starts_with(NEWER) {
        return Err("it is of version 7.3 of MATLAB's format, which is HDF5; save it as version 5 or 7".to_owned());
    }
    if file.get(HEADER_BYTES - VERSION.len()..HEADER_BYTES) != Some(&VERSION) {
        return Err("it is no MATLAB file of version 5".to_owned());
    }
    let mut rest = &file[HEADER_BYTES..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (element, after) = element(rest)?;
        rest = after;
        if element.kind == PACKED {
            let mut unpacked = Vec::new();
            ZlibDecoder::new(element.bytes)
                .take(MOST_BYTES)
                .read_to_end(&mut unpacked)
                .map_err(|error| format!("a packed variable is damaged ({error})"))?;
            found.extend(variable(&self::element(&unpacked)?.0)?);
        } else {
            found.extend(variable(&element)?);
        }
    }
    Ok(found)
}

struct Element<'a> {
    kind: u32,
    bytes: &'a [u8],
}

/// The first element, and what follows it.
fn element(bytes: &[u8]) -> Result<(Element<'_>, &[u8]), String> {
    let cut = || "it is cut off".to_owned();
    let word = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.first_chunk::<4>()).ok_or_else(cut)?;
        Ok::<u32, String>(u32::from_le_bytes(*four))
    };
    let first = word(0)?;
    if first >> 16 != 0 {
        let length = (first >> 16) as usize;
        let inside = bytes.get(4..4 + length.min(4)).filter(|inside| inside.len() == length).ok_or_else(cut)?;
        return Ok((Element { kind: first & 0xffff, bytes: inside }, bytes.get(8..).unwrap_or_default()));
    }
    let length = word(4)? as usize;
    let end = length.checked_add(8).ok_or_else(cut)?;
    let inside = bytes.get(8..end).ok_or_else(cut)?;
    let filled = if first == PACKED { end } else { end.next_multiple_of(8) };
    Ok((Element { kind: first, bytes: inside }, bytes.get(filled..).unwrap_or_default()))
}

/// The variable in an element, if it is one of numbers.
fn variable(matrix: &Element<'_>) -> Result<Option<Variable>, String> {
    if matrix.kind != MATRIX {
        return Ok(None);
    }
    let (_, rest) = element(matrix.bytes)?;
    let (axes, rest) = element(rest)?;
    let (name, rest) = element(rest)?;
    let name = String::from_utf8_lossy(name.bytes).into_owned();
    let axes: Vec<usize> =
        axes.bytes.as_chunks::<4>().0.iter().map(|axis| u32::from_le_bytes(*axis) as usize).collect();
    // Cells, structures and objects have further elements inside instead.
    let Ok((numbers, _)) = element(rest) else { return Ok(None) };
    let number = match numbers.kind {
        1 => Number::I8,
        2 => Number::U8,
        3 => Number::I16,
        4 => Number::U16,
        5 => Number::I32,
        6 => Number::U32,
        7 => Number::F32,
        9 => Number::F64,
        12 => Number::I64,
        13 => Number::U64,
        _ => return Ok(None),
    };
    let count = axes.iter().try_fold(number.bytes(), |count, axis| count.checked_mul(*axis));
    if count != Some(numbers.bytes.len()) {
        let found = numbers.bytes.len() / number.bytes();
        return Err(format!("the variable `{name}` says {axes:?} and has {found} numbers"));
    }
    Ok(Some(Variable { name, axes, number, bytes: numbers.bytes.to_vec() }))
}
