//! Reading files with a limit, so that no file can fill the memory, and the problems of reading.

use std::io::Read as _;
use std::path::Path;

use crate::diagnostic::problem::{Problem, Report};
use crate::text::source::Span;
use crate::text::suggest::nearest;

/// Largest pipeline file. One with 10,000 nodes written out has about 2 MiB.
pub(crate) const MAX_FILE_BYTES: usize = 16 << 20;
const UNREADABLE: &str = "pddflow::pipeline::unreadable_file";

/// Why a file has no text.
pub(crate) enum Unread {
    System(std::io::Error),
    TooLarge,
    /// The text with replacement characters, and how many bytes are valid.
    NotUtf8(String, usize),
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, Unread> {
    let bytes = limited(path).map_err(Unread::System)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Unread::NotUtf8(String::from_utf8_lossy(error.as_bytes()).into_owned(), valid)
    })
}

/// The bytes of a file up to one more than the limit.
fn limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = fs_err::File::open(path)?;
    // What a device or a pipe says of its length is not believed.
    let length = file.metadata().ok().and_then(|metadata| usize::try_from(metadata.len()).ok()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(length.min(MAX_FILE_BYTES) + 1);
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reports why a file cannot be read: at `span` where another file names it, else in the file itself.
pub(crate) fn report_unread(report: &mut Report, path: &Path, unread: Unread, span: Option<Span>) {
    let mut own = |text: &str| report.sources.add_included(&path.to_string_lossy(), text, span);
    let problem = match unread {
        Unread::NotUtf8(text, valid) => {
            let source = own(&text);
            Problem::new(
                "pddflow::pipeline::not_utf8",
                Span::new(source, valid..valid + char::REPLACEMENT_CHARACTER.len_utf8()),
                "the file is not UTF-8 text",
            )
            .help("save it as UTF-8; if it is UTF-16 or Latin-1, convert it with iconv")
        }
        Unread::TooLarge => too_large(Span::new(own(""), 0..0)),
        Unread::System(error) => {
            let what = if span.is_some() { "included file" } else { "pipeline" };
            let message = format!("the {what} cannot be read: {}", reason(&error));
            let span = span.unwrap_or_else(|| Span::new(own(""), 0..0));
            Problem::new(UNREADABLE, span, message).help(unreadable_help(path))
        }
    };
    report.add(problem);
}

pub(crate) fn too_large(span: Span) -> Problem {
    let megabytes = MAX_FILE_BYTES >> 20;
    Problem::new("pddflow::pipeline::file_too_large", span, format!("the file is larger than {megabytes} MiB"))
        .help("is this a pipeline? Use `for` families instead of repeated nodes")
}

/// The error of the system; the path is shown by the diagnostic itself.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Names the pipeline beside the missing one that is nearest to it.
fn unreadable_help(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = if path.is_dir() { path } else { folder };
    let Ok(entries) = fs_err::read_dir(folder) else {
        return format!("the folder `{}` cannot be read either", folder.display());
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{}`?", folder.join(near).display()),
        None if names.is_empty() => format!("there are no pipelines in `{}`", folder.display()),
        None => format!("pipelines there: {}", names.join(", ")),
    }
}
