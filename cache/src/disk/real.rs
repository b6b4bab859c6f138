//! The operating system's file system.
#![allow(
    clippy::disallowed_methods,
    reason = "every error of this module gets its path in a StoreError; fs-err would say it twice"
)]

use super::{Access, Disk, DiskFile, DiskLock, Status};
use crate::blob::Blob;
use std::fs::{self, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

/// Whether an open file may be mapped: what was read must not change or go away when another machine changes or removes
/// the file.
type MayMap = fn(&fs::File) -> bool;

pub(crate) struct RealDisk {
    may_map: MayMap,
    #[cfg(target_os = "linux")]
    locks: super::locks::LockFiles,
}

impl RealDisk {
    pub(crate) fn new(may_map: MayMap) -> Self {
        Self {
            may_map,
            #[cfg(target_os = "linux")]
            locks: super::locks::LockFiles::default(),
        }
    }
}

impl Default for RealDisk {
    fn default() -> Self {
        Self::new(is_local)
    }
}

/// File systems on which a file that another machine truncates or removes takes the pages of a map with it.
#[cfg(target_os = "linux")]
const NETWORK: [(&str, i64); 10] = [
    ("9p", 0x0102_1997),
    ("afs", 0x5346_414f),
    ("afs (kernel)", 0x6b41_4653),
    ("ceph", 0x00c3_6400),
    ("cifs", 0xff53_4d42),
    ("coda", 0x7375_7245),
    ("fuse", 0x6573_5546),
    ("nfs", 0x6969),
    ("smb", 0x517b),
    ("smb2", 0xfe53_4d42),
];

/// Whether a file lies on a file system that no other machine changes behind ours. Unknown is not.
#[cfg(target_os = "linux")]
fn is_local(file: &fs::File) -> bool {
    nix::sys::statfs::fstatfs(file).is_ok_and(|found| !is_network(found.filesystem_type().0))
}

#[cfg(target_os = "linux")]
fn is_network(magic: i64) -> bool {
    // The kernel has 32 bits; some systems extend them with their sign.
    NETWORK.iter().any(|(_, known)| *known == magic & 0xffff_ffff)
}

#[cfg(not(target_os = "linux"))]
fn is_local(_file: &fs::File) -> bool {
    true
}

impl Disk for RealDisk {
    fn read(&self, path: &Path) -> io::Result<(Blob, Status)> {
        let mut file = fs::File::open(path)?;
        let status = status_of(&file.metadata()?);
        Ok((Blob::from_file(&mut file, status.length, self.may_map)?, status))
    }

    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        let metadata = fs::metadata(path)?;
        if metadata.is_file() { Ok(status_of(&metadata)) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            // Names that are not UTF-8 are not ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options, access);
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(fs::OpenOptions::new().append(true).create(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.set_modified(SystemTime::now())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    #[cfg(unix)]
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
        match fs::File::open(path).and_then(|folder| folder.sync_all()) {
            // A folder that may be entered but not read, or a file system without such a thing as syncing a folder
            // (network and user-space ones): the store is usable, its names are as durable as they can be.
            Err(error) if matches!(error.kind(), PermissionDenied | InvalidInput | Unsupported) => Ok(()),
            other => other,
        }
    }

    /// Elsewhere a folder cannot be opened as a file; the file system orders names by itself.
    #[cfg(not(unix))]
    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self, folder: &Path) -> io::Result<bool> {
        nix::unistd::syncfs(fs::File::open(folder)?)?;
        Ok(true)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self, _folder: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn host(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
    }

    #[cfg(target_os = "linux")]
    fn lock(&self, file: &Path, number: u64) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.locks.lock(file, number)
    }

    #[cfg(target_os = "linux")]
    fn is_locked(&self, file: &Path, number: u64) -> bool {
        super::locks::is_locked(file, number)
    }

    /// Work may be done twice there, which is a waste and no harm.
    #[cfg(not(target_os = "linux"))]
    fn lock(&self, _file: &Path, _number: u64) -> io::Result<Option<Box<dyn DiskLock>>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    fn is_locked(&self, _file: &Path, _number: u64) -> bool {
        false
    }
}

struct RealFile(fs::File);

impl DiskFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(unix)]
fn status_of(metadata: &Metadata) -> Status {
    use std::os::unix::fs::MetadataExt as _;
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Status { length: metadata.len(), modified, identity: (metadata.ino(), changed) }
}

#[cfg(not(unix))]
fn status_of(metadata: &Metadata) -> Status {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Status { length: metadata.len(), modified, identity: (0, 0) }
}

/// Without write permission an editor cannot damage an artifact by accident. All other files get what the user's mask
/// allows, so that a group can share a store.
#[cfg(unix)]
fn restrict(options: &mut fs::OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    if access == Access::ReadOnly {
        options.mode(0o444);
    }
}

#[cfg(not(unix))]
fn restrict(_options: &mut fs::OpenOptions, _access: Access) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        // As statfs(2) lists them, and as `stat -f` shows them.
        for (name, magic) in [("nfs", 0x6969), ("smb2", 0xfe53_4d42), ("fuse", 0x6573_5546), ("cifs", -11_317_950)] {
            assert!(is_network(magic), "{name}");
        }
        for (name, magic) in [("ext4", 0xef53), ("tmpfs", 0x0102_1994), ("xfs", 0x5846_5342), ("btrfs", 0x9123_683e)] {
            assert!(!is_network(magic), "{name}");
        }
    }

    #[test]
    fn what_was_read_from_a_network_file_system_outlives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("artifact");
        let bytes = vec![7; 100_000];
        fs_err::write(&path, &bytes).unwrap();
        let (blob, _) = RealDisk::new(|_| false).read(&path).unwrap();
        // In a map these pages would be gone, and reading them would end the process.
        fs_err::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        assert_eq!(*blob, *bytes);
    }
}
