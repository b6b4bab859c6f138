//! Downloads: resumed, verified, and put under their name only when they are right.
//!
//! The bytes go to `<name>.part`; a later call continues where an earlier one stopped (also by Ctrl-C or a lost
//! connection). A `.part` that turns out wrong is removed. A lock of the system on the `.part` keeps two processes apart
//! and ends with the process that holds it.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::{NodeContext, NodeError, Progress};

use crate::raw::{read_file, unreadable};

/// Attempts after which a connection that breaks off is given up; each continues the one before.
const ATTEMPTS: usize = 5;
/// Bytes between two looks at whether to stop.
const CHUNK: usize = 64 * 1024;
/// A server that says nothing for this long is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks at a lock that another process holds.
const LOCK_WAIT: Duration = Duration::from_millis(200);

/// Where files come from and go to.
pub(crate) struct Download<'a> {
    /// Address of the folder with the files.
    pub(crate) server: &'a str,
    /// Receives them.
    pub(crate) folder: &'a Path,
    /// Size of all files together, for progress.
    pub(crate) total_bytes: u64,
    /// Name of the source, for advice.
    pub(crate) source: &'a str,
    /// The system's package with the same files, for advice.
    pub(crate) package: Option<&'a str>,
}

impl Download<'_> {
    fn refused(&self, url: &str, status: u16) -> NodeError {
        fail("download_refused", format!("{url} answers with status {status}"))
            .with_help(format!("check the address, or name a folder with the files: {}", self.with_path()))
    }

    fn failed(&self, url: &str, cause: Option<ureq::Error>) -> NodeError {
        let package = self.package.map(|package| format!("install the system's package `{package}`, or "));
        let failure = fail("download_failed", format!("{url} cannot be downloaded")).with_help(format!(
            "check the connection; or {}name a folder with the files: {}",
            package.unwrap_or_default(),
            self.with_path()
        ));
        match cause {
            Some(error) => failure.with_source(error),
            None => failure,
        }
    }

    fn with_path(&self) -> String {
        format!("`source: {{ {}: {{ path: ... }} }}`", self.source)
    }
}

/// The path of the file, which is downloaded unless it is there and `check` accepts its bytes. `before` is what earlier
/// files of the same download had, for progress.
pub(crate) fn fetch(
    download: &Download<'_>,
    name: &str,
    before: u64,
    check: &dyn Fn(&[u8]) -> bool,
    context: &NodeContext<'_>,
) -> NodeResult<PathBuf> {
    let path = download.folder.join(name);
    if path.is_file() && check(&read_file(&path)?) {
        return Ok(path);
    }
    fs_err::create_dir_all(download.folder).map_err(|error| unwritable(download.folder, error))?;
    let part_path = download.folder.join(format!("{name}.part"));
    let mut part = lock(&part_path, context)?;
    if path.is_file() {
        if check(&read_file(&path)?) {
            return Ok(path); // Another process was faster.
        }
        context.warn(format!("`{}` is damaged and is downloaded again", path.display()));
        fs_err::remove_file(&path).map_err(|error| unwritable(&path, error))?;
    }
    let url = format!("{}/{name}", download.server.trim_end_matches('/'));
    context.log(format!("downloading {url}"));
    let progress = |bytes: u64| {
        let done = (before + bytes).min(download.total_bytes);
        context.progress(Progress { done, total: download.total_bytes, unit: "bytes", loss: None });
    };
    match receive(&url, &mut part, &progress, context) {
        Ok(()) => {}
        Err(Broken::Stopped) => return Err(NodeError::cancelled()),
        Err(Broken::Write(error)) => return Err(unwritable(&part_path, error)),
        Err(Broken::Refused(status)) => return Err(download.refused(&url, status)),
        Err(Broken::Lost(error)) => return Err(download.failed(&url, error)),
    }
    if !check(&read_file(&part_path)?) {
        fs_err::remove_file(&part_path).map_err(|error| unwritable(&part_path, error))?;
        return Err(fail("download_wrong", format!("what {url} sends is not the expected file")).with_help(format!(
            "try again; if it stays so, get `{name}` elsewhere and put it into `{}`",
            download.folder.display()
        )));
    }
    part.sync_all().map_err(|error| unwritable(&part_path, error))?;
    fs_err::rename(&part_path, &path).map_err(|error| unwritable(&path, error))?;
    Ok(path)
}

fn lock(part_path: &Path, context: &NodeContext<'_>) -> NodeResult<fs_err::File> {
    let failed = |error| unwritable(part_path, error);
    loop {
        let part = fs_err::OpenOptions::new().create(true).read(true).append(true).open(part_path).map_err(failed)?;
        match part.file().try_lock() {
            // The one who held it may have renamed the file: the lock counts only on what has the name now.
            Ok(()) if part_path.is_file() => return Ok(part),
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_WAIT),
            // Systems without locks: only one process is assumed.
            Err(std::fs::TryLockError::Error(_)) => return Ok(part),
        }
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
    }
}

/// Receives the rest of the file into `part`, over several connections if need be.
fn receive(
    url: &str,
    part: &mut fs_err::File,
    progress: &dyn Fn(u64),
    context: &NodeContext<'_>,
) -> Result<(), Broken> {
    let agent = agent();
    let mut last = Broken::Lost(None);
    for _ in 0..ATTEMPTS {
        match connection(&agent, url, part, progress, context) {
            Err(Broken::Lost(error)) => last = Broken::Lost(error),
            other => return other,
        }
    }
    Err(last)
}

enum Broken {
    Stopped,
    Refused(u16),
    /// The connection, and what ended it.
    Lost(Option<ureq::Error>),
    Write(std::io::Error),
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        // The files are packed already, and a range of an encoded body is not a range of the file.
        .accept_encoding("identity")
        .build()
        .new_agent()
}

fn connection(
    agent: &ureq::Agent,
    url: &str,
    part: &mut fs_err::File,
    progress: &dyn Fn(u64),
    context: &NodeContext<'_>,
) -> Result<(), Broken> {
    let mut have = part.seek(SeekFrom::End(0)).map_err(Broken::Write)?;
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|error| Broken::Lost(Some(error)))?;
    let rest = response.headers().get("Content-Range").and_then(|range| range.to_str().ok());
    match response.status().as_u16() {
        206 if rest.is_some_and(|range| range.starts_with(&format!("bytes {have}-"))) => {}
        // Nothing after what is there: it is complete, or it is wrong and its check will say so.
        416 if have > 0 => return Ok(()),
        200 => {
            part.set_len(0).map_err(Broken::Write)?;
            have = 0;
        }
        status => return Err(Broken::Refused(status)),
    }
    let expected = response.body().content_length();
    let mut body = response.into_body().into_reader();
    let (start, mut chunk) = (have, vec![0; CHUNK]);
    loop {
        if context.cancelled() {
            return Err(Broken::Stopped);
        }
        let count = body.read(&mut chunk).map_err(|error| Broken::Lost(Some(error.into())))?;
        if count == 0 {
            break;
        }
        part.write_all(&chunk[..count]).map_err(Broken::Write)?;
        have += count as u64;
        progress(have);
    }
    match expected {
        Some(expected) if have - start < expected => {
            Err(Broken::Lost(Some(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())))
        }
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> NodeError {
    if error.kind() == std::io::ErrorKind::NotFound {
        return unreadable(path, error);
    }
    fail("download_unwritable", format!("`{}` cannot be written", path.display()))
        .with_help("check free space and permissions, or set another data folder")
        .with_source(error)
}
