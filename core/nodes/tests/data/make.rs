//! Small files in the formats of data sets.

use std::io::{Cursor, Write};
use std::sync::Arc;

use image::{DynamicImage, ImageFormat, RgbImage};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// An IDX file of images.
pub(crate) fn idx_images(count: usize, height: usize, width: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    [count, height, width].iter().for_each(|axis| bytes.extend(u32::try_from(*axis).unwrap().to_be_bytes()));
    bytes.extend((0..count * height * width).map(|i| u8::try_from(i % 251).unwrap()));
    bytes
}

/// An IDX file of labels.
pub(crate) fn idx_labels(labels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend(u32::try_from(labels.len()).unwrap().to_be_bytes());
    bytes.extend(labels);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Records of the CIFAR layouts; every pixel of a record has the value of its number.
pub(crate) fn cifar(labels: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, labels) in labels.iter().enumerate() {
        bytes.extend(*labels);
        bytes.extend(std::iter::repeat_n(u8::try_from(number).unwrap(), 3072));
    }
    bytes
}

/// A picture whose pixels count up.
pub(crate) fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([u8::try_from(x).unwrap(), u8::try_from(y).unwrap(), 99]))
}

pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(&picture(width, height).into(), ImageFormat::Png)
}

pub(crate) fn grey_png(width: u32, height: u32) -> Vec<u8> {
    encoded(&DynamicImage::from(picture(width, height)).to_luma8().into(), ImageFormat::Png)
}

pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encoded(&picture(width, height).into(), ImageFormat::Jpeg)
}

/// A Parquet file in the layout of Hugging Face's image sets; a missing picture is a null.
pub(crate) fn parquet(rows: &[(Option<Vec<u8>>, i64)], names: Option<&[&str]>) -> Vec<u8> {
    let schema = "message schema {
        optional group img { optional binary bytes; optional binary path (UTF8); }
        required int64 label;
    }";
    let features = names.map(|names| {
        let value =
            serde_json::json!({ "info": { "features": { "label": { "names": names, "_type": "ClassLabel" } } } });
        vec![KeyValue::new("huggingface".to_owned(), value.to_string())]
    });
    let properties = Arc::new(WriterProperties::builder().set_key_value_metadata(features).build());
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    // Two row groups, so that their rows must be put together.
    for rows in rows.chunks(rows.len().div_ceil(2).max(1)) {
        let mut group = writer.next_row_group().unwrap();
        let pictures: Vec<ByteArray> = rows.iter().filter_map(|row| row.0.clone()).map(ByteArray::from).collect();
        let levels: Vec<i16> = rows.iter().map(|row| if row.0.is_some() { 2 } else { 1 }).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&pictures, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![0; rows.len()]), None).unwrap();
        column.close().unwrap();
        let labels: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

/// A `.tar.gz` with these files.
pub(crate) fn tar_gz(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

/// A `.zip` with these files.
pub(crate) fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    zip_by(files, zip::CompressionMethod::default())
}

/// A ZIP archive whose files are stored as they are, as `numpy.savez` does.
pub(crate) fn stored_zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    zip_by(files, zip::CompressionMethod::Stored)
}

fn zip_by(files: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// An `.npy` file.
pub(crate) fn npy(number: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let header = format!("{{'descr': '{number}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), bytes].concat()
}

/// An `.npz` file of arrays of single precision.
pub(crate) fn npz(arrays: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let files: Vec<(String, Vec<u8>)> = arrays
        .iter()
        .map(|(name, shape, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (format!("{name}.npy"), npy("<f4", shape, &bytes))
        })
        .collect();
    zip(&files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect::<Vec<_>>())
}

/// An element of a MATLAB file: type, length, bytes, filled up to 8.
fn mat_element(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut element = [kind.to_le_bytes(), u32::try_from(bytes.len()).unwrap().to_le_bytes()].concat();
    element.extend(bytes);
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

/// A MATLAB file of version 5 with variables of bytes; each is packed where `packed` says so. The first axis is the fastest.
pub(crate) fn mat(variables: &[(&str, &[i32], Vec<u8>)], packed: bool) -> Vec<u8> {
    let mut file = vec![b' '; 124];
    file.extend([0x00, 0x01, b'I', b'M']);
    for (name, axes, values) in variables {
        let axes: Vec<u8> = axes.iter().flat_map(|axis| axis.to_le_bytes()).collect();
        // A name of up to four bytes stands beside its type and length.
        let mut short = (u32::try_from(name.len()).unwrap() << 16 | 1).to_le_bytes().to_vec();
        short.extend(name.bytes());
        short.resize(8, 0);
        let inside =
            [mat_element(6, &[9, 0, 0, 0, 0, 0, 0, 0]), mat_element(5, &axes), short, mat_element(2, values)].concat();
        let matrix = mat_element(14, &inside);
        if packed {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&matrix).unwrap();
            let packed = encoder.finish().unwrap();
            file.extend(15_u32.to_le_bytes());
            file.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            file.extend(packed);
        } else {
            file.extend(matrix);
        }
    }
    file
}
