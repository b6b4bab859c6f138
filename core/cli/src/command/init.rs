//! `pddflow init`: a commented pipeline for one's own data.

use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use clap::ValueHint;
use pddflow_artifact::params::suggestion;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("init.yaml");

const EXAMPLES: &str = "\
Examples:
  pddflow init                              Fashion-MNIST in small, which comes with the program
  pddflow init --data cifar10
  pddflow init --data photos --size 64      PNG or JPEG files, a folder for each class
  pddflow init --data photos pets.yaml      another file than pipeline.yaml";

/// Write a commented pipeline to begin with: a distillation of your data, a baseline, a table and pictures
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write; one that is there is kept
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, default_value = place::PIPELINE)]
    file: PathBuf,
    /// The images: `fashion-mini`, `fashion-mnist`, `cifar10`, `cifar100`, `tiny-imagenet`, or a folder with images or Parquet files
    #[arg(long, value_name = "SOURCE|FOLDER", value_hint = ValueHint::DirPath, default_value = "fashion-mini")]
    data: String,
    /// Side in pixels to which the images of a folder are scaled
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(8..=512), default_value_t = 32)]
    size: u32,
}

/// Sources that need no more than their name, with the side of their images.
const SOURCES: [(&str, u32); 5] =
    [("fashion-mini", 28), ("fashion-mnist", 28), ("cifar10", 32), ("cifar100", 32), ("tiny-imagenet", 64)];
/// Names of the folders that may hold test images.
const TEST_FOLDERS: [&str; 3] = ["test", "val", "validation"];
/// Sides from which a net has so many blocks, each of which halves the side: the depths of the papers.
const DEPTHS: [(u32, u32); 4] = [(128, 5), (64, 4), (16, 3), (0, 2)];

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let text = self.text()?;
        // Never over a file that is there, whoever made it in the meantime.
        let written = fs_err::OpenOptions::new().write(true).create_new(true).open(&self.file);
        written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| self.unwritable(&error))?;
        if output.json() {
            output.value(&json!({ "file": self.file }));
        } else {
            let name = if self.file == Path::new(place::PIPELINE) {
                String::new()
            } else {
                format!(" {}", quoted(&self.file.to_string_lossy()))
            };
            output.data(&format!(
                "wrote {}\ntry it: pddflow run{name} --profile smoke\nrun it: pddflow run{name}\n",
                self.file.display()
            ));
        }
        Ok(Exit::Ok)
    }

    fn text(&self) -> Result<String, Problem> {
        let (source, value, side, comment) = match SOURCES.iter().find(|(name, _)| *name == self.data) {
            Some((name, side)) => (*name, (*name).to_owned(), *side, ""),
            None => self.folder()?,
        };
        let depth = DEPTHS.iter().find(|(least, _)| side >= *least).map_or(3, |(_, depth)| *depth);
        // The papers have 128 channels; the small set is for trying things out.
        let width = if source == "fashion-mini" { 16 } else { 128 };
        let stem = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let values = [
            ("{title}", format!("Distils {} and judges the result.", self.data)),
            ("{name}", quoted(&stem)),
            ("{source}", source.to_owned()),
            ("{source_value}", value),
            ("{test_comment}", comment.to_owned()),
            ("{width}", width.to_string()),
            ("{depth}", depth.to_string()),
        ];
        Ok(values.iter().fold(TEMPLATE.to_owned(), |text, (place, value)| text.replace(place, value)))
    }

    /// The source that reads the folder.
    fn folder(&self) -> Result<(&'static str, String, u32, &'static str), Problem> {
        let folder = Path::new(&self.data);
        if !folder.is_dir() {
            let names = SOURCES.map(|(name, _)| name);
            return Err(Problem::usage("unknown_data", format!("`{}` is no source and no folder", self.data))
                .with_help(format!(
                    "{}; or a folder with a folder of images for each class",
                    suggestion(&self.data, &names)
                )));
        }
        // Paths in a pipeline are relative to its file.
        let folder = if self.file.parent().is_some_and(|parent| parent != Path::new("")) {
            folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
        } else {
            folder.to_owned()
        };
        let (path, size) = (quoted(&folder.to_string_lossy()), self.size);
        let unreadable = |error: io::Error| {
            Problem::usage("unknown_data", format!("the folder cannot be read: {error}"))
                .with_help("name a folder that you may read")
        };
        if holds_parquet(&folder).map_err(unreadable)? {
            return Ok(("parquet", format!("{{ parquet: {{ path: {path}, resize: {size} }} }}"), size, ""));
        }
        let has_test = TEST_FOLDERS.iter().any(|name| folder.join(name).is_dir());
        let (fraction, comment) = match has_test {
            true => ("", ""),
            false => (
                ", test_fraction: 0.2",
                "\n      # `test_fraction`: there is no folder `test`, so a fifth of each class becomes test images",
            ),
        };
        let value = format!("{{ image-folder: {{ path: {path}, resize: {size}{fraction} }} }}");
        Ok(("image-folder", value, size, comment))
    }

    fn unwritable(&self, error: &io::Error) -> Problem {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Problem::usage("file_exists", format!("{} is there already and is kept", self.file.display()))
                .with_help("name another file: `pddflow init FILE`");
        }
        Problem::usage("unwritable", format!("the pipeline cannot be written: {error}"))
            .with_help("name a file in a folder that exists and can be written to")
    }
}

/// Whether Parquet files lie in the folder or in its folder `data`, as Hugging Face has them.
fn holds_parquet(folder: &Path) -> io::Result<bool> {
    let is_parquet = |path: PathBuf| path.extension().is_some_and(|extension| extension == "parquet");
    let holds = |folder: &Path| {
        Ok::<bool, io::Error>(fs_err::read_dir(folder)?.flatten().any(|entry| is_parquet(entry.path())))
    };
    Ok(holds(folder)? || folder.join("data").is_dir() && holds(&folder.join("data"))?)
}

/// A string as YAML takes it inside braces.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(plain) && text.starts_with(|first: char| first.is_alphabetic() || "/.".contains(first)) {
        text.to_owned()
    } else {
        json!(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &str, file: &str) -> String {
        Args { file: file.into(), data: data.to_owned(), size: 32 }.text().unwrap()
    }

    #[test]
    fn no_place_of_the_template_is_left() {
        for (source, _) in SOURCES {
            let text = text(source, "my pipeline.yaml");
            assert!(
                text.contains(&format!("      source: {source}\n")) && text.contains("name: \"my pipeline\"\n"),
                "{text}"
            );
            let left: Vec<String> =
                text.replace("${", "").replace("{ ", "").split('{').skip(1).map(str::to_owned).collect();
            assert!(left.is_empty(), "{left:?}");
        }
        assert!(text("tiny-imagenet", "p.yaml").contains("depth: 4"));
    }

    #[test]
    fn folders_are_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my photos");
        fs_err::create_dir_all(path.join("cat")).unwrap();
        let name = path.to_str().unwrap();
        assert!(text(name, "p.yaml").contains(&format!("path: \"{name}\", resize: 32, test_fraction: 0.2 }}")));
        fs_err::create_dir(path.join("test")).unwrap();
        assert!(!text(name, "p.yaml").contains("test_fraction"));
        fs_err::write(path.join("train-0.parquet"), "").unwrap();
        assert!(text(name, "p.yaml").contains("{ parquet: { path: "));
    }
}
