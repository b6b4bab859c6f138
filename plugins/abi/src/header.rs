//! The exported data that the host reads before it runs anything.

use crate::data::{Text, TextList};
use crate::host::Call;
use core::ffi::c_void;

/// First bytes of a plugin's header.
pub const MAGIC: [u8; 8] = *b"PDDFLOW\0";
/// Version of the boundary that is not compatible with others.
pub const ABI_MAJOR: u32 = 0;
/// Version of the boundary that only grows.
pub const ABI_MINOR: u32 = 9;
/// Name of the exported header.
pub const SYMBOL: &str = "pddflow_plugin";
/// Bytes of the header that every plugin has.
pub const HEADER_MANDATORY: u32 = 104;
/// Longest id, in bytes.
pub const MAX_ID_BYTES: u64 = 64;
/// Longest version, summary, name or message, in bytes.
pub const MAX_TEXT_BYTES: u64 = 4096;
/// Longest schema or other JSON text, in bytes.
pub const MAX_SCHEMA_BYTES: u64 = 1 << 20;
/// Most descriptors in a plugin, most capabilities in a descriptor, most axes of a tensor declared.
pub const MAX_LISTED: u64 = 256;

/// Names of the optional abilities that this version of the host can have, each with its revision.
pub const CAPABILITIES: &[&str] =
    &["train/1", "trajectories/1", "augment/1", "save-point/1", "solve/1", "moments/1", "models/1"];

/// What a plugin exports under the name `pddflow_plugin`, as constant data. Frozen: later versions append.
#[repr(C)]
#[derive(Debug)]
pub struct Header {
    /// "PDDFLOW" and a zero byte.
    pub magic: [u8; 8],
    /// Size of this struct in bytes.
    pub size: u32,
    /// Major version built against.
    pub abi_major: u32,
    /// Minor version built against.
    pub abi_minor: u32,
    /// Lowest minor version of a host that will do.
    pub host_minor: u32,
    /// Bits of `Flag`.
    pub flags: u64,
    /// What built it, e.g. "pddflow-sdk" or "c".
    pub sdk_name: Text,
    /// Its version.
    pub sdk_version: Text,
    /// Target triple it was built for; may be empty.
    pub target: Text,
    /// Descriptors.
    pub descriptors: *const *const Descriptor,
    /// Number of descriptors.
    pub descriptor_count: u64,
    /// Called once in a process after all checks, before anything else of the plugin; may refuse by a status; may be NULL. `[call]`
    pub open: Option<unsafe extern "C" fn(call: *mut Call) -> i32>,
}

// SAFETY: a header is constant data; its pointers lead to constant data of the same library.
#[expect(unsafe_code, reason = "a constant with pointers is exported")]
unsafe impl Sync for Header {}

/// One matcher or model.
#[repr(C)]
#[derive(Debug)]
pub struct Descriptor {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `Role`.
    pub role: u32,
    /// `[a-z][a-z0-9-]*`, at most 64 bytes, unique among the plugins of a run.
    pub id: Text,
    /// Version of the plugin.
    pub version: Text,
    /// One line.
    pub summary: Text,
    /// JSON schema of the parameters; empty when `schema_text` gives it.
    pub schema: Text,
    /// Gives the schema; constant, called after `open`; may be NULL when `schema` is not empty. `[call]`
    pub schema_text: Option<unsafe extern "C" fn(call: *mut Call, out: *mut Text) -> i32>,
    /// Capabilities without which the plugin cannot work.
    pub required: TextList,
    /// Capabilities it uses if they are there.
    pub optional: TextList,
    /// `MatcherTable` or `ModelTable`.
    pub table: *const c_void,
    /// Number of the plugin's results: raised whenever the same parameters may give other numbers. Results are then named by
    /// id and revision, so that a rebuild changes nothing; 0, or left out: they are named by the bytes of the file. Since 0.4.
    pub revision: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: as for the header.
#[expect(unsafe_code, reason = "a constant with pointers is exported")]
unsafe impl Sync for Descriptor {}
