//! What every source reads: pixels, labels, class names.

use std::fmt::Display;
use std::path::Path;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages};
use pddflow_runner::NodeError;

/// Data as they come from a source.
#[derive(Clone, Debug)]
pub struct RawData {
    /// Size of one image.
    pub size: ImageSize,
    /// Training images.
    pub train: LabelledImages,
    /// Test images; there may be none.
    pub test: LabelledImages,
    /// In the order of the labels.
    pub class_names: Vec<String>,
}

/// A label that has a class, or why it has none.
pub(crate) fn check_label<Label: Copy + Display + TryInto<u16>>(
    label: Label,
    classes: usize,
    place: &dyn Display,
) -> NodeResult<u16> {
    match label.try_into() {
        Ok(small) if usize::from(small) < classes => Ok(small),
        _ => Err(fail(
            "data_label",
            format!(
                "{place}: the label is {label}, and there are {classes} classes (0 to {})",
                classes.saturating_sub(1)
            ),
        )
        .with_help("the file is damaged, or it is of another data set")),
    }
}

/// A file that should be there is not.
pub(crate) fn missing(path: &Path, what: &str) -> NodeError {
    fail("data_missing", format!("{what} `{}` does not exist", path.display()))
}

/// A file that exists cannot be read.
pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> NodeError {
    if error.kind() == std::io::ErrorKind::NotFound {
        return missing(path, "the file").with_help("check the path, or get the data again");
    }
    fail("data_unreadable", format!("the file `{}` cannot be read", path.display())).with_source(error)
}

/// A file whose content is not what it should be.
pub(crate) fn damaged(place: impl Display, what: impl Display) -> NodeError {
    fail("data_damaged", format!("{place}: {what}")).with_help("get the file again from where it came from")
}

/// Reads a whole file.
pub(crate) fn read_file(path: &Path) -> NodeResult<Vec<u8>> {
    fs_err::read(path).map_err(|error| unreadable(path, error))
}

/// One name on each line of a file that messages call `place`; empty lines at the end do not count.
pub(crate) fn names_in(place: &str, bytes: &[u8]) -> NodeResult<Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged(place, "it is not UTF-8 text"))?;
    Ok(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}

/// A path as messages show it.
pub(crate) fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

/// Class names where a source has none: the numbers.
pub(crate) fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}
