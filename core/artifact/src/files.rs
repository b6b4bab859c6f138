//! Several small files in one artifact: tables, pictures, an exported folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pddflow_runner::NodeError;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::container::{self, Array};
use super::error::ArtifactError;
use super::failure::NodeResult;

const ARTIFACT: &str = "files";
const VERSION: u32 = 1;
/// Characters that are not allowed in names on some system that people unpack results on.
const FORBIDDEN: &[char] = &['\\', ':', '*', '?', '"', '<', '>', '|'];

/// Files by name, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    files: BTreeMap<String, Vec<u8>>,
    /// Names in lower case: some systems do not tell the cases apart.
    lower_names: BTreeSet<String>,
    /// Every folder of a file, in lower case.
    lower_folders: BTreeSet<String>,
}

/// A name that no file in the artifact may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be the name of a file: {reason}")]
pub struct FileNameError {
    name: String,
    reason: &'static str,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesNote {
    artifact: String,
    version: u32,
}

impl Files {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Files of names that are known to be right.
    ///
    /// # Errors
    /// Only by a mistake of the caller: a name that no file can have, or one twice.
    pub fn of<const N: usize>(contents: [(&str, Vec<u8>); N]) -> NodeResult<Self> {
        let mut files = Self::new();
        for (name, bytes) in contents {
            files.insert(name, bytes).map_err(|error| NodeError::internal(error.to_string()))?;
        }
        Ok(files)
    }

    /// Adds a file. The name is a relative path with `/` between folders.
    ///
    /// # Errors
    /// When the name is absolute, leads out of the folder, is not portable, or is taken (also in other letter case).
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<(), FileNameError> {
        let name = name.into();
        let refuse = |reason| Err(FileNameError { name: name.clone(), reason });
        if let Err(reason) = check_name(&name) {
            return refuse(reason);
        }
        let lower = name.to_lowercase();
        let folders: Vec<String> = lower.match_indices('/').map(|(end, _)| lower[..end].to_owned()).collect();
        let is_file = |name: &String| self.lower_names.contains(name);
        if is_file(&lower) || self.lower_folders.contains(&lower) || folders.iter().any(is_file) {
            return refuse("there is a file or folder of that name already");
        }
        self.lower_names.insert(lower);
        self.lower_folders.extend(folders);
        self.files.insert(name, bytes.into());
        Ok(())
    }

    /// The bytes of one file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Names and bytes, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The bytes of the artifact.
    ///
    /// # Errors
    /// Never for files that were inserted; the container's writer has a limit on its header that 100 MB of names reach.
    pub fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        let arrays =
            self.files.iter().map(|(name, bytes)| (name.clone(), Array::u8(vec![bytes.len()], bytes))).collect();
        container::write(ARTIFACT, &arrays, &FilesNote { artifact: ARTIFACT.to_owned(), version: VERSION })
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or hold a name that [`Self::insert`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (tensors, _): (_, FilesNote) = container::open(ARTIFACT, VERSION, bytes)?;
        let mut files = Self::new();
        for name in tensors.names() {
            let (_, bytes) = tensors.array(&name, Dtype::U8)?;
            files.insert(name, bytes).map_err(|error| ArtifactError::content(ARTIFACT, error.to_string()))?;
        }
        Ok(files)
    }

    /// Writes every file under `folder`, making folders as needed and replacing files of the same name.
    ///
    /// # Errors
    /// When a folder or file cannot be written; the error names it.
    pub fn write_to(&self, folder: &Path) -> std::io::Result<()> {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent)?;
            }
            fs_err::write(path, bytes)?;
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 1000 {
        return Err("it must have 1 to 1000 bytes");
    }
    if name == "__metadata__" {
        return Err("it is reserved");
    }
    if name.contains(FORBIDDEN) || name.chars().any(char::is_control) {
        return Err("it has a character that is not portable");
    }
    if name.split('/').any(|part| part.is_empty() || part == "." || part == ".." || part.ends_with([' ', '.'])) {
        return Err("it must be a plain relative path");
    }
    Ok(())
}

/// A name that is fit for a file: letters, digits, `-`, `_`, `.`, `+`; anything else becomes `-`.
pub fn file_stem(label: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=');
    let stem: String = label.chars().map(|c| if allowed(c) { c } else { '-' }).take(100).collect();
    let stem = stem.trim_matches(['-', '.']).to_owned();
    if stem.is_empty() { "set".to_owned() } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_and_equal_content_has_equal_bytes() {
        let mut first = Files::new();
        first.insert("b/two.bin", vec![0, 255, 7]).unwrap();
        first.insert("a.txt", "text").unwrap();
        first.insert("empty", Vec::new()).unwrap();
        let mut second = Files::new();
        for (name, bytes) in first.iter().collect::<Vec<_>>().into_iter().rev() {
            second.insert(name, bytes).unwrap();
        }
        let bytes = first.encode().unwrap();
        assert_eq!(bytes, second.encode().unwrap());
        assert_eq!(Files::decode(&bytes).unwrap(), first);
        assert_eq!(first.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a.txt", "b/two.bin", "empty"]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", "/etc/x", "../x", "a/../x", "a//b", "a\\b", "c:x", "x.", "a\0", "__metadata__"] {
            assert!(Files::new().insert(name, Vec::new()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_clash_are_refused() {
        let mut files = Files::new();
        files.insert("a/B.txt", Vec::new()).unwrap();
        for name in ["a/B.txt", "A/b.TXT", "a", "a/b.txt/c"] {
            assert!(files.insert(name, Vec::new()).is_err(), "{name}");
        }
    }

    #[test]
    fn bytes_of_another_artifact_are_called_that() {
        let arrays = BTreeMap::new();
        let note = FilesNote { artifact: "dataset".into(), version: 1 };
        let bytes = container::write("dataset", &arrays, &note).unwrap();
        let error = Files::decode(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "expected a files artifact and found `dataset`");
    }

    #[test]
    fn labels_become_file_names() {
        assert_eq!(file_stem("PDD + DM / ipc 10"), "PDD-+-DM---ipc-10");
        assert_eq!(file_stem("../.."), "set");
    }
}
