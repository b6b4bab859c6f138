//! The way from a file to a plan: read, parse, overlay, expand, check, order.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use petgraph::graph::{DiGraph, NodeIndex};

use crate::catalog::{Catalog, KindSpec};
use crate::document::{self, Declaration, Document};
use crate::error::{Diagnostics, Problem, Report};
use crate::family::{Context, Family, expand};
use crate::order::order;
use crate::overlay::{apply_profile, apply_set};
use crate::params::{self, Params};
use crate::plan::{InputRef, NodeSettings, Plan, PlanNode};
use crate::resolve::{self, Draft, World};
use crate::source::Span;
use crate::suggest::nearest;
use crate::syntax;
use crate::template::Budget;

/// Largest pipeline file. One with 10,000 nodes written out has about 2 MiB.
pub(crate) const MAX_FILE_BYTES: usize = 16 << 20;
const UNREADABLE: &str = "pddflow::pipeline::unreadable_file";

/// What a call may change about a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `key=value` overrides: a parameter by its path, or `nodes.NAME.with.PATH=value`. Values are YAML. Later ones
    /// win.
    pub set: Vec<String>,
    /// The profile to lay over the file, before `set`.
    pub profile: Option<String>,
}

/// Reads, expands and checks a pipeline file.
///
/// # Errors
///
/// All problems of the file at once, in the order of their places; the first one only where the text is not YAML.
pub fn load(path: &Path, catalog: &dyn Catalog, options: &Options) -> Result<Plan, Diagnostics> {
    load_text(&path.to_string_lossy(), &read(path)?, catalog, options)
}

/// As [`load`], with the text at hand; `name` is the path that diagnostics show and plugins are relative to.
///
/// # Errors
///
/// As [`load`].
pub fn load_text(name: &str, text: &str, catalog: &dyn Catalog, options: &Options) -> Result<Plan, Diagnostics> {
    let mut report = Report::default();
    let document = read_document(&mut report, name, text);
    let Some(mut document) = document else {
        return Err(report.finish());
    };
    apply_profile(&mut report, &mut document, options.profile.as_deref());
    for argument in &options.set {
        apply_set(&mut report, &mut document, argument);
    }
    let budget = Budget::default();
    let params = params::evaluate(&mut report, &budget, &document.params);
    let families = expand_all(&mut report, &document, &params, &budget);
    let kinds = resolve::kinds(&mut report, catalog, &document.nodes);
    let names = document.nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index));
    let world = World {
        catalog,
        params: &params,
        budget: &budget,
        declarations: &document.nodes,
        families: &families,
        names: &names.collect(),
        kinds: &kinds,
    };
    let (nodes, graph) = connect(report, world)?;
    Ok(Plan {
        name: plan_name(&document, name),
        file: PathBuf::from(name),
        params: params.values.clone(),
        plugins: plugin_paths(&document, name),
        nodes,
        graph,
    })
}

/// Resolves and orders all instances; everything that was found wrong on the way is returned here.
fn connect(mut report: Report, world: World<'_>) -> Result<(Vec<PlanNode>, DiGraph<usize, ()>), Diagnostics> {
    let drafts = resolve::drafts(&mut report, world);
    match order(&drafts, &|index| instance_name(world.families, &drafts, index)) {
        Ok(ordered) if report.is_empty() => {
            let assembly = Assembly { families: world.families, declarations: world.declarations, kinds: world.kinds };
            Ok(assembly.nodes(drafts, &ordered))
        }
        Ok(_) => Err(report.finish()),
        Err(cycles) => {
            cycles.into_iter().for_each(|cycle| report.add(cycle));
            Err(report.finish())
        }
    }
}

/// The plugin files a pipeline names, so that they can be loaded before the pipeline is checked against their kinds.
///
/// # Errors
///
/// The file cannot be read or is not YAML. Problems of its content are left to [`load`].
pub fn plugin_files(path: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    let name = path.to_string_lossy();
    let mut report = Report::default();
    match read_document(&mut report, &name, &read(path)?) {
        Some(document) => Ok(plugin_paths(&document, &name)),
        None => Err(report.finish()),
    }
}

/// Parses a text and takes it apart; `None` if it is not YAML.
fn read_document(report: &mut Report, name: &str, text: &str) -> Option<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = report.sources.add(name, text);
    if text.len() > MAX_FILE_BYTES {
        report.add(too_large(Span::new(source, 0..0)));
        return None;
    }
    let Some(root) = syntax::parse(report, source, text) else {
        if report.is_empty() {
            let problem = Problem::new("pddflow::pipeline::empty_file", Span::new(source, 0..0), "the file is empty");
            report.add(problem.help("begin with `format: 1`, `name:` and `nodes:`"));
        }
        return None;
    };
    Some(document::read(report, &root))
}

fn too_large(span: Span) -> Problem {
    let megabytes = MAX_FILE_BYTES >> 20;
    Problem::new("pddflow::pipeline::file_too_large", span, format!("the file is larger than {megabytes} MiB"))
        .help("is it a pipeline? Repeat nodes with `for` families")
}

/// The file's text, with a limit on what is read so that no file can fill the memory.
fn read(path: &Path) -> Result<String, Diagnostics> {
    let mut report = Report::default();
    let source = report.sources.add(&path.to_string_lossy(), "");
    let span = Span::new(source, 0..0);
    let mut bytes = Vec::new();
    let outcome =
        fs_err::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes));
    if let Err(error) = outcome {
        let message = error.source_text();
        report.add(Problem::new(UNREADABLE, span, message).help(unreadable_help(path)));
        return Err(report.finish());
    }
    if bytes.len() > MAX_FILE_BYTES {
        report.add(too_large(span));
        return Err(report.finish());
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))
}

trait SourceText {
    fn source_text(&self) -> String;
}

impl SourceText for std::io::Error {
    /// The error of the system; the path is shown by the diagnostic itself.
    fn source_text(&self) -> String {
        let reason = match self.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => self.to_string(),
        };
        format!("the pipeline cannot be read: {reason}")
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

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Diagnostics {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes());
    let mut report = Report::default();
    let source = report.sources.add(&path.to_string_lossy(), &text);
    let span = Span::new(source, valid..valid + char::REPLACEMENT_CHARACTER.len_utf8());
    report.add(
        Problem::new("pddflow::pipeline::not_utf8", span, "the file is not UTF-8 text")
            .help("save it as UTF-8; if it is UTF-16 or Latin-1, convert it with iconv"),
    );
    report.finish()
}

fn plan_name(document: &Document, file: &str) -> String {
    let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    document.name.clone().or(stem).unwrap_or_default()
}

fn plugin_paths(document: &Document, file: &str) -> Vec<PathBuf> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    document.plugins.iter().map(|plugin| folder.join(plugin)).collect()
}

fn expand_all(report: &mut Report, document: &Document, params: &Params, budget: &Budget) -> Vec<Family> {
    let mut families = Vec::with_capacity(document.nodes.len());
    let mut first = 0;
    for declaration in &document.nodes {
        let context = Context { params, budget, first };
        let family = expand(report, declaration, context);
        first += family.points.len();
        families.push(family);
    }
    families
}

fn instance_name(families: &[Family], drafts: &[Draft], index: usize) -> String {
    let draft = drafts.get(index);
    let family = draft.and_then(|draft| Some((families.get(draft.family)?, draft.instance)));
    family.map_or_else(String::new, |(family, instance)| family.id(instance).to_string())
}

/// Drafts in declaration order to nodes in plan order.
struct Assembly<'a> {
    families: &'a [Family],
    declarations: &'a [Declaration],
    kinds: &'a [Option<&'a KindSpec>],
}

impl Assembly<'_> {
    fn nodes(&self, drafts: Vec<Draft>, ordered: &[usize]) -> (Vec<PlanNode>, DiGraph<usize, ()>) {
        let mut places = vec![0; ordered.len()];
        for (place, index) in ordered.iter().enumerate() {
            if let Some(slot) = places.get_mut(*index) {
                *slot = place;
            }
        }
        let produced: Vec<usize> = drafts.iter().map(|draft| draft.family).collect();
        let mut nodes: Vec<Option<PlanNode>> = Vec::new();
        nodes.resize_with(drafts.len(), || None);
        for (index, draft) in drafts.into_iter().enumerate() {
            let place = places.get(index).copied().unwrap_or(index);
            if let Some(slot) = nodes.get_mut(place) {
                *slot = self.node(draft, &places, &produced);
            }
        }
        let nodes: Vec<PlanNode> = nodes.into_iter().flatten().collect();
        let mut graph = DiGraph::with_capacity(nodes.len(), nodes.len());
        for index in 0..nodes.len() {
            graph.add_node(index);
        }
        for (consumer, node) in nodes.iter().enumerate() {
            let mut producers: Vec<usize> = node.inputs.values().flatten().map(|input| input.node).collect();
            producers.sort_unstable();
            producers.dedup();
            for producer in producers {
                graph.add_edge(NodeIndex::new(producer), NodeIndex::new(consumer), ());
            }
        }
        (nodes, graph)
    }

    fn node(&self, draft: Draft, places: &[usize], produced: &[usize]) -> Option<PlanNode> {
        let family = self.families.get(draft.family)?;
        let declaration = self.declarations.get(draft.family)?;
        let mut inputs = BTreeMap::new();
        for (port, links) in draft.inputs {
            let resolved: Vec<InputRef> = links
                .iter()
                .filter_map(|link| {
                    let kind = self.kinds.get(*produced.get(link.node)?).copied().flatten()?;
                    let output = kind.outputs.get(link.output)?;
                    Some(InputRef {
                        node: places.get(link.node).copied()?,
                        output: output.name.clone(),
                        artifact: output.artifact.clone(),
                    })
                })
                .collect();
            inputs.insert(port, resolved);
        }
        let span = declaration.span.range();
        Some(PlanNode {
            id: family.id(draft.instance),
            family: family.name.clone(),
            axes: family.points.get(draft.instance).cloned().unwrap_or_default(),
            kind: declaration.kind.as_ref().map(|(kind, _)| kind.clone()).unwrap_or_default(),
            with: draft.with,
            inputs,
            span: (span.start, span.len()).into(),
            settings: NodeSettings { description: declaration.description.clone() },
        })
    }
}
