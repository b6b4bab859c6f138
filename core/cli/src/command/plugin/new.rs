//! `pddflow plugin new`: a crate that builds, with a test and a pipeline.

use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use clap::{ValueEnum, ValueHint};
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

const EXAMPLES: &str = "\
Examples:
  pddflow plugin new my-matcher
  pddflow plugin new my-net --model
  pddflow plugin new my-matcher --lang c
  pddflow plugin new my-matcher --lang python

Then: cd my-matcher && pddflow plugin build && pddflow run pipeline.yaml. A matcher in Python needs no build.";

/// Make a folder with a plugin that works: sources, a test, a pipeline that uses it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Name of the plugin in pipelines: lower-case letters, digits and `-`
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// A matcher: how the images of a set are learned (the default)
    #[arg(long, conflicts_with = "model")]
    matcher: bool,
    /// A model: a network that is trained
    #[arg(long)]
    model: bool,
    /// Language of the plugin: Python is a file for the matcher `python`, which calls it
    #[arg(long, value_enum, value_name = "LANG", default_value_t = Language::Rust)]
    lang: Language,
    /// Folder to make [default: NAME in the current folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    C,
    Python,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Python => "Python",
        }
    }
}

/// The name as plugins are named.
fn name(text: &str) -> Result<String, String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = text.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    if starts && !text.ends_with('-') && text.len() <= 40 && text.chars().all(letters) {
        Ok(text.to_owned())
    } else {
        Err("a name has up to 40 lower-case letters, digits and `-`, and begins with a letter, such as `my-matcher`"
            .into())
    }
}

/// Files of a crate in Rust, the sources of the SDK aside.
const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../templates/plugin/Cargo.toml.in")),
    ("tests/runs.rs", include_str!("../../../templates/plugin/runs.rs.in")),
    (".gitignore", "/target\n/.pddflow\n/results\n"),
];
const C: &[(&str, &str)] = &[
    ("plugin.c", include_str!("../../../templates/plugin/matcher.c.in")),
    (".gitignore", "/*.so\n/*.dylib\n/.pddflow\n/results\n"),
];
const PYTHON: &[(&str, &str)] = &[
    ("matcher.py", include_str!("../../../templates/plugin/matcher.py.in")),
    ("test_matcher.py", include_str!("../../../templates/plugin/test_matcher.py.in")),
    (".gitignore", "__pycache__\n/.pddflow\n/results\n"),
];
const RUST_MATCHER: &[(&str, &str)] = &[
    ("src/lib.rs", include_str!("../../../templates/plugin/matcher.rs.in")),
    ("tests/iterate.rs", include_str!("../../../templates/plugin/iterate.rs.in")),
];
const RUST_MODEL: &[(&str, &str)] = &[
    ("src/lib.rs", include_str!("../../../templates/plugin/model.rs.in")),
    ("tests/forward.rs", include_str!("../../../templates/plugin/forward.rs.in")),
];
const MATCHER_PIPELINE: &str = include_str!("../../../templates/plugin/matcher.yaml.in");
const MODEL_PIPELINE: &str = include_str!("../../../templates/plugin/model.yaml.in");
/// The interpreter is a parameter, so that tests can name theirs.
const PYTHON_PARAMS: &str =
    "  # The interpreter: a name on the search path or an absolute path. It needs PyTorch.\n  python: python3\n";

impl Args {
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let folder = self.to.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        if self.model && self.lang != Language::Rust {
            let help = match self.lang {
                Language::C => {
                    "leave out `--lang c`; `pddflow.h` in a C matcher's folder has the interface of models too"
                }
                _ => "leave out `--lang python`: models are written in Rust or C",
            };
            let message = format!("there is no example of a model in {}", self.lang.name());
            return Err(Problem::usage("language", message).with_help(help));
        }
        let files = self.files();
        make(&folder, &files).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Problem::usage("exists", format!("{} exists already", folder.display()))
                    .with_help("choose another name, or another folder with `--to DIR`; nothing was changed")
            }
            _ => Problem::usage("plugin", format!("the plugin cannot be written: {error}"))
                .with_help("choose a folder that can be written to with `--to DIR`"),
        })?;
        let (source, build) = match self.lang {
            Language::Rust => ("src/lib.rs", "  pddflow plugin build\n"),
            Language::C => ("plugin.c", "  pddflow plugin build\n"),
            Language::Python => ("matcher.py", ""),
        };
        let shown = folder.display();
        output.data(&format!(
            "made {shown}: start with {shown}/{source}, then\n\n  cd {shown}\n{build}  pddflow run pipeline.yaml\n"
        ));
        Ok(Exit::Ok)
    }

    fn files(&self) -> Vec<(String, String)> {
        let filled = |text: &str| {
            let structure: String = self.name.split('-').map(capitalised).collect();
            let (matcher, params) = match self.lang {
                Language::Python => ("python: { file: matcher.py, python: \"${python}\" }", PYTHON_PARAMS),
                _ => ("{{name}}: {}", ""),
            };
            text.replace("{{matcher}}", matcher)
                .replace("{{params}}", params)
                .replace("{{name}}", &self.name)
                .replace("{{crate}}", &self.name.replace('-', "_"))
                .replace("{{Struct}}", &structure)
                .replace("{{version}}", env!("CARGO_PKG_VERSION"))
                .replace("{{rust}}", env!("CARGO_PKG_RUST_VERSION"))
                .replace("{{dependencies}}", DEPENDENCIES)
        };
        let (code, pipeline) = if self.model { (RUST_MODEL, MODEL_PIPELINE) } else { (RUST_MATCHER, MATCHER_PIPELINE) };
        let mut files: Vec<(&str, &str)> = vec![("pipeline.yaml", pipeline)];
        match self.lang {
            Language::Rust => {
                files.extend(code);
                files.push(("Cargo.lock", LOCK));
                files.extend(RUST);
            }
            Language::Python => files.extend(PYTHON),
            Language::C => {
                files.extend(C);
                files.extend(
                    SDK.iter().filter(|(path, _)| path.ends_with("pddflow.h")).map(|(_, text)| ("pddflow.h", *text)),
                );
            }
        }
        let mut filled: Vec<(String, String)> =
            files.into_iter().map(|(path, text)| (path.to_owned(), filled(text))).collect();
        if self.lang == Language::Rust {
            filled.extend(SDK.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        }
        filled
    }
}

/// `word` with its first letter in upper case.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Writes the files into a folder that is not there yet: all of them or, after an error, none.
fn make(folder: &Path, files: &[(String, String)]) -> std::io::Result<()> {
    if folder.symlink_metadata().is_ok() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".pddflow-new-").tempdir_in(parent)?;
    for (path, text) in files {
        let file = made.path().join(path);
        if let Some(inner) = file.parent() {
            fs_err::create_dir_all(inner)?;
        }
        fs_err::write(file, text)?;
    }
    // As private as a temporary folder until here.
    let folder_mode = fs_err::metadata(parent)?.permissions();
    fs_err::set_permissions(made.path(), folder_mode)?;
    fs_err::rename(made.keep(), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(name: &str, model: bool, lang: Language) -> Args {
        Args { name: name.to_owned(), matcher: false, model, lang, to: None }
    }

    #[test]
    fn every_place_of_a_template_is_filled() {
        let all = [(false, Language::Rust), (true, Language::Rust), (false, Language::C), (false, Language::Python)];
        for (model, lang) in all {
            let files = args("my-own-2", model, lang).files();
            for (path, text) in files.iter().filter(|(path, _)| !path.starts_with("sdk/") && path != "Cargo.lock") {
                assert!(!text.contains("{{") || !text.contains("}}"), "{path}: {text}");
            }
            assert!(files.iter().any(|(_, text)| text.contains("my-own-2")));
        }
        let files = args("my-own-2", false, Language::Rust).files();
        assert!(files.iter().any(|(path, _)| path == "sdk/sdk/src/lib.rs"));
        assert!(files.iter().any(|(path, text)| path == "src/lib.rs" && text.contains("struct MyOwn2")));
    }

    /// What the guide shows is what is made, and as long as it says.
    #[test]
    fn the_guide_is_right() {
        let guide = include_str!("../../../../docs/plugins.md");
        let mut lengths = Vec::new();
        for (lang, shown) in [
            (Language::Rust, &["src/lib.rs", "tests/iterate.rs"][..]),
            (Language::C, &["plugin.c"][..]),
            (Language::Python, &["matcher.py"][..]),
        ] {
            let files = args("my-matcher", false, lang).files();
            let text =
                |wanted: &str| files.iter().find(|(path, _)| path == wanted).map(|(_, text)| text.as_str()).unwrap();
            lengths.push(format!("{} lines", text(shown[0]).lines().count()));
            for path in shown {
                for block in guide.split(&format!(" {path} -->\n")).skip(1) {
                    let (_, block) = block.split_once('\n').unwrap();
                    let (block, _) = block.split_once("```").unwrap();
                    assert!(text(path).contains(block), "{path} does not have:\n{block}");
                }
                assert!(guide.contains(&format!(" {path} -->")), "{path} is not shown");
            }
        }
        assert!(guide.contains(&format!("| a matcher has | {} |", lengths.join(" | "))), "{lengths:?}");
    }

    #[test]
    fn a_matcher_is_short() {
        let files = args("mean", false, Language::Rust).files();
        let (_, text) = files.iter().find(|(path, _)| path == "src/lib.rs").unwrap();
        assert!(text.lines().count() < 40, "{}", text.lines().count());
    }

    #[test]
    fn nothing_that_exists_is_touched() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("mine");
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join("work"), "of weeks").unwrap();
        let error = make(&folder, &[("work".into(), "new".into())]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(fs_err::read_to_string(folder.join("work")).unwrap(), "of weeks");
        assert_eq!(fs_err::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_are_those_of_plugins() {
        assert!(["my-matcher", "a", "x2"].iter().all(|text| name(text).is_ok()));
        assert!(["", "My", "2x", "a_b", "../x", "a-", "a b"].iter().all(|text| name(text).is_err()));
    }
}
