//! NumPy's `.npy` files, and `.npz`, archives of them.
//!
//! | bytes | what |
//! |---|---|
//! | 6 | `\x93NUMPY` |
//! | 2 | version: 1, 2 or 3, and 0 |
//! | 2 or 4 | length of the header (4 from version 2 on) |
//! | | header: a Python dictionary with `descr`, `fortran_order` and `shape` |
//! | | the numbers |

use std::io::Read;
use std::sync::Arc;

use super::array::{Array, MOST_BYTES, Number};
use super::tree::Foreign;

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// No header is longer; a damaged one may claim any length.
const MOST_HEADER_BYTES: usize = 1 << 16;
/// No array has more axes.
const MOST_AXES: usize = 32;

/// The number type of a NumPy name such as `f4` or `<f4`.
pub(super) fn number(name: &str) -> Option<Number> {
    Some(match name.trim_start_matches(['<', '>', '|', '=']) {
        "b1" | "?" => Number::Bool,
        "u1" => Number::U8,
        "i1" => Number::I8,
        "u2" => Number::U16,
        "i2" => Number::I16,
        "u4" => Number::U32,
        "i4" => Number::I32,
        "u8" => Number::U64,
        "i8" => Number::I64,
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        _ => return None,
    })
}

/// An array, or a list of texts.
pub(super) fn read(reader: &mut dyn Read) -> Result<Foreign, String> {
    let mut start = [0; 8];
    fill(reader, &mut start)?;
    if start[..6] != *MAGIC || !(1..=3).contains(&start[6]) {
        return Err("it is no array of NumPy".to_owned());
    }
    let mut length = [0; 4];
    fill(reader, if start[6] == 1 { &mut length[..2] } else { &mut length })?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_HEADER_BYTES {
        return Err(format!("its header has {length} bytes"));
    }
    let mut header = vec![0; length];
    fill(reader, &mut header)?;
    let header = String::from_utf8_lossy(&header);
    let type_name =
        quoted(after(&header, "descr")?).ok_or("it is an array of records; save each column as an array of its own")?;
    let shape = sizes(after(&header, "shape")?)?;
    let columns_first = after(&header, "fortran_order")?.starts_with("True");
    let texts = type_name.strip_prefix("<U").and_then(|count| count.parse::<usize>().ok());
    let width = match (texts, number(type_name)) {
        (Some(characters), _) => characters.checked_mul(4),
        (None, Some(number)) => Some(number.bytes()),
        (None, None) if type_name.contains('O') => {
            return Err("it holds Python objects, which only Python can read; save numbers".to_owned());
        }
        (None, None) => return Err(format!("its numbers have the type `{type_name}`, which is not read")),
    };
    let count = shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis));
    let expected = count.zip(width).and_then(|(count, width)| count.checked_mul(width));
    let expected = expected.filter(|bytes| *bytes as u64 <= MOST_BYTES);
    let expected = expected.ok_or_else(|| format!("its shape {shape:?} is too large"))?;
    let mut bytes = Vec::new();
    reader.take(expected as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() < expected {
        return Err(format!(
            "it is cut off: its shape {shape:?} has {expected} bytes, of which {} are there",
            bytes.len()
        ));
    }
    // An archive's checksum is compared where an entry ends.
    if reader.read(&mut [0]).map_err(|error| error.to_string())? > 0 {
        return Err(format!("it has more than the {expected} bytes of its shape {shape:?}"));
    }
    if let Some(characters) = texts {
        return Ok(Foreign::List(bytes.chunks_exact((4 * characters).max(1)).map(text).collect()));
    }
    let Some(number) = number(type_name) else { return Err("its type is not read".to_owned()) };
    if type_name.starts_with('>') {
        bytes.chunks_exact_mut(number.bytes()).for_each(<[u8]>::reverse);
    }
    let bytes = Arc::new(bytes);
    let array = if columns_first {
        let steps: Vec<usize> = shape
            .iter()
            .scan(1_usize, |step, axis| {
                let own = *step;
                *step = step.saturating_mul(*axis);
                Some(own)
            })
            .collect();
        Array::strided(shape, &steps, number, (&bytes, 0))
    } else {
        Array::new(shape, number, bytes, 0)
    };
    array.map(Foreign::Array).ok_or_else(|| "its shape and its numbers do not fit".to_owned())
}

/// Four bytes for each character, zeros at the end.
fn text(bytes: &[u8]) -> Foreign {
    let characters =
        bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).take_while(|code| *code != 0);
    Foreign::Text(characters.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

fn fill(reader: &mut dyn Read, bytes: &mut [u8]) -> Result<(), String> {
    reader.read_exact(bytes).map_err(|_| "it is cut off inside of its header".to_owned())
}

/// What follows a key of the header.
fn after<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let rest = header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    rest.ok_or_else(|| format!("its header has no `{key}`"))
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.split_once('\'').map(|(inner, _)| inner)
}

fn sizes(text: &str) -> Result<Vec<usize>, String> {
    let inner = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or("its header has no shape")?.0;
    let sizes: Result<Vec<usize>, _> =
        inner.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse).collect();
    let sizes = sizes.map_err(|_| format!("its shape is ({inner})"))?;
    if sizes.len() > MOST_AXES { Err(format!("it has {} axes", sizes.len())) } else { Ok(sizes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, bytes: &[u8]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend([1, 0]);
        file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        file.extend(header.bytes());
        file.extend(bytes);
        file
    }

    fn values(header: &str, bytes: &[u8]) -> Result<(Vec<usize>, Vec<f64>), String> {
        match read(&mut npy(header, bytes).as_slice())? {
            Foreign::Array(array) => Ok((array.shape().to_vec(), array.to_f64())),
            other => Err(other.shown()),
        }
    }

    #[test]
    fn both_orders_of_axes_and_bytes_are_read() {
        let rows = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(values(rows, &[0, 1, 2, 3, 4, 5]).unwrap(), (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        let columns = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }";
        assert_eq!(values(columns, &[0, 3, 1, 4, 2, 5]).unwrap(), (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        let big = "{'descr': '>i2', 'fortran_order': False, 'shape': (1,), }";
        assert_eq!(values(big, &[1, 0]).unwrap(), (vec![1], vec![256.0]));
        let single = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }";
        assert_eq!(values(single, &0.1_f64.to_le_bytes()).unwrap(), (Vec::new(), vec![0.1]));
    }

    #[test]
    fn texts_are_read() {
        let bytes: Vec<u8> = "ab\0ä\0\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let file = npy("{'descr': '<U3', 'fortran_order': False, 'shape': (2,), }", &bytes);
        assert_eq!(read(&mut file.as_slice()).unwrap().texts().unwrap(), ["ab", "ä"]);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let refused = |header: &str, what: &str| {
            let error = values(header, &[0; 4]).unwrap_err();
            assert!(error.contains(what), "{error}");
        };
        refused("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "Python objects");
        refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "records");
        refused("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "`<c8`");
        refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "8 bytes, of which 4");
        refused("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "more than the 3 bytes");
        refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", "too large");
        refused("{'descr': '<f4', 'fortran_order': False, }", "no `shape`");
        assert!(read(&mut &b"\x93NUMPY\x01"[..]).unwrap_err().contains("cut off"));
    }
}
