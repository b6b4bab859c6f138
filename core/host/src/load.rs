//! From a file to a loaded library: hash, judge, copy, open, check, never close.
//!
//! The loader is given a copy whose name is the digest of its content. So the bytes that were hashed are the code that runs, two
//! builds of one plugin can be loaded together, and a rebuild during a run changes nothing that is mapped. A library is loaded
//! at most once in a process and never unloaded: destructors of thread-local data would run in code that is gone.

use crate::check;
use crate::copies;
use crate::error::{Code, PluginError};
use crate::library::Library;
use crate::object;
use fs_err as fs;
use memchr::memmem;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

type Loaded = BTreeMap<[u8; 32], Arc<Library>>;

/// Libraries of this process by digest. Holding the lock while loading makes `open` run once.
static LOADED: Mutex<Loaded> = Mutex::new(BTreeMap::new());

/// Loads a plugin file, or finds it loaded.
pub(crate) fn load(file: &Path) -> Result<Arc<Library>, PluginError> {
    let bytes = read(file)?;
    load_bytes(file, &bytes).map_err(|error| error.with_file(file))
}

/// A plugin that is linked into this program, judged as [`load`] judges one of a file. Its digest is zero: nothing is kept under it.
pub(crate) fn linked(header: &'static pddflow_abi::Header) -> Result<Library, PluginError> {
    let program = std::env::current_exe().map_err(|error| PluginError::new(Code::NotFound, error.to_string()))?;
    check::check(std::ptr::from_ref(header).cast(), &program, &program, [0; 32])
}

/// Whether a file of a search folder claims to be a plugin: it names the entry symbol.
pub(crate) fn names_entry(bytes: &[u8]) -> bool {
    memmem::find(bytes, check::SYMBOL.to_bytes_with_nul()).is_some()
}

/// What a plugin must not bring along, by its name in symbols: a second tensor library or thread pool has state of its own.
fn forbidden(bytes: &[u8]) -> impl Iterator<Item = &'static str> {
    let brings = |name: &&str| memmem::find(bytes, name.as_bytes()).is_some();
    ["rayon_core", "burn_autodiff", "burn_backend"].into_iter().filter(brings)
}

/// Content of a plugin file.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, PluginError> {
    let missing = |text: String| PluginError::new(Code::NotFound, text).with_file(file);
    let metadata = fs::metadata(file).map_err(|error| missing(reason(&error)))?;
    if metadata.is_dir() {
        return Err(missing("it is a folder; name it in the search path, not as a plugin file".to_owned()));
    }
    fs::read(file).map_err(|error| missing(reason(&error)))
}

/// The text of an error without the path, which the plugin error shows itself.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "the plugin file does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "the plugin file may not be read".to_owned(),
        _ => error.to_string(),
    }
}

/// Loads bytes that were read from `file`.
pub(crate) fn load_bytes(file: &Path, bytes: &[u8]) -> Result<Arc<Library>, PluginError> {
    if let Some(fault) = object::fault(bytes) {
        return Err(PluginError::new(Code::NotALibrary, fault));
    }
    let digest = *blake3::hash(bytes).as_bytes();
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.get(&digest) {
        return Ok(library.named(file));
    }
    let copy = copies::copy(bytes, &digest)?;
    let entry = open(&copy)?;
    let mut library = check::check(entry, &copy, file, digest)?;
    library.warnings.extend(forbidden(bytes).map(|name| {
        let (code, shown) = (Code::ForbiddenDependency.text(), file.display());
        format!("{code}: {shown}: it contains `{name}`; tensors and threads of a plugin are the host's")
    }));
    let library = Arc::new(library);
    loaded.insert(digest, Arc::clone(&library));
    Ok(library)
}

/// Opens a library for good and gives the address of its header. All symbols are bound now and stay local.
#[cfg(unix)]
fn open(path: &Path) -> Result<*const u8, PluginError> {
    use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: loading runs the initialisers of the library, which is what loading a plugin means.
    let library = unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| loader_error(&error))?;
    // SAFETY: only the address is taken; what lies there is judged before use.
    let address = unsafe { library.get::<*const u8>(check::SYMBOL.to_bytes_with_nul()) }
        .map(libloading::os::unix::Symbol::into_raw);
    std::mem::forget(library);
    address.map(|address| address.cast::<u8>().cast_const()).map_err(|_| no_entry())
}

/// Opens a library for good and gives the address of its header.
#[cfg(not(unix))]
fn open(path: &Path) -> Result<*const u8, PluginError> {
    // SAFETY: loading runs the initialisers of the library, which is what loading a plugin means.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| loader_error(&error))?;
    // SAFETY: only the address is taken; what lies there is judged before use.
    let address = unsafe { library.get::<u8>(check::SYMBOL.to_bytes_with_nul()) }.map(|symbol| &raw const *symbol);
    let address = address.map_err(|_| no_entry());
    std::mem::forget(library);
    address
}

fn no_entry() -> PluginError {
    PluginError::new(Code::NoEntry, format!("the library does not export `{}`", pddflow_abi::SYMBOL))
}

fn loader_error(error: &libloading::Error) -> PluginError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    const UNDEFINED: &str = "undefined symbol: ";
    if let Some(at) = text.find(UNDEFINED) {
        let name: String =
            text[at + UNDEFINED.len()..].chars().take_while(|letter| !matches!(letter, ')' | ',' | ' ')).collect();
        return PluginError::new(Code::Unresolved, format!("the symbol `{name}` is not defined anywhere"));
    }
    PluginError::new(Code::NotALibrary, format!("the loader refuses it: {text}"))
}
