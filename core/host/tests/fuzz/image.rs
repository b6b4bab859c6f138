//! A plugin's exported data in memory, right as it stands, and changes to it.

use pddflow_abi as abi;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of one change: place u16, way u8, value u64, little endian.
pub(crate) const CHANGE_BYTES: usize = 11;
/// Pointers are also bent to so many bytes behind the data.
const BEYOND: usize = 64;

/// Whether a function of the plugin ran, which must never happen before all of it is judged.
static RAN: AtomicBool = AtomicBool::new(false);

unsafe extern "C" fn open(_: *mut abi::Call) -> i32 {
    RAN.store(true, Ordering::SeqCst);
    0
}

unsafe extern "C" fn create(_: *mut abi::Call, _: *mut *mut c_void) -> i32 {
    RAN.store(true, Ordering::SeqCst);
    1
}

unsafe extern "C" fn destroy(_: *mut c_void) {
    RAN.store(true, Ordering::SeqCst);
}

unsafe extern "C" fn describe(_: *mut abi::Call, _: *const c_void, _: *const abi::Problem) -> i32 {
    RAN.store(true, Ordering::SeqCst);
    2
}

unsafe extern "C" fn iterate(_: *mut abi::Call, _: *const c_void, _: *const abi::IterateArguments) -> i32 {
    RAN.store(true, Ordering::SeqCst);
    3
}

/// Header, descriptor, table and texts of a plugin with one matcher.
#[repr(C)]
pub(crate) struct Image {
    header: abi::Header,
    list: [*const abi::Descriptor; 2],
    descriptor: abi::Descriptor,
    table: abi::MatcherTable,
    capabilities: [abi::Text; 1],
    words: [u8; 32],
}

/// The texts, one after the other: id, version, capability, schema.
const WORDS: &[u8; 32] = b"fuzz0.1.0train/1{}\xff\xfe            ";

impl Image {
    /// As a compiler lays it out; in a box, because it points into itself.
    pub(crate) fn new() -> Box<Self> {
        let size = |bytes: usize| u32::try_from(bytes).expect("small");
        let flags = abi::Flag::Unwinds as u64 | abi::Flag::LittleEndian as u64 | abi::Flag::Pointers64 as u64;
        let empty = abi::Text::EMPTY;
        let none = abi::TextList::EMPTY;
        let mut image = Box::new(Self {
            header: abi::Header {
                magic: abi::MAGIC,
                size: size(size_of::<abi::Header>()),
                abi_major: abi::ABI_MAJOR,
                abi_minor: abi::ABI_MINOR,
                host_minor: abi::ABI_MINOR,
                flags,
                sdk_name: empty,
                sdk_version: empty,
                target: empty,
                descriptors: std::ptr::null(),
                descriptor_count: 1,
                open: Some(open),
            },
            list: [std::ptr::null(); 2],
            descriptor: abi::Descriptor {
                size: size(size_of::<abi::Descriptor>()),
                role: abi::Role::Matcher as u32,
                id: empty,
                version: empty,
                summary: empty,
                schema: empty,
                schema_text: None,
                required: none,
                optional: abi::TextList::EMPTY,
                table: std::ptr::null(),
                revision: 1,
                reserved: 0,
            },
            table: abi::MatcherTable {
                size: size(size_of::<abi::MatcherTable>()),
                reserved: 0,
                create: Some(create),
                destroy: Some(destroy),
                describe: Some(describe),
                iterate: Some(iterate),
                decode: None,
                identify: None,
            },
            capabilities: [abi::Text::EMPTY],
            words: *WORDS,
        });
        image.point();
        image
    }

    fn point(&mut self) {
        let word = |from: usize, length: u64| abi::Text { data: self.words[from..].as_ptr().cast(), length };
        (self.descriptor.id, self.descriptor.version) = (word(0, 4), word(4, 5));
        (self.capabilities[0], self.descriptor.schema) = (word(9, 7), word(16, 2));
        self.descriptor.required = abi::TextList { items: self.capabilities.as_ptr(), count: 1 };
        self.descriptor.table = (&raw const self.table).cast();
        self.list = [&raw const self.descriptor; 2];
        self.header.descriptors = self.list.as_ptr();
    }

    /// Overwrites places with numbers, or with pointers to some place of this data.
    pub(crate) fn change(&mut self, changes: &[u8]) {
        let base = (&raw mut *self).cast::<u8>();
        for change in changes.chunks_exact(CHANGE_BYTES) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (size_of::<Self>() - 8);
            let number = u64::from_le_bytes(change[3..].try_into().expect("eight bytes"));
            let inside = base as u64 + number % (size_of::<Self>() + BEYOND) as u64;
            let (value, width) = match change[2] % 4 {
                0 => (number, 8),
                1 => (inside, 8),
                2 => (number, 4),
                _ => (number, 1),
            };
            // SAFETY: at most 8 bytes from `at` on lie within this value; none of its fields is read as its type again.
            unsafe {
                std::ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), base.add(at), width);
            }
        }
    }

    /// Judges it; the ids, or nothing if it was refused.
    ///
    /// # Panics
    /// When a function of it ran.
    pub(crate) fn judge(&self, program: &std::path::Path) -> Option<Vec<String>> {
        // SAFETY: the targets are for Linux, where pointers are looked up before they are followed.
        let judged = unsafe { pddflow_host::judge_header((&raw const *self).cast(), program) };
        assert!(!RAN.load(Ordering::SeqCst), "a function ran before everything was judged");
        if let Err(error) = &judged {
            assert!(!error.to_string().is_empty());
        }
        judged.ok()
    }
}
