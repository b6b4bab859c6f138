//! `include:`: parts of pipelines from other files become parts of this one.
//!
//! | part | how it is brought in |
//! |---|---|
//! | `params` | with the value of the included file; the including file's own value is stronger, mappings are merged |
//! | `nodes` | before the including file's own; a name may be declared once |
//! | `profiles` | those of one name become one, the including file's values the stronger |
//! | `pools` | the including file's size is stronger |
//! | `plugins` | relative to the file that names them |
//!
//! A file that is reached several times is brought in once. Names are those of one pipeline: a part may use params and
//! nodes that another part declares. Number, depth and size of included files are limited; a file cannot include itself.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::diagnostic::problem::{Problem, Report};
use crate::document::file::{self, MAX_FILE_BYTES, Unread, report_unread, too_large};
use crate::document::overlay::{Unknown, lay};
use crate::document::parts::{self, Document};
use crate::text::source::Span;
use crate::yaml::parse::parse;
use crate::yaml::tree::{Node, Tree};

const INCLUDE_LIMIT: &str = "pddflow::pipeline::include_limit";
/// Longest chain of files that include each other.
const MAX_DEPTH: usize = 16;
/// Most files of a pipeline.
const MAX_FILES: usize = 256;
/// Most bytes of all files of a pipeline.
const MAX_BYTES: usize = 2 * MAX_FILE_BYTES;

/// Parses a text and everything that it includes; `None` if the text itself is no YAML.
pub(crate) fn read(report: &mut Report, name: &str, text: &str) -> Option<Document> {
    let mut loader = Loader { report, chain: Vec::new(), seen: HashSet::new(), bytes: 0 };
    let path = PathBuf::from(name);
    loader.chain.push((fs_err::canonicalize(&path).unwrap_or_else(|_| path.clone()), name.to_owned()));
    let (mut document, root) = loader.file(&path, text, None)?;
    // The nodes may be in the file that could not be brought in.
    if document.nodes.is_empty() && (root.get("include").is_none() || loader.report.is_empty()) {
        parts::check_has_nodes(report, &root);
    }
    document.includes.clear();
    Some(document)
}

struct Loader<'a> {
    report: &'a mut Report,
    /// The files being read, each included by the one before: its one true path, and the path as shown.
    chain: Vec<(PathBuf, String)>,
    seen: HashSet<PathBuf>,
    bytes: usize,
}

impl Loader<'_> {
    /// The parts of a file with those of the files that it includes.
    fn file(&mut self, path: &Path, text: &str, included: Option<Span>) -> Option<(Document, Rc<Node>)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = self.report.sources.add_included(&path.to_string_lossy(), text, included);
        if text.len() > MAX_FILE_BYTES {
            self.report.add(too_large(Span::new(source, 0..0)));
            return None;
        }
        let known = self.report.len();
        let Some(root) = parse(self.report, source, text) else {
            if self.report.len() == known {
                let problem =
                    Problem::new("pddflow::pipeline::empty_file", Span::new(source, 0..0), "the file is empty");
                self.report.add(problem.help("begin with `format: 1`, `name:` and `nodes:`"));
            }
            return None;
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = parts::read(self.report, &root, folder);
        let mut parts = Vec::new();
        for (written, span) in &own.includes {
            parts.extend(self.part(&folder.join(written), *span));
        }
        Some((combine(self.report, parts, own), root))
    }

    /// An included file; none after an error, or when it is part of the pipeline already.
    fn part(&mut self, path: &Path, span: Span) -> Option<Document> {
        let text = match readable(path) {
            Ok(text) => text,
            Err(unread) => {
                report_unread(self.report, path, unread, Some(span));
                return None;
            }
        };
        let place = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if let Some(start) = self.chain.iter().position(|(known, _)| *known == place) {
            self.report.add(self.cycle(start, span));
            return None;
        }
        if !self.seen.insert(place.clone()) {
            return None;
        }
        self.bytes += text.len();
        if let Some(problem) = self.limit(span) {
            self.report.add(problem);
            return None;
        }
        self.chain.push((place, path.to_string_lossy().into_owned()));
        let document = self.file(path, &text, Some(span));
        self.chain.pop();
        document.map(|(document, _)| document)
    }

    fn cycle(&self, start: usize, span: Span) -> Problem {
        let files = self.chain.get(start..).unwrap_or(&[]).iter().map(|(_, name)| name.as_str());
        let first = self.chain.get(start).map_or("", |(_, name)| name.as_str());
        let path: Vec<&str> = files.chain([first]).collect();
        let message = format!("files include each other in a cycle: {}", path.join(" -> "));
        Problem::new("pddflow::pipeline::include_cycle", span, message)
            .label("this closes the cycle")
            .help("remove this line, or move the shared part into a third file")
    }

    fn limit(&self, span: Span) -> Option<Problem> {
        let message = if self.chain.len() > MAX_DEPTH {
            format!("files include each other more than {MAX_DEPTH} levels deep")
        } else if self.seen.len() > MAX_FILES {
            format!("the pipeline has more than {MAX_FILES} files")
        } else if self.bytes > MAX_BYTES {
            format!("the files of the pipeline have more than {} MiB together", MAX_BYTES >> 20)
        } else {
            return None;
        };
        Some(Problem::new(INCLUDE_LIMIT, span, message).help("put parts that belong together into one file"))
    }
}

/// The text of an included file. Pipes and devices are refused: they may never end.
fn readable(path: &Path) -> Result<String, Unread> {
    let found = fs_err::metadata(path).map_err(Unread::System)?;
    if found.is_dir() {
        return Err(Unread::System(std::io::ErrorKind::IsADirectory.into()));
    }
    if !found.is_file() {
        return Err(Unread::System(std::io::Error::other("it is not a regular file")));
    }
    file::text(path)
}

/// Puts the parts of included files before a file's own.
fn combine(report: &mut Report, parts: Vec<Document>, own: Document) -> Document {
    if parts.is_empty() {
        return own;
    }
    let mut all = Document { name: own.name.clone(), ..Document::default() };
    for part in parts {
        combine_params(report, &mut all, &part, &own);
        append(report, &mut all, part);
    }
    lay(&mut all.params, &own.params, Unknown::Add);
    append(report, &mut all, own);
    all
}

/// Two included files may give a parameter the same value. Where they differ, the including file must say what holds.
fn combine_params(report: &mut Report, all: &mut Document, part: &Document, own: &Document) {
    for entry in &part.params {
        let Some(known) = all.params.iter().find(|known| known.key == entry.key) else {
            all.params.push(entry.clone());
            continue;
        };
        let decided = own.params.iter().any(|own| own.key == entry.key);
        if !decided && !same(&known.value, &entry.value) {
            let name = &entry.key;
            let message = format!("two included files give the parameter `{name}` different values");
            report.add(
                Problem::new("pddflow::pipeline::include_clash", entry.key_span, message)
                    .label("second value")
                    .other(known.key_span, "first value")
                    .help(format!("set `{name}` under `params:` of the file that includes both")),
            );
        }
    }
}

/// Adds nodes, profiles, pools and plugins.
fn append(report: &mut Report, all: &mut Document, part: Document) {
    let mut known: HashMap<String, Span> = all.nodes.iter().map(|node| (node.name.clone(), node.span)).collect();
    for node in part.nodes {
        match known.get(&node.name) {
            Some(first) => report.add(
                Problem::new(
                    "pddflow::pipeline::include_clash",
                    node.span,
                    format!("the node `{}` is declared in two files", node.name),
                )
                .label("again here")
                .other(*first, "first here")
                .help("rename one of them; a profile or a parameter can change a node of an included file"),
            ),
            None => {
                known.insert(node.name.clone(), node.span);
                all.nodes.push(node);
            }
        }
    }
    for profile in part.profiles {
        match all.profiles.iter_mut().find(|known| known.name == profile.name) {
            Some(known) => {
                known.params.extend(profile.params);
                known.nodes.extend(profile.nodes);
                known.cluster.extend(profile.cluster);
            }
            None => all.profiles.push(profile),
        }
    }
    all.pool_spans.extend(part.pool_spans);
    for (name, size) in part.pools {
        // The including file comes last and decides.
        all.pools.insert(name, size);
    }
    lay(&mut all.cluster, &part.cluster, Unknown::Add);
    for plugin in part.plugins {
        if !all.plugins.contains(&plugin) {
            all.plugins.push(plugin);
        }
    }
}

/// Whether two values are written with the same meaning.
fn same(left: &Node, right: &Node) -> bool {
    match (&left.tree, &right.tree) {
        (Tree::Scalar(left), Tree::Scalar(right)) => left == right,
        (Tree::List(left), Tree::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Tree::Map(left), Tree::Map(right)) => {
            let found = |key: &str| right.iter().find(|entry| entry.key == key);
            left.len() == right.len()
                && left.iter().all(|entry| found(&entry.key).is_some_and(|other| same(&entry.value, &other.value)))
        }
        _ => false,
    }
}
