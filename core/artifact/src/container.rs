//! Named arrays of bytes with one note: safetensors with a single metadata entry.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, Metadata, TensorView, View};
use safetensors::{SafeTensors, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ArtifactError;

/// The metadata entry that holds the note. A single one, because safetensors writes entries in hash order.
const NOTE: &str = "pddflow";
/// The note's fields that every artifact has.
const TYPE_FIELD: &str = "artifact";
const VERSION_FIELD: &str = "version";

/// An array to be written.
pub(crate) struct Array<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Cow<'a, [u8]>,
}

impl<'a> Array<'a> {
    pub(crate) fn u8(shape: Vec<usize>, bytes: &'a [u8]) -> Self {
        Self { dtype: Dtype::U8, shape, bytes: Cow::Borrowed(bytes) }
    }
}

impl View for &Array<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Bytes of the arrays with the note.
pub(crate) fn write<N: Serialize>(
    artifact: &'static str,
    arrays: &BTreeMap<String, Array<'_>>,
    note: &N,
) -> Result<Vec<u8>, ArtifactError> {
    let note = serde_json::to_string(note).map_err(|source| ArtifactError::Note { artifact, source })?;
    let metadata = HashMap::from([(NOTE.to_owned(), note)]);
    serialize(arrays.iter().map(|(name, array)| (name.as_str(), array)), Some(metadata))
        .map_err(|source| ArtifactError::Container { artifact, source })
}

/// The arrays of an artifact, where they lie.
pub(crate) struct Arrays<'a> {
    artifact: &'static str,
    header: Metadata,
    /// What comes after the header.
    bytes: &'a [u8],
}

impl<'a> Arrays<'a> {
    /// The names of all arrays.
    pub(crate) fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// The array of that name.
    pub(crate) fn get(&self, name: &str) -> Result<TensorView<'a>, ArtifactError> {
        let artifact = self.artifact;
        let missing = || ArtifactError::content(artifact, format!("the array `{name}` is missing"));
        let info = self.header.info(name).ok_or_else(missing)?;
        let bytes = self.bytes.get(info.data_offsets.0..info.data_offsets.1).ok_or_else(missing)?;
        TensorView::new(info.dtype, info.shape.clone(), bytes)
            .map_err(|source| ArtifactError::Container { artifact, source })
    }

    /// The array of that name, which must have that type.
    pub(crate) fn array(&self, name: &str, dtype: Dtype) -> Result<(Vec<usize>, &'a [u8]), ArtifactError> {
        let view = self.get(name)?;
        if view.dtype() != dtype {
            let found = view.dtype();
            let message = format!("the array `{name}` has the type {found:?} and must have {dtype:?}");
            return Err(ArtifactError::content(self.artifact, message));
        }
        Ok((view.shape().to_vec(), view.data()))
    }
}

/// Opens bytes that [`write`] made, checking type and version before the rest of the note is looked at.
pub(crate) fn open<'a, N: DeserializeOwned>(
    artifact: &'static str,
    version: u32,
    bytes: &'a [u8],
) -> Result<(Arrays<'a>, N), ArtifactError> {
    let damaged = |source| ArtifactError::Container { artifact, source };
    let (length, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let text = header.metadata().as_ref().and_then(|entries| entries.get(NOTE));
    let text = text.ok_or_else(|| ArtifactError::content(artifact, "it has no `pddflow` metadata"))?;
    let note = read_note(artifact, version, text)?;
    // The header and the number that says its length lie within: that was checked just now.
    let bytes = bytes.get(size_of::<u64>() + length..).unwrap_or_default();
    Ok((Arrays { artifact, header, bytes }, note))
}

/// Whether bytes are a file that [`write`] made, of whatever artifact.
pub(crate) fn has_note(bytes: &[u8]) -> bool {
    SafeTensors::read_metadata(bytes)
        .is_ok_and(|(_, header)| header.metadata().as_ref().is_some_and(|entries| entries.contains_key(NOTE)))
}

/// Reads a note: type and version first, so that a newer format is called that and not "unknown field".
pub(crate) fn read_note<N: DeserializeOwned>(
    artifact: &'static str,
    version: u32,
    text: &str,
) -> Result<N, ArtifactError> {
    let note = |source| ArtifactError::Note { artifact, source };
    let value: Value = serde_json::from_str(text).map_err(note)?;
    match value[TYPE_FIELD].as_str() {
        Some(found) if found == artifact => {}
        found => {
            return Err(ArtifactError::OtherType { artifact, found: found.unwrap_or("something unnamed").to_owned() });
        }
    }
    match value[VERSION_FIELD].as_u64() {
        Some(found) if found == u64::from(version) => {}
        found => return Err(ArtifactError::Version { artifact, found: found.unwrap_or(0), known: version }),
    }
    serde_json::from_value(value).map_err(note)
}

/// Numbers as little-endian bytes.
pub(crate) fn to_bytes<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| bytes(*value)).collect()
}

/// Numbers from little-endian bytes; a rest shorter than one number is left out (safetensors has checked the length).
pub(crate) fn from_bytes<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}
