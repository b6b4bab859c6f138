//! Where the process may read and run code (Linux: `/proc/self/maps`), so that a pointer in a plugin's data is judged before it
//! is followed. Elsewhere only NULL and alignment can be judged.

use std::path::{Path, PathBuf};

struct Range {
    start: usize,
    end: usize,
    readable: bool,
    executable: bool,
    file: Option<PathBuf>,
}

/// The mappings of this process at one moment.
pub(crate) struct Maps {
    ranges: Option<Vec<Range>>,
}

impl Maps {
    pub(crate) fn read() -> Self {
        let text = if cfg!(target_os = "linux") { fs_err::read_to_string("/proc/self/maps").ok() } else { None };
        Self { ranges: text.map(|text| text.lines().filter_map(parse).collect()) }
    }

    /// Whether `bytes` from `address` on may be read.
    pub(crate) fn readable(&self, address: *const u8, bytes: usize) -> bool {
        let Some(end) = (address as usize).checked_add(bytes) else {
            return false;
        };
        let Some(ranges) = &self.ranges else {
            return !address.is_null();
        };
        // Neighbouring mappings count as one.
        let mut at = address as usize;
        for range in ranges.iter().filter(|range| range.readable) {
            if range.start <= at && at < range.end {
                at = range.end;
            }
            if at >= end {
                return true;
            }
        }
        false
    }

    /// Whether the address is code of this file.
    pub(crate) fn code_of(&self, address: *const u8, file: &Path) -> bool {
        let Some(ranges) = &self.ranges else {
            return !address.is_null();
        };
        let at = address as usize;
        ranges
            .iter()
            .any(|range| range.executable && range.start <= at && at < range.end && range.file.as_deref() == Some(file))
    }
}

/// One line: `start-end rwxp offset device inode path`.
fn parse(line: &str) -> Option<Range> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let flags = words.next()?;
    let file = line.find('/').map(|at| PathBuf::from(&line[at..]));
    Some(Range {
        start: usize::from_str_radix(start, 16).ok()?,
        end: usize::from_str_radix(end, 16).ok()?,
        readable: flags.starts_with('r'),
        executable: flags.as_bytes().get(2) == Some(&b'x'),
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_data_is_readable_and_low_addresses_are_not() {
        let maps = Maps::read();
        let data = [1u8; 100];
        assert!(maps.readable(data.as_ptr(), data.len()));
        assert!(!maps.readable(std::ptr::null(), 1));
        assert!(!maps.readable(data.as_ptr(), usize::MAX));
        if cfg!(target_os = "linux") {
            assert!(!maps.readable(std::ptr::without_provenance(4096), 1));
            assert!(!maps.code_of(data.as_ptr(), Path::new("/nowhere")));
        }
    }
}
