//! Where the store, plugins and data sets lie. The only module that reads the environment (with clap and `output`).

use std::env;
use std::path::{Path, PathBuf};

/// How the variables for S3 begin.
const S3_VARIABLES: &str = "AWS_";
/// Name of the store's folder.
const STORE: &str = ".pddflow";
/// The pipeline file of a folder where none is named.
pub(crate) const PIPELINE: &str = "pipeline.yaml";
/// Folder of downloads inside the store's folder.
pub(crate) const DOWNLOADS: &str = "downloads";
/// Where systems install data sets for everyone.
pub(crate) const SYSTEM_DATA: [&str; 2] = ["/usr/local/share/datasets", "/usr/share/datasets"];

/// The root of the store: as asked for, else `.pddflow` in the nearest parent folder that has one, else here.
pub(crate) fn store_root(asked: Option<&Path>) -> PathBuf {
    if let Some(asked) = asked {
        return asked.to_owned();
    }
    let here = env::current_dir().unwrap_or_default();
    let store = nearest_store(&here);
    // As short as can be: the system walks the path for every file of a run.
    store.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(store)
}

/// Whether a word of the command line is a pipeline file and not a node.
pub(crate) fn is_pipeline(word: &Path) -> bool {
    let extension = word.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml")) || word.is_file()
}

fn nearest_store(here: &Path) -> PathBuf {
    let present = here.ancestors().map(|folder| folder.join(STORE)).find(|store| store.is_dir());
    present.unwrap_or_else(|| here.join(STORE))
}

/// The variables of the environment that say to any S3 client who asks, and whom.
pub(crate) fn s3_variables() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(S3_VARIABLES))?;
        Some((name, value.into_string().ok()?))
    };
    env::vars_os().filter_map(text).collect()
}

/// The file of this program.
pub(crate) fn program() -> std::io::Result<PathBuf> {
    env::current_exe()
}

/// The current folder.
pub(crate) fn here() -> std::io::Result<PathBuf> {
    env::current_dir()
}

/// Makes a folder the current one.
pub(crate) fn enter(folder: &Path) -> std::io::Result<()> {
    env::set_current_dir(folder)
}

/// The command line, the name of the program first.
pub(crate) fn arguments() -> Vec<String> {
    env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Variables that Slurm sets in a job, which its programs would take for wishes of the next one. Those that say where its
/// configuration is stay.
pub(crate) fn job_variables() -> Vec<String> {
    const KEPT: [&str; 2] = ["SLURM_CONF", "SLURM_CONF_SERVER"];
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("SLURM") && !KEPT.contains(&name.as_str())).collect()
}

/// The number of characters of a line: `COLUMNS`, else that of the terminal behind standard output; no limit elsewhere.
pub(crate) fn width() -> Option<usize> {
    let said = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    said.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0)))
}

/// Folders that may hold plugins without being asked for: that of the program, then that of the user.
pub(crate) fn plugin_folders() -> impl Iterator<Item = PathBuf> {
    beside_the_program().into_iter().chain(user_plugins())
}

/// The folder of plugins that a user has installed.
pub(crate) fn user_plugins() -> Option<PathBuf> {
    user_data().map(|data| data.join("pddflow").join("plugins"))
}

/// The folder of the program; when no library lies there, its `deps`, where cargo leaves those that it built for tests.
/// (Never both: `deps` holds many libraries of others, and looking into each takes longer than a run with nothing to do.)
fn beside_the_program() -> Option<PathBuf> {
    let program = env::current_exe().ok()?.canonicalize().ok()?;
    let folder = program.parent()?.to_path_buf();
    let is_library = |name: &Path| name.extension().is_some_and(|found| found == env::consts::DLL_EXTENSION);
    let mut files = fs_err::read_dir(&folder).into_iter().flatten().flatten();
    let any = files.any(|entry| is_library(Path::new(&entry.file_name())));
    Some(if any { folder } else { folder.join("deps") })
}

/// The folder where programs keep data of the user.
fn user_data() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        folder("APPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_store_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs_err::create_dir_all(&inner).unwrap();
        assert_eq!(nearest_store(&inner), inner.join(STORE));
        fs_err::create_dir(folder.path().join(STORE)).unwrap();
        assert_eq!(nearest_store(&inner), folder.path().join(STORE));
        fs_err::create_dir(inner.join(STORE)).unwrap();
        assert_eq!(nearest_store(&inner), inner.join(STORE));
    }
}
