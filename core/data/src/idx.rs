//! IDX files, the format of MNIST: big-endian header, then bytes. Plain or gzip.
//!
//! | offset | bytes |
//! |---|---|
//! | 0 | 00 00 08 (unsigned bytes), number of axes |
//! | 4 | each axis, 4 bytes |
//! | 4 + 4 * axes | the values |

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digests::DataFile;
use crate::places::Places;
use crate::raw::{RawData, check_label, damaged, missing, numbered, read_file, shown};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const IMAGE_AXES: u8 = 3;
const LABEL_AXES: u8 = 1;

/// Parameters of the source `idx`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Idx {
    /// IDX file (plain or gzip) of the training images.
    train_images: String,
    /// IDX file of their labels.
    train_labels: String,
    /// IDX file of the test images.
    #[serde(default)]
    test_images: Option<String>,
    /// IDX file of their labels.
    #[serde(default)]
    test_labels: Option<String>,
    /// One name for each class; default: the numbers up to the largest label.
    #[serde(default)]
    class_names: Option<Vec<String>>,
}

impl Idx {
    /// What is wrong with the parameters together.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        match (&self.test_images, &self.test_labels) {
            (Some(_), None) => Some(("test_images", "test images without `test_labels`")),
            (None, Some(_)) => Some(("test_labels", "test labels without `test_images`")),
            _ => None,
        }
    }

    pub(crate) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        let mut files = Vec::new();
        for (role, path) in self.roles() {
            files.push(DataFile::new(role, places.find(path)?));
        }
        Ok(files)
    }

    pub(crate) fn read(&self, places: &Places) -> NodeResult<RawData> {
        let pair = |images: &str, labels: &str| {
            let (images, labels) = (places.find(images)?, places.find(labels)?);
            read_pair(&Content::open(&images)?, &Content::open(&labels)?)
        };
        let train = pair(&self.train_images, &self.train_labels)?;
        let test = match (&self.test_images, &self.test_labels) {
            (Some(images), Some(labels)) => Some(pair(images, labels)?),
            _ => None,
        };
        join(train, test, self.class_names.clone())
    }

    fn roles(&self) -> Vec<(&'static str, &str)> {
        let mut roles = vec![("train images", self.train_images.as_str()), ("train labels", &self.train_labels)];
        roles.extend(self.test_images.as_deref().map(|path| ("test images", path)));
        roles.extend(self.test_labels.as_deref().map(|path| ("test labels", path)));
        roles
    }
}

/// The unpacked bytes of a file, with its name for messages.
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Content {
    pub(crate) fn open(path: &Path) -> NodeResult<Self> {
        if path.is_dir() {
            return Err(missing(path, "the file").with_help("this is a folder; name the file in it"));
        }
        Self::unpack(&shown(path), &read_file(path)?)
    }

    /// Unpacks gzip, takes anything else as it is.
    pub(crate) fn unpack(name: &str, packed: &[u8]) -> NodeResult<Self> {
        if !packed.starts_with(&GZIP_MAGIC) {
            return Ok(Self { name: name.to_owned(), bytes: packed.to_vec() });
        }
        let mut bytes = Vec::new();
        // The header says how much there may be: a small file cannot fill the memory.
        let mut decoder = MultiGzDecoder::new(packed);
        let most = unpacked_limit(&mut decoder, &mut bytes).and_then(|most| {
            let rest = most.saturating_sub(bytes.len() as u64).saturating_add(1);
            decoder.take(rest).read_to_end(&mut bytes)
        });
        match most {
            Ok(_) => Ok(Self { name: name.to_owned(), bytes }),
            Err(error) => {
                let after = bytes.len();
                Err(damaged(
                    name,
                    format!("the gzip data are damaged or cut off, after {after} unpacked bytes ({error})"),
                ))
            }
        }
    }
}

/// Reads the header and returns the length of the whole file as it says.
fn unpacked_limit(decoder: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<u64> {
    decoder.by_ref().take(4).read_to_end(bytes)?;
    let axes = bytes.get(3).copied().unwrap_or(0);
    if axes == 0 || axes > IMAGE_AXES {
        return Ok(bytes.len() as u64);
    }
    decoder.by_ref().take(4 * u64::from(axes)).read_to_end(bytes)?;
    let values = bytes[4..].as_chunks::<4>().0.iter().map(|axis| u64::from(u32::from_be_bytes(*axis)));
    Ok(values.fold(1_u64, u64::saturating_mul).saturating_add(bytes.len() as u64))
}

/// Images and labels of one split: `(height, width, images)`.
pub(crate) type Pair = (ImageSize, LabelledImages);

/// Reads images and their labels; the labels are not compared with the classes yet.
pub(crate) fn read_pair(images: &Content, labels: &Content) -> NodeResult<Pair> {
    let (shape, pixels) = values(images, IMAGE_AXES, "images")?;
    let (label_shape, label_bytes) = values(labels, LABEL_AXES, "labels")?;
    let (count, height, width) = (shape[0], shape[1], shape[2]);
    if count != label_shape[0] {
        let message = format!("{} has {count} images and {} has {} labels", images.name, labels.name, label_shape[0]);
        return Err(fail("data_damaged", message).with_help("name the label file that belongs to the images"));
    }
    if height == 0 || width == 0 {
        return Err(damaged(&images.name, format!("the header says {height} x {width} pixels")));
    }
    let size = ImageSize { channels: 1, height, width };
    let labels = label_bytes.iter().map(|label| u16::from(*label)).collect();
    Ok((size, LabelledImages { pixels: pixels.to_vec(), labels }))
}

/// Both splits together, with every label checked.
pub(crate) fn join(train: Pair, test: Option<Pair>, names: Option<Vec<String>>) -> NodeResult<RawData> {
    let (size, train) = train;
    let test = match test {
        Some((other, _)) if other != size => {
            let (h, w, other_h, other_w) = (size.height, size.width, other.height, other.width);
            let message = format!("training images are {h} x {w} pixels and test images {other_h} x {other_w}");
            return Err(fail("data_size", message).with_help("both must have one size"));
        }
        Some((_, test)) => test,
        None => LabelledImages::default(),
    };
    let largest = train.labels.iter().chain(&test.labels).max().map_or(0, |label| usize::from(*label) + 1);
    let class_names = names.unwrap_or_else(|| numbered(largest));
    for (side, labels) in [("training", &train.labels), ("test", &test.labels)] {
        for (row, label) in labels.iter().enumerate() {
            check_label(u64::from(*label), class_names.len(), &format_args!("label {row} of the {side} labels"))?;
        }
    }
    Ok(RawData { size, train, test, class_names })
}

fn values<'a>(content: &'a Content, axes: u8, what: &str) -> NodeResult<(Vec<usize>, &'a [u8])> {
    let (name, bytes) = (&content.name, &content.bytes);
    let header = 4 + 4 * usize::from(axes);
    let expected = [0, 0, 8, axes];
    match bytes.get(..4) {
        Some(found) if found == expected => {}
        Some(found) => {
            let message = format!("it begins with {found:02x?}; an IDX file of {what} begins with {expected:02x?}");
            return Err(damaged(name, message).with_help(format!("name an IDX file of {what}, plain or gzip")));
        }
        None => return Err(damaged(name, format!("it ends after {} bytes, inside the header", bytes.len()))),
    }
    let Some(head) = bytes.get(4..header) else {
        return Err(damaged(name, format!("it ends after {} bytes, inside the header of {header}", bytes.len())));
    };
    let shape: Vec<usize> = head.as_chunks::<4>().0.iter().map(|axis| u32::from_be_bytes(*axis) as usize).collect();
    let count = shape.iter().try_fold(1_usize, |all, axis| all.checked_mul(*axis));
    let values = &bytes[header..];
    match count {
        Some(count) if count == values.len() => Ok((shape, values)),
        _ => {
            let found = bytes.len();
            let expected =
                count.map_or("more bytes than any file has".to_owned(), |count| format!("{} bytes", count + header));
            let how = if count.is_some_and(|count| count < values.len()) { "too long" } else { "cut off" };
            Err(damaged(
                name,
                format!("it is {how}: the header says {shape:?}, which is {expected}, and it has {found} bytes"),
            ))
        }
    }
}
