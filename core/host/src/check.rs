//! Judging a library's header, descriptors and tables before any of its functions runs.
//!
//! | found | refused as |
//! |---|---|
//! | wrong magic, or shorter than the frozen part | `plugin::not_pddflow` |
//! | another major | `plugin::abi_major` |
//! | a minor that one side does not accept | `plugin::abi_minor` |
//! | built for another byte order or width, or aborts on panic | `plugin::build` |
//! | a text that is not UTF-8, too long or unreadable; a bad id or role | `plugin::descriptor` |
//! | a required capability that this host lacks | `plugin::capability` |
//! | a struct shorter than its mandatory part | `plugin::table_size` |
//! | a mandatory function that is NULL or not code of this library | `plugin::null_function` |
//! | `open` returns a status, or panics | `plugin::refused`, `plugin::panicked` |
//! | a schema that is none | `plugin::schema` |
//!
//! Every pointer is looked up among the mappings of the process before it is followed (see `maps`).

use crate::call::{self, Phase, State};
use crate::error::{Code, PluginError};
use crate::files;
use crate::info::{PluginInfo, Role};
use crate::library::{Entry, Library, Table};
use crate::maps::Maps;
use crate::raw;
use crate::schema;
use crate::table;
use pddflow_abi::{self as abi, Flag, Header, Text};
use pddflow_tensor::{DType, Device};
use std::ffi::CStr;
use std::mem::offset_of;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Name of the exported header.
pub(crate) const SYMBOL: &CStr = c"pddflow_plugin";
/// Lowest minor version of a plugin that this host accepts.
const LOWEST_PLUGIN_MINOR: u32 = 3;
/// `open` should only look around; longer than this is worth a warning.
const OPEN_PATIENCE: Duration = Duration::from_secs(3);
/// Parts of a descriptor and of tables that every plugin has, back to the lowest minor version.
const DESCRIPTOR_MANDATORY: u32 = offset_of!(abi::Descriptor, revision) as u32;
const MATCHER_MANDATORY: u32 = offset_of!(abi::MatcherTable, decode) as u32;
const MODEL_MANDATORY: u32 = size_of::<abi::ModelTable>() as u32;

/// The library under judgement.
struct Judge<'a> {
    maps: Maps,
    copy: &'a Path,
    file: &'a Path,
    digest: [u8; 32],
}

struct Draft {
    descriptor: abi::Descriptor,
    role: Role,
    id: String,
    version: String,
    summary: String,
    schema: String,
    table: Table,
}

/// Judges the header at `address`, calls `open`, and copies out what later code needs.
pub(crate) fn check(address: *const u8, copy: &Path, file: &Path, digest: [u8; 32]) -> Result<Library, PluginError> {
    let judge = Judge { maps: Maps::read(), copy, file, digest };
    let header = judge.header(address)?;
    let drafts = judge.descriptors(&header)?;
    let mut warnings = Vec::new();
    let begin = Instant::now();
    judge.open(&header)?;
    if begin.elapsed() > OPEN_PATIENCE {
        let seconds = begin.elapsed().as_secs();
        warnings.push(format!("{}: {}: `open` took {seconds} s", Code::OpenTimeout.text(), file.display()));
    }
    let entries = drafts.into_iter().map(|draft| judge.entry(draft)).collect::<Result<_, _>>()?;
    Ok(Library { entries, warnings })
}

/// Judges the header at an address as [`check`] does before anything runs, and gives the ids that it declares. For tests.
///
/// # Errors
/// What [`check`] refuses without calling `open`.
///
/// # Safety
/// On Linux any address will do; elsewhere pointers are not looked up, so all of them must lead to readable data.
#[doc(hidden)]
pub unsafe fn judge_header(address: *const u8, code: &Path) -> Result<Vec<String>, PluginError> {
    let judge = Judge { maps: Maps::read(), copy: code, file: code, digest: [0; 32] };
    let header = judge.header(address)?;
    Ok(judge.descriptors(&header)?.into_iter().map(|draft| draft.id).collect())
}

impl Judge<'_> {
    fn header(&self, address: *const u8) -> Result<Header, PluginError> {
        let wrong = |message: String| Err(PluginError::new(Code::NotPddflow, message));
        /// The magic and the size.
        const FIRST: usize = 12;
        if !self.maps.readable(address, FIRST) || !address.cast::<u64>().is_aligned() {
            return wrong("its header is not readable data".to_owned());
        }
        // SAFETY: these bytes are readable (checked).
        let magic = unsafe { address.cast::<[u8; 8]>().read() };
        if magic != abi::MAGIC {
            return wrong(format!("its header starts with {:?}", String::from_utf8_lossy(&magic)));
        }
        // SAFETY: as above; the address is aligned to 8.
        let size = unsafe { address.add(offset_of!(Header, size)).cast::<u32>().read() };
        if size < abi::HEADER_MANDATORY || !self.maps.readable(address, size as usize) {
            return wrong(format!("its header has {size} bytes, less than {}", abi::HEADER_MANDATORY));
        }
        // SAFETY: readable for its size (checked).
        let header = unsafe { raw::prefix(address.cast::<Header>(), size as usize) };
        versions(&header)?;
        flags(header.flags)?;
        if let Some(open) = header.open {
            self.code(open as *const u8, "open")?;
        }
        for (text, what) in
            [(header.sdk_name, "sdk_name"), (header.sdk_version, "sdk_version"), (header.target, "target")]
        {
            self.text(text, abi::MAX_TEXT_BYTES, what)?;
        }
        Ok(header)
    }

    fn descriptors(&self, header: &Header) -> Result<Vec<Draft>, PluginError> {
        let wrong = |message: String| Err(PluginError::new(Code::Descriptor, message));
        let count = header.descriptor_count;
        if count == 0 || count > abi::MAX_LISTED {
            return wrong(format!("it has {count} descriptors; there must be 1 to {}", abi::MAX_LISTED));
        }
        let mut drafts: Vec<Draft> = Vec::new();
        for number in 0..count as usize {
            let place = header.descriptors.wrapping_add(number);
            let pointer = self.read(place, "the list of descriptors")?;
            let draft = self.descriptor(pointer)?;
            if drafts.iter().any(|other| other.id == draft.id && other.role == draft.role) {
                return wrong(format!("it has two plugins named `{}`", draft.id));
            }
            drafts.push(draft);
        }
        Ok(drafts)
    }

    fn descriptor(&self, pointer: *const abi::Descriptor) -> Result<Draft, PluginError> {
        let descriptor = self.sized(pointer, DESCRIPTOR_MANDATORY, "the descriptor")?;
        let id = self.text(descriptor.id, abi::MAX_ID_BYTES, "id")?;
        check_id(&id)?;
        let (role, table) = match descriptor.role {
            role if role == abi::Role::Matcher as u32 => (Role::Matcher, self.matcher(&descriptor)?),
            role if role == abi::Role::Model as u32 => (Role::Model, self.model(&descriptor)?),
            other => {
                return Err(PluginError::new(Code::Descriptor, format!("`{id}` has the unknown role {other}")));
            }
        };
        self.capabilities(&descriptor, &id)?;
        let schema = self.text(descriptor.schema, abi::MAX_SCHEMA_BYTES, "schema")?;
        match descriptor.schema_text {
            Some(function) => self.code(function as *const u8, "schema_text")?,
            None if schema.is_empty() => return Err(null("schema_text")),
            None => {}
        }
        Ok(Draft {
            version: self.text(descriptor.version, abi::MAX_TEXT_BYTES, "version")?,
            summary: self.text(descriptor.summary, abi::MAX_TEXT_BYTES, "summary")?,
            descriptor,
            role,
            id,
            schema,
            table,
        })
    }

    fn capabilities(&self, descriptor: &abi::Descriptor, id: &str) -> Result<(), PluginError> {
        let wrong = |code, message| Err(PluginError::new(code, message));
        for (list, required) in [(descriptor.required, true), (descriptor.optional, false)] {
            if list.count > abi::MAX_LISTED {
                return wrong(Code::Descriptor, format!("`{id}` lists {} capabilities", list.count));
            }
            for number in 0..list.count as usize {
                let text = self.read(list.items.wrapping_add(number), "the list of capabilities")?;
                let name = self.text(text, abi::MAX_TEXT_BYTES, "capability")?;
                if required && !abi::CAPABILITIES.contains(&name.as_str()) {
                    let have = abi::CAPABILITIES.join("`, `");
                    return wrong(Code::Capability, format!("`{id}` requires `{name}`; this host has `{have}`"));
                }
            }
        }
        Ok(())
    }

    fn matcher(&self, descriptor: &abi::Descriptor) -> Result<Table, PluginError> {
        let table = self.sized(descriptor.table.cast::<abi::MatcherTable>(), MATCHER_MANDATORY, "the matcher table")?;
        let functions = [
            ("create", table.create.map(|function| function as *const u8)),
            ("destroy", table.destroy.map(|function| function as *const u8)),
            ("describe", table.describe.map(|function| function as *const u8)),
            ("iterate", table.iterate.map(|function| function as *const u8)),
        ];
        self.functions(&functions)?;
        if let Some(decode) = table.decode {
            self.code(decode as *const u8, "decode")?;
        }
        if let Some(identify) = table.identify {
            self.code(identify as *const u8, "identify")?;
        }
        Ok(Table::Matcher(Arc::new(table)))
    }

    fn model(&self, descriptor: &abi::Descriptor) -> Result<Table, PluginError> {
        let table = self.sized(descriptor.table.cast::<abi::ModelTable>(), MODEL_MANDATORY, "the model table")?;
        let functions = [
            ("create", table.create.map(|function| function as *const u8)),
            ("destroy", table.destroy.map(|function| function as *const u8)),
            ("weights", table.weights.map(|function| function as *const u8)),
            ("forward", table.forward.map(|function| function as *const u8)),
        ];
        self.functions(&functions)?;
        Ok(Table::Model(Arc::new(table)))
    }

    fn functions(&self, functions: &[(&str, Option<*const u8>)]) -> Result<(), PluginError> {
        for (name, function) in functions {
            match function {
                Some(address) => self.code(*address, name)?,
                None => return Err(null(name)),
            }
        }
        Ok(())
    }

    fn code(&self, address: *const u8, name: &str) -> Result<(), PluginError> {
        if self.maps.code_of(address, self.copy) {
            return Ok(());
        }
        Err(PluginError::new(Code::NullFunction, format!("the function `{name}` is not code of this library")))
    }

    /// A struct that starts with its size; a shorter one is extended with zeros, which mean NULL.
    fn sized<T>(&self, pointer: *const T, mandatory: u32, what: &str) -> Result<T, PluginError> {
        let size = self.read(pointer.cast::<u32>(), what)?;
        if size < mandatory {
            let message = format!("{what} has {size} bytes, less than {mandatory}");
            return Err(PluginError::new(Code::TableSize, message));
        }
        let bytes = (size as usize).min(size_of::<T>());
        if !pointer.is_aligned() || !self.maps.readable(pointer.cast(), bytes) {
            return Err(PluginError::new(Code::TableSize, format!("{what} is not {size} bytes of readable data")));
        }
        // SAFETY: these bytes are readable (checked).
        Ok(unsafe { raw::prefix(pointer, bytes) })
    }

    fn read<T: Copy>(&self, pointer: *const T, what: &str) -> Result<T, PluginError> {
        if pointer.is_null() || !pointer.is_aligned() || !self.maps.readable(pointer.cast(), size_of::<T>()) {
            return Err(PluginError::new(Code::Descriptor, format!("{what} is NULL or not readable data")));
        }
        // SAFETY: aligned and readable (checked); `T` is a plain struct or pointer of the boundary.
        Ok(unsafe { pointer.read() })
    }

    fn text(&self, text: Text, limit: u64, what: &str) -> Result<String, PluginError> {
        let wrong = |message: String| Err(PluginError::new(Code::Descriptor, format!("`{what}` {message}")));
        if text.length == 0 {
            return Ok(String::new());
        }
        if text.length > limit {
            return wrong(format!("has {} bytes, more than {limit}", text.length));
        }
        if !self.maps.readable(text.data.cast(), text.length as usize) {
            return wrong("is not readable data".to_owned());
        }
        let mut bytes = vec![0; text.length as usize];
        // SAFETY: readable for its length (checked), and `bytes` has as many. A pointer that may lead anywhere may also lead to where
        // `bytes` lie: the two may overlap.
        unsafe { std::ptr::copy(text.data.cast::<u8>(), bytes.as_mut_ptr(), bytes.len()) };
        String::from_utf8(bytes).or_else(|_| wrong("is not UTF-8".to_owned()))
    }

    fn open(&self, header: &Header) -> Result<(), PluginError> {
        let Some(open) = header.open else {
            return Ok(());
        };
        let state = State::new(Phase::Open, DType::F32, Device::Cpu, "{}");
        call::run(table::root(), state, "the plugin", |call| {
            // SAFETY: code of this library (checked); the call is live.
            unsafe { open(call) }
        })?;
        Ok(())
    }

    fn entry(&self, draft: Draft) -> Result<Entry, PluginError> {
        let text = match draft.descriptor.schema_text {
            Some(function) if draft.schema.is_empty() => schema_text(function)?,
            _ => draft.schema,
        };
        let schema = schema::parse(&draft.id, &text)?;
        if draft.role == Role::Model && files::any(&schema) {
            let message = format!("the schema of `{}` names files, which only parameters of matchers may do", draft.id);
            return Err(PluginError::new(Code::Schema, message));
        }
        let info = PluginInfo {
            id: draft.id,
            role: draft.role,
            version: draft.version,
            revision: (draft.descriptor.revision > 0).then_some(draft.descriptor.revision),
            summary: draft.summary,
            file: self.file.to_path_buf(),
            digest: self.digest,
            schema,
        };
        Ok(Entry { info: Arc::new(info), table: draft.table })
    }
}

fn schema_text(
    function: unsafe extern "C" fn(call: *mut abi::Call, out: *mut Text) -> i32,
) -> Result<String, PluginError> {
    let mut text = Text::EMPTY;
    let state = State::new(Phase::Schema, DType::F32, Device::Cpu, "{}");
    call::run(table::root(), state, "the plugin", |call| {
        // SAFETY: code of this library (checked); the call is live and the result pointer is valid.
        unsafe { function(call, &raw mut text) }
    })?;
    // The text may lie in memory that was allocated only now, so it is judged by fresh mappings.
    let judge = Judge { maps: Maps::read(), copy: Path::new(""), file: Path::new(""), digest: [0; 32] };
    judge.text(text, abi::MAX_SCHEMA_BYTES, "schema")
}

fn versions(header: &Header) -> Result<(), PluginError> {
    if header.abi_major != abi::ABI_MAJOR {
        let message =
            format!("it is built for version {} of the boundary, this is {}", header.abi_major, abi::ABI_MAJOR);
        return Err(PluginError::new(Code::AbiMajor, message));
    }
    if header.host_minor > abi::ABI_MINOR {
        let message = format!("it needs a host of minor version {}, this is {}", header.host_minor, abi::ABI_MINOR);
        return Err(PluginError::new(Code::AbiMinor, message));
    }
    if header.abi_minor < LOWEST_PLUGIN_MINOR {
        let message =
            format!("it is built for minor version {}, the lowest accepted is {LOWEST_PLUGIN_MINOR}", header.abi_minor);
        return Err(PluginError::new(Code::AbiMinor, message));
    }
    Ok(())
}

fn flags(flags: u64) -> Result<(), PluginError> {
    let wrong = |message: &str| Err(PluginError::new(Code::Build, message));
    let has = |flag: Flag| flags & flag as u64 != 0;
    if !has(Flag::Unwinds) {
        return wrong("it ends the process on a panic (`panic = \"abort\"`)");
    }
    if has(Flag::LittleEndian) != cfg!(target_endian = "little") {
        return wrong("it is built for another byte order");
    }
    if has(Flag::Pointers64) != cfg!(target_pointer_width = "64") {
        return wrong("it is built for another pointer width");
    }
    Ok(())
}

fn check_id(id: &str) -> Result<(), PluginError> {
    let mut letters = id.bytes();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_lowercase());
    if first && letters.all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Ok(());
    }
    Err(PluginError::new(Code::Descriptor, format!("the id `{id}` is malformed")))
}

fn null(name: &str) -> PluginError {
    PluginError::new(Code::NullFunction, format!("the function `{name}` is NULL"))
}
