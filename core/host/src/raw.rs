//! Pointers that a plugin passed to a host function.
//!
//! The functions here check what can be checked (NULL, alignment, length, UTF-8). That memory of the stated length is readable or
//! writable during the call is the part of the contract in `pddflow.h` that only the plugin can keep; each table function
//! passes pointers from its own arguments only.

use crate::error::Fault;
use pddflow_abi::{self as abi, Status};

/// Most elements of an array of handles or numbers.
const COUNT_LIMIT: u64 = 1 << 20;
/// Most axes.
const RANK_LIMIT: u64 = 16;

/// An array of `count` elements.
pub(crate) fn slice<'a, T>(data: *const T, count: u64, what: &str) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    check(data, what)?;
    if count > COUNT_LIMIT {
        return Err(Fault::invalid(format!("{what} has {count} elements, more than {COUNT_LIMIT}")));
    }
    let count = usize::try_from(count).map_err(|_| Fault::invalid("count out of range"))?;
    // SAFETY: not NULL and aligned (checked); readable for `count` elements by the contract of the table.
    Ok(unsafe { std::slice::from_raw_parts(data, count) })
}

/// An array to fill.
pub(crate) fn slice_mut<'a, T>(data: *mut T, count: u64, what: &str) -> Result<&'a mut [T], Fault> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(data.cast_const(), what)?;
    let count = usize::try_from(count).map_err(|_| Fault::invalid("count out of range"))?;
    // SAFETY: not NULL and aligned (checked); writable for `count` elements by the contract of the table.
    Ok(unsafe { std::slice::from_raw_parts_mut(data, count) })
}

/// Axes or other small numbers.
pub(crate) fn axes(data: *const u64, count: u64, what: &str) -> Result<Vec<usize>, Fault> {
    if count > RANK_LIMIT * 2 {
        return Err(Fault::invalid(format!("{what} has {count} numbers, more than {}", RANK_LIMIT * 2)));
    }
    slice(data, count, what)?.iter().map(|&number| index(number, what)).collect()
}

/// Most elements of a tensor that a plugin makes: 2^31, 16 GiB in double precision.
const ELEMENT_LIMIT: usize = 1 << 31;

/// The shape of a tensor that is to be made, and the number of its elements.
pub(crate) fn shape(shape: *const u64, rank: u64) -> Result<(Vec<usize>, usize), Fault> {
    if rank > RANK_LIMIT {
        return Err(Fault::new(Status::Shape, format!("{rank} axes are more than {RANK_LIMIT}")));
    }
    let shape = axes(shape, rank, "the shape")?;
    let elements = elements(&shape)?;
    Ok((shape, elements))
}

/// The number of elements of a shape, if so many can be.
pub(crate) fn elements(shape: &[usize]) -> Result<usize, Fault> {
    let elements = shape.iter().try_fold(1usize, |product, axis| product.checked_mul(*axis));
    elements.filter(|elements| *elements <= ELEMENT_LIMIT).ok_or_else(|| {
        Fault::new(Status::OutOfMemory, format!("shape {shape:?} has more than {ELEMENT_LIMIT} elements"))
    })
}

/// A number as an index.
pub(crate) fn index(number: u64, what: &str) -> Result<usize, Fault> {
    usize::try_from(number).map_err(|_| Fault::invalid(format!("{what} {number} is out of range")))
}

/// A text, copied.
pub(crate) fn text(text: abi::Text, limit: u64, what: &str) -> Result<String, Fault> {
    if text.length > limit {
        return Err(Fault::invalid(format!("{what} has {} bytes, more than {limit}", text.length)));
    }
    let bytes = slice(text.data.cast::<u8>(), text.length, what)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::invalid(format!("{what} is not UTF-8")))?;
    Ok(text.to_owned())
}

/// Bytes of a struct below which its size was not set: the size and the number after it.
const SIZE_MINIMUM: usize = 8;

fn size_of_struct<T>(data: *const T, what: &str) -> Result<usize, Fault> {
    check(data, what)?;
    // SAFETY: not NULL and aligned (checked); every such struct starts with its size, a u32.
    let size = unsafe { data.cast::<u32>().read() } as usize;
    if size < SIZE_MINIMUM {
        return Err(Fault::invalid(format!("{what} has size {size}; set `size` to sizeof")));
    }
    Ok(size)
}

/// A struct that starts with its size. Fields beyond the writer's size read as zero; what a newer writer appended is ignored.
pub(crate) fn sized<T: Copy>(data: *const T, what: &str) -> Result<T, Fault> {
    let size = size_of_struct(data, what)?;
    // SAFETY: the writer states that so many bytes are there.
    Ok(unsafe { prefix(data, size) })
}

/// The first `bytes` of a struct of the boundary, the rest zero.
///
/// # Safety
/// So many bytes are readable. The structs of the boundary hold numbers, pointers and optional functions, for all of which zero is
/// a value.
pub(crate) unsafe fn prefix<T>(data: *const T, bytes: usize) -> T {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: readable by the contract of this function; no more is written than the value has room for.
    unsafe { std::ptr::copy_nonoverlapping(data.cast::<u8>(), value.as_mut_ptr().cast(), bytes.min(size_of::<T>())) };
    // SAFETY: every byte is written or zero.
    unsafe { value.assume_init() }
}

/// Stores a struct no further than its reader knows it, and tells in its size how far.
pub(crate) fn store_sized<T: Copy>(out: *mut T, value: &T) -> Result<(), Fault> {
    let bytes = size_of_struct(out, "the result")?.min(size_of::<T>());
    // SAFETY: the reader states that so many bytes are there; a value has no more.
    unsafe { std::ptr::copy_nonoverlapping(std::ptr::from_ref(value).cast::<u8>(), out.cast(), bytes) };
    // SAFETY: as above; the size comes first.
    unsafe { out.cast::<u32>().write(bytes as u32) };
    Ok(())
}

/// Stores a result.
pub(crate) fn store<T>(out: *mut T, value: T) -> Result<(), Fault> {
    check(out.cast_const(), "the result pointer")?;
    // SAFETY: not NULL and aligned (checked); writable by the contract of the table.
    unsafe { out.write(value) };
    Ok(())
}

/// Stores a result if it is wanted.
pub(crate) fn store_if<T>(out: *mut T, value: T) -> Result<(), Fault> {
    if out.is_null() { Ok(()) } else { store(out, value) }
}

/// A key.
pub(crate) fn key(key: *const abi::RandomKey) -> Result<pddflow_tensor::RandomKey, Fault> {
    check(key, "the random key")?;
    // SAFETY: not NULL and aligned (checked); plain data, readable by the contract of the table.
    let key = unsafe { key.read() };
    Ok(pddflow_tensor::RandomKey::from_words(key.words))
}

fn check<T>(data: *const T, what: &str) -> Result<(), Fault> {
    if data.is_null() || !data.is_aligned() {
        return Err(Fault::invalid(format!("{what} is NULL or misaligned")));
    }
    Ok(())
}

/// Bytes of a tensor; their number was checked against its shape.
pub(crate) fn bytes<'a>(data: *const u8, count: usize) -> Result<&'a [u8], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    check(data, "the data")?;
    // SAFETY: not NULL; readable for `count` bytes by the contract of the table.
    Ok(unsafe { std::slice::from_raw_parts(data, count) })
}
