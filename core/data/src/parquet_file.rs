//! Parquet files in the layout of Hugging Face's image sets: a struct column with `bytes` (PNG or JPEG), a label column.

use std::path::{Path, PathBuf};

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::suggestion;
use pddflow_runner::{NodeContext, NodeError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digests::DataFile;
use crate::picture::{Encoded, decode_all, unify};
use crate::places::Places;
use crate::raw::{RawData, check_label, damaged, missing, numbered, shown, unreadable};

/// Names that label columns have in the common sets, most wanted first.
const LABEL_NAMES: [&str; 5] = ["label", "labels", "fine_label", "class", "target"];
/// Where Hugging Face's writer keeps the class names.
const FEATURES_ENTRY: &str = "huggingface";
/// Name of the field with the encoded picture.
const BYTES_FIELD: &str = "bytes";

/// Parameters of the source `parquet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parquet {
    /// Folder with `train-*.parquet` and `test-*.parquet` (or `validation-*`), also one level down in `data`.
    #[serde(default)]
    path: Option<String>,
    /// Files of the training images, in place of `path`.
    #[serde(default)]
    train: Vec<String>,
    /// Files of the test images.
    #[serde(default)]
    test: Vec<String>,
    /// Column with the pictures; default: the one that has a field `bytes`.
    #[serde(default)]
    image: Option<String>,
    /// Column with the class numbers; default: `label`, `labels`, `fine_label`, `class` or `target`.
    #[serde(default)]
    label: Option<String>,
    /// Side in pixels that every image is brought to.
    #[serde(default)]
    resize: Option<usize>,
}

/// One row: the picture as it is stored, and its class.
struct Row {
    file: usize,
    row: usize,
    bytes: ByteArray,
    label: u64,
}

/// A row with its checked label and the name of its file.
struct Sample<'a> {
    file: &'a Path,
    row: &'a Row,
    label: u16,
}

impl Encoded for Sample<'_> {
    fn name(&self) -> String {
        format!("{}, row {}", shown(self.file), self.row.row)
    }

    fn with_bytes<T>(&self, work: impl FnOnce(&[u8]) -> NodeResult<T>) -> NodeResult<T> {
        work(self.row.bytes.data())
    }

    fn label(&self) -> u16 {
        self.label
    }
}

impl Parquet {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        match (&self.path, self.train.is_empty(), self.test.is_empty()) {
            (None, true, _) => Some(("path", "give `path` (a folder) or `train` (a list of files)")),
            (Some(_), false, _) | (Some(_), _, false) => {
                Some(("path", "give either `path` or lists of files, not both"))
            }
            _ => self.resize.filter(|side| *side == 0).map(|_| ("resize", "a side must have at least 1 pixel")),
        }
    }

    pub(crate) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        let (train, test) = self.splits(places)?;
        let number = |side: &'static str| {
            move |(place, path): (usize, PathBuf)| DataFile::new(format!("{side} {place:06}"), path)
        };
        let test = test.into_iter().enumerate().map(number("test"));
        Ok(train.into_iter().enumerate().map(number("train")).chain(test).collect())
    }

    pub(crate) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let (train_files, test_files) = self.splits(places)?;
        let mut names = None;
        let train = self.rows(&train_files, &mut names)?;
        let test = self.rows(&test_files, &mut names)?;
        let largest = train.iter().chain(&test).map(|row| row.label).max().unwrap_or(0);
        let class_names = match names {
            Some(names) => names,
            // A label without a name is only then no error when no label has one; 65,536 classes are the most there can be.
            None => numbered(usize::try_from(largest.min(u64::from(u16::MAX))).unwrap_or(0) + 1),
        };
        let train = samples(&train_files, &train, class_names.len())?;
        let test = samples(&test_files, &test, class_names.len())?;
        let pictures = (decode_all(&train, self.resize, context)?, decode_all(&test, self.resize, context)?);
        let (size, train, test) = unify((&train, pictures.0), (&test, pictures.1))?;
        Ok(RawData { size, train, test, class_names })
    }

    fn splits(&self, places: &Places) -> NodeResult<(Vec<PathBuf>, Vec<PathBuf>)> {
        let Some(path) = &self.path else {
            let find = |paths: &[String]| paths.iter().map(|path| places.find(path)).collect::<NodeResult<Vec<_>>>();
            return Ok((find(&self.train)?, find(&self.test)?));
        };
        let folder = places.find(path)?;
        for folder in [folder.clone(), folder.join("data")] {
            let train = starting_with(&folder, "train")?;
            if train.is_empty() {
                continue;
            }
            let test = starting_with(&folder, "test")?;
            let test = if test.is_empty() { starting_with(&folder, "val")? } else { test };
            return Ok((train, test));
        }
        Err(missing(&folder.join("train-*.parquet"), "a file like").with_help(
            "`path` must be a folder with `train-*.parquet`; other names go into `train: [...]` and `test: [...]`",
        ))
    }

    fn rows(&self, files: &[PathBuf], names: &mut Option<Vec<String>>) -> NodeResult<Vec<Row>> {
        let mut rows = Vec::new();
        for (number, path) in files.iter().enumerate() {
            let file = fs_err::File::open(path).map_err(|error| unreadable(path, error))?;
            let reader = SerializedFileReader::new(file.into_file()).map_err(|error| broken(path, &error))?;
            let columns = self.columns(path, &reader)?;
            if names.is_none() {
                *names = class_names(&reader, &columns.label_name);
            }
            let mut before = 0;
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).map_err(|error| broken(path, &error))?;
                let pictures = read_pictures(path, group.as_ref(), columns.image, before)?;
                let labels = read_labels(path, group.as_ref(), columns.label, before)?;
                if pictures.len() != labels.len() {
                    let (pictures, labels) = (pictures.len(), labels.len());
                    return Err(damaged(
                        shown(path),
                        format!("{pictures} pictures and {labels} labels in one row group"),
                    ));
                }
                let count = pictures.len();
                let pairs = pictures.into_iter().zip(labels).enumerate();
                rows.extend(pairs.map(|(row, (bytes, label))| Row { file: number, row: before + row, bytes, label }));
                before += count;
            }
        }
        Ok(rows)
    }

    fn columns(&self, path: &Path, reader: &SerializedFileReader<std::fs::File>) -> NodeResult<Columns> {
        let schema = reader.metadata().file_metadata().schema_descr();
        let leaves: Vec<Vec<String>> = schema.columns().iter().map(|column| column.path().parts().to_vec()).collect();
        let is_picture = |parts: &Vec<String>| match &self.image {
            Some(name) => {
                parts.first() == Some(name)
                    && (parts.len() == 1 || parts.last().is_some_and(|last| last == BYTES_FIELD))
            }
            None => parts.len() == 2 && parts[1] == BYTES_FIELD,
        };
        let wanted: Vec<&str> = self.label.as_deref().map_or(LABEL_NAMES.to_vec(), |name| vec![name]);
        let is_label = |name: &&str| leaves.iter().position(|parts| parts.len() == 1 && parts[0] == *name);
        let tops: Vec<&str> = leaves.iter().filter_map(|parts| parts.first()).map(String::as_str).collect();
        let absent = |what: &str, given: Option<&str>| {
            let help = given.map_or_else(|| format!("columns: {}", tops.join(", ")), |given| suggestion(given, &tops));
            fail("data_column", format!("{} has no column with {what}", shown(path))).with_help(help)
        };
        let image = leaves.iter().position(is_picture).ok_or_else(|| absent("pictures", self.image.as_deref()))?;
        let label = wanted.iter().find_map(is_label).ok_or_else(|| absent("labels", self.label.as_deref()))?;
        Ok(Columns { image, label, label_name: leaves[label][0].clone() })
    }
}

struct Columns {
    image: usize,
    label: usize,
    label_name: String,
}

fn samples<'a>(files: &'a [PathBuf], rows: &'a [Row], classes: usize) -> NodeResult<Vec<Sample<'a>>> {
    let sample = |row: &'a Row| {
        let file = files[row.file].as_path();
        let label = check_label(row.label, classes, &format_args!("{}, row {}", shown(file), row.row))?;
        Ok(Sample { file, row, label })
    };
    rows.iter().map(sample).collect()
}

fn read_pictures(path: &Path, group: &dyn RowGroupReader, column: usize, before: usize) -> NodeResult<Vec<ByteArray>> {
    let rows = rows_of(group);
    match group.get_column_reader(column).map_err(|error| broken(path, &error))? {
        ColumnReader::ByteArrayColumnReader(mut reader) => all_values(path, &mut reader, rows, before),
        other => Err(wrong_type(path, "pictures", &other)),
    }
}

fn read_labels(path: &Path, group: &dyn RowGroupReader, column: usize, before: usize) -> NodeResult<Vec<u64>> {
    let rows = rows_of(group);
    let values: Vec<i64> = match group.get_column_reader(column).map_err(|error| broken(path, &error))? {
        ColumnReader::Int64ColumnReader(mut reader) => all_values(path, &mut reader, rows, before)?,
        ColumnReader::Int32ColumnReader(mut reader) => {
            all_values(path, &mut reader, rows, before)?.into_iter().map(i64::from).collect()
        }
        other => return Err(wrong_type(path, "labels", &other)),
    };
    let checked = |(row, label): (usize, i64)| {
        u64::try_from(label).map_err(|_| {
            let message = format!("{}, row {}: the label is {label}", shown(path), before + row);
            fail("data_label", message).with_help("images without a label (-1) cannot be used; leave the file out")
        })
    };
    values.into_iter().enumerate().map(checked).collect()
}

fn all_values<T: DataType>(
    path: &Path,
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    before: usize,
) -> NodeResult<Vec<T::T>> {
    let (mut values, mut definitions, mut repetitions) = (Vec::with_capacity(rows), Vec::new(), Vec::new());
    loop {
        let (records, _, _) = reader
            .read_records(usize::MAX, Some(&mut definitions), Some(&mut repetitions), &mut values)
            .map_err(|error| broken(path, &error))?;
        if records == 0 {
            break;
        }
    }
    if repetitions.iter().any(|level| *level > 0) {
        return Err(fail("data_column", format!("{}: a column of lists cannot be used", shown(path)))
            .with_help("name another column with `image` or `label`"));
    }
    // A nullable value has a definition level; where one is missing there are fewer values than levels.
    if values.len() < definitions.len() {
        let most = definitions.iter().max().copied().unwrap_or(0);
        let row = definitions.iter().position(|level| *level < most || values.is_empty()).unwrap_or(0);
        let message = format!("{}, row {}: there is no value", shown(path), before + row);
        return Err(fail("data_damaged", message).with_help("remove rows without picture or label"));
    }
    Ok(values)
}

fn rows_of(group: &dyn RowGroupReader) -> usize {
    usize::try_from(group.metadata().num_rows()).unwrap_or(0)
}

fn wrong_type(path: &Path, what: &str, reader: &ColumnReader) -> NodeError {
    let found = match reader {
        ColumnReader::BoolColumnReader(_) => Physical::BOOLEAN,
        ColumnReader::Int32ColumnReader(_) => Physical::INT32,
        ColumnReader::Int64ColumnReader(_) => Physical::INT64,
        ColumnReader::Int96ColumnReader(_) => Physical::INT96,
        ColumnReader::FloatColumnReader(_) => Physical::FLOAT,
        ColumnReader::DoubleColumnReader(_) => Physical::DOUBLE,
        ColumnReader::ByteArrayColumnReader(_) => Physical::BYTE_ARRAY,
        ColumnReader::FixedLenByteArrayColumnReader(_) => Physical::FIXED_LEN_BYTE_ARRAY,
    };
    fail("data_column", format!("{}: the column with {what} has the type {found}", shown(path))).with_help(
        "pictures are bytes (PNG or JPEG), labels whole numbers; name another column with `image` or `label`",
    )
}

/// Class names of Hugging Face's features, where the file has them.
fn class_names(reader: &SerializedFileReader<std::fs::File>, label: &str) -> Option<Vec<String>> {
    let entries = reader.metadata().file_metadata().key_value_metadata()?;
    let text = entries.iter().find(|entry| entry.key == FEATURES_ENTRY)?.value.as_ref()?;
    let features: Value = serde_json::from_str(text).ok()?;
    let names = features["info"]["features"][label]["names"].as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn starting_with(folder: &Path, start: &str) -> NodeResult<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(".parquet") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn broken(path: &Path, error: &ParquetError) -> NodeError {
    damaged(shown(path), format!("it cannot be read as a Parquet file: {error}"))
}
