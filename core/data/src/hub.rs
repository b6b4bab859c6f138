//! Images, labels and numbers in the Parquet layout that Hugging Face's `datasets` loads by itself.
//!
//! | column | type | what |
//! |---|---|---|
//! | `image` | bytes and path | a PNG |
//! | `label` | int64, with names | the class |
//! | `set` | int64 | number of the set, from 1 |
//! | `values` | list of float32 | the numbers that nets see: channel, row, column |
//! | `probabilities` | list of float32 | a soft label; only where there are some |
//!
//! Nothing is missing, and yet every column may be null: `datasets` takes the types that the file names, such as that of labels with
//! names, for columns of exactly the form that it would write.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use pddflow_artifact::failure::NodeResult;
use pddflow_runner::NodeError;
use serde_json::json;

/// Level of a value inside of a list.
const INSIDE: i16 = 2;

/// One image.
#[derive(Clone, Debug)]
pub struct HubRow {
    /// A PNG.
    pub picture: Vec<u8>,
    /// Its class.
    pub label: i64,
    /// Number of its set, from 1.
    pub set: i64,
    /// What nets see.
    pub values: Vec<f32>,
    /// Its soft label; empty where labels are class numbers.
    pub probabilities: Vec<f32>,
}

/// The bytes of a Parquet file of these rows.
///
/// # Errors
/// Only for more than the format can hold.
pub fn hub_parquet(rows: &[HubRow], class_names: &[String]) -> NodeResult<Vec<u8>> {
    write(rows, class_names).map_err(|error| NodeError::internal(format!("a Parquet file cannot be written: {error}")))
}

fn write(rows: &[HubRow], class_names: &[String]) -> Result<Vec<u8>, ParquetError> {
    let soft = rows.iter().any(|row| !row.probabilities.is_empty());
    let list =
        |name: &str| format!("optional group {name} (LIST) {{ repeated group list {{ optional float element; }} }}");
    let probabilities = if soft { list("probabilities") } else { String::new() };
    let schema = format!(
        "message schema {{ optional group image {{ optional binary bytes; optional binary path (UTF8); }} \
         optional int64 label; optional int64 set; {} {probabilities} }}",
        list("values")
    );
    let numbers = json!({ "feature": { "dtype": "float32", "_type": "Value" }, "_type": "Sequence" });
    let mut features = json!({
        "image": { "_type": "Image" },
        "label": { "names": class_names, "_type": "ClassLabel" },
        "set": { "dtype": "int64", "_type": "Value" },
        "values": numbers,
    });
    if soft {
        features["probabilities"] = numbers;
    }
    let about = json!({ "info": { "features": features } }).to_string();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("pddflow".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), about)]))
        .build();
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, Arc::new(parse_message_type(&schema)?), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let pictures: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.picture.clone())).collect();
    let names: Vec<ByteArray> =
        (0..rows.len()).map(|row| ByteArray::from(format!("{row:06}.png").into_bytes())).collect();
    let (present, present_outside) = (vec![INSIDE; rows.len()], vec![1; rows.len()]);
    for column in [&pictures, &names] {
        with_column(&mut group, |writer| {
            writer.typed::<ByteArrayType>().write_batch(column, Some(&present), None).map(drop)
        })?;
    }
    for column in [|row: &HubRow| row.label, |row: &HubRow| row.set] {
        let values: Vec<i64> = rows.iter().map(column).collect();
        with_column(&mut group, |writer| {
            writer.typed::<Int64Type>().write_batch(&values, Some(&present_outside), None).map(drop)
        })?;
    }
    lists(&mut group, rows, |row| &row.values)?;
    if soft {
        lists(&mut group, rows, |row| &row.probabilities)?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

type Group<'a, 'b> = SerializedRowGroupWriter<'a, &'b mut Vec<u8>>;

/// A column of lists. An empty list has one level that says so.
fn lists(group: &mut Group<'_, '_>, rows: &[HubRow], list: impl Fn(&HubRow) -> &[f32]) -> Result<(), ParquetError> {
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let list = list(row);
        values.extend_from_slice(list);
        if list.is_empty() {
            definitions.push(1);
            repetitions.push(0);
        }
        definitions.extend(std::iter::repeat_n(INSIDE + 1, list.len()));
        repetitions.extend((0..list.len()).map(|place| i16::from(place > 0)));
    }
    with_column(group, |writer| {
        writer.typed::<FloatType>().write_batch(&values, Some(&definitions), Some(&repetitions)).map(drop)
    })
}

fn with_column(
    group: &mut Group<'_, '_>,
    write: impl FnOnce(&mut parquet::file::writer::SerializedColumnWriter<'_>) -> Result<(), ParquetError>,
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.ok_or_else(|| ParquetError::General("there are fewer columns".to_owned()))?;
    write(&mut column)?;
    column.close()
}
