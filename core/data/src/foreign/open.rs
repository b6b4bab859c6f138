//! Opens files of every format.

use std::io::{Cursor, Read};
use std::sync::Arc;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::NodeError;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use zip::ZipArchive;

use super::array::{Array, MOST_BYTES, Number};
use super::tree::Foreign;
use super::{npy, pickle};

const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// How PyTorch's files begin that are no archives.
const PICKLE_MAGIC: u8 = 0x80;
/// The file with the tree inside of `torch.save`'s archive, in a folder of any name.
const TORCH_TREE: &str = "/data.pkl";
/// The metadata entry of this program's own artifacts.
const OWN_NOTE: &str = "pddflow";

/// What a file holds. `name` is what messages call it.
///
/// # Errors
/// It is none of the formats, is damaged, or holds something that is no array, list, dictionary, number or text.
pub fn read(name: &str, bytes: &[u8]) -> NodeResult<Foreign> {
    let found = if bytes.starts_with(ZIP_MAGIC) {
        archive(name, bytes)?
    } else if bytes.starts_with(npy::MAGIC) {
        npy::read(&mut &*bytes)
    } else if bytes.first() == Some(&PICKLE_MAGIC) {
        let message = format!("{name} is in the form that PyTorch wrote before version 1.6, or is a plain pickle");
        return Err(fail("import_format", message)
            .with_help("load it with `torch.load` where you trust it, and save it again with `torch.save`"));
    } else {
        let opened = SafeTensors::deserialize(bytes).map_err(|error| {
            let message = format!("{name} is no file of a format that is read ({error})");
            fail("import_format", message)
                .with_help("give a safetensors file, `.npz`, `.npy`, or a `.pt` of `torch.save`")
        })?;
        safetensors(&opened)
    };
    found.map_err(|what| unreadable(name, &what))
}

/// Whether the bytes are an artifact of this program.
#[must_use]
pub fn is_own(bytes: &[u8]) -> bool {
    let header = SafeTensors::read_metadata(bytes);
    header.is_ok_and(|(_, header)| header.metadata().as_ref().is_some_and(|entries| entries.contains_key(OWN_NOTE)))
}

fn unreadable(name: &str, what: &str) -> NodeError {
    let help = if what.contains("names `") {
        "a `.pt` may hold a whole program, so only tensors, numbers and texts in lists and dictionaries are read: save \
         `tensor.detach().cpu()` and `net.state_dict()`, or write `.npz` or safetensors"
    } else {
        "save it again, for example as `.npz` or safetensors"
    };
    fail("import_unreadable", format!("{name} cannot be read: {what}")).with_help(help)
}

fn safetensors(opened: &SafeTensors<'_>) -> Result<Foreign, String> {
    let mut entries = Vec::new();
    for (name, view) in opened.iter() {
        let number = match view.dtype() {
            Dtype::BOOL => Number::Bool,
            Dtype::U8 => Number::U8,
            Dtype::I8 => Number::I8,
            Dtype::U16 => Number::U16,
            Dtype::I16 => Number::I16,
            Dtype::U32 => Number::U32,
            Dtype::I32 => Number::I32,
            Dtype::U64 => Number::U64,
            Dtype::I64 => Number::I64,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::Bf16,
            Dtype::F32 => Number::F32,
            Dtype::F64 => Number::F64,
            other => return Err(format!("the array `{name}` has the type {other:?}, which is not read")),
        };
        let array = Array::new(view.shape().to_vec(), number, Arc::new(view.data().to_vec()), 0);
        let array = array.ok_or_else(|| format!("the array `{name}` is cut off"))?;
        entries.push((name.to_owned(), Foreign::Array(array)));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Foreign::Map(entries))
}

fn archive(name: &str, bytes: &[u8]) -> NodeResult<Result<Foreign, String>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(name, &error.to_string()))?;
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let names = names.map_err(|error| unreadable(name, &error.to_string()))?;
    if let Some(tree) = names.iter().find(|name| name.ends_with(TORCH_TREE)) {
        let folder = tree.trim_end_matches("data.pkl").to_owned();
        return Ok(torch(&mut archive, &folder));
    }
    if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        return Ok(npz(&mut archive, &names));
    }
    Err(fail("import_format", format!("{name} is an archive, but none of `torch.save` or of NumPy"))
        .with_help("give a safetensors file, `.npz`, `.npy`, or a `.pt` of `torch.save`"))
}

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

fn npz(archive: &mut Archive<'_>, names: &[String]) -> Result<Foreign, String> {
    let mut entries = Vec::new();
    for name in names {
        let mut file = archive.by_name(name).map_err(|error| error.to_string())?;
        let short = name.trim_end_matches(".npy");
        entries
            .push((short.to_owned(), npy::read(&mut file).map_err(|error| format!("the array `{short}`: {error}"))?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Foreign::Map(entries))
}

fn torch(archive: &mut Archive<'_>, folder: &str) -> Result<Foreign, String> {
    if entry(archive, &format!("{folder}byteorder")).is_ok_and(|order| order.starts_with(b"big")) {
        return Err("its numbers have their highest byte first".to_owned());
    }
    let tree = entry(archive, &format!("{folder}data.pkl"))?;
    // Tensors may share a storage; it is unpacked once.
    let mut storages: std::collections::BTreeMap<String, Arc<Vec<u8>>> = std::collections::BTreeMap::new();
    let mut left = MOST_BYTES;
    pickle::read(&tree, &mut |view| {
        let key = &view.storage.key;
        let bytes = match storages.get(key) {
            Some(bytes) => Arc::clone(bytes),
            None => {
                let bytes = Arc::new(entry(archive, &format!("{folder}data/{key}"))?);
                storages.insert(key.clone(), Arc::clone(&bytes));
                bytes
            }
        };
        let number = view.storage.number;
        if view.storage.count.checked_mul(number.bytes()) != Some(bytes.len()) {
            return Err(format!("the numbers `{key}` of a tensor are cut off"));
        }
        let array = Array::strided(view.shape.clone(), &view.steps, number, (&bytes, view.offset));
        let array = array.ok_or_else(|| format!("a tensor {:?} is larger than its numbers `{key}`", view.shape))?;
        // Many views of one storage could be brought into order over and over.
        left = left.checked_sub(array.bytes().len() as u64).ok_or("it has more than 8 GiB of numbers")?;
        Ok(array)
    })
}

fn entry(archive: &mut Archive<'_>, name: &str) -> Result<Vec<u8>, String> {
    let file = archive.by_name(name).map_err(|error| format!("`{name}` inside: {error}"))?;
    let mut bytes = Vec::new();
    let read =
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("`{name}` inside: {error}"))?;
    if read as u64 > MOST_BYTES { Err(format!("`{name}` inside has more than 8 GiB")) } else { Ok(bytes) }
}
