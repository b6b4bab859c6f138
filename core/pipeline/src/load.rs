//! The way from a file to a plan: read, parse, overlay, expand, check, order.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use litemap::LiteMap;

use crate::catalog::{Catalog, KindSpec, SHARDS};
use crate::diagnostic::problem::{Problem, Report};
use crate::diagnostic::shown::Diagnostics;
use crate::document::cluster;
use crate::document::declaration::Declaration;
use crate::document::overlay::{apply_profile, apply_set, check_profiles};
use crate::document::parts::Document;
use crate::document::{file, include};
use crate::expand::axis::MAX_INSTANCES;
use crate::expand::connect::Link;
use crate::expand::family::{Context, Family, expand};
use crate::expand::order::order;
use crate::expand::params::{self, Params};
use crate::expand::resolve::{self, Draft};
use crate::expand::shard;
use crate::expand::sweep::{MAX_POINTS, Sweep, all_problems};
use crate::expand::world::{self, World};
use crate::lint::Linter;
use crate::plan::{InputRef, NodeId, Plan, PlanNode};
use crate::template::Budget;
use crate::text::source::Span;
use crate::yaml::tree::{Entry, Node, Tree};

/// The parameter that seeded nodes take their seed from.
const SEED: &str = "seed";
/// The parameter that repeats the whole pipeline with several seeds.
const SEEDS: &str = "seeds";

/// What a call may change about a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `key=value` overrides: a parameter by its path, `nodes.NAME.with.PATH=value` or `nodes.NAME.SETTING=value`.
    /// Values are YAML. Later ones win. Several plain values between commas, `key=1,3,5`, make a sweep: one plan for all
    /// combinations.
    pub set: Vec<String>,
    /// The profile to lay over the file, before `set`.
    pub profile: Option<String>,
}

/// Reads, expands and checks a pipeline file and the files that it includes.
///
/// # Errors
///
/// All problems of the files at once, in the order of their places; the first one only where a text is not YAML.
pub fn load(path: &Path, catalog: &dyn Catalog, options: &Options) -> Result<Plan, Diagnostics> {
    PipelineFile::read(path)?.plan(catalog, options)
}

/// As [`load`], with the text at hand; `name` is the path that diagnostics show, and that plugins and included files are
/// relative to.
///
/// # Errors
///
/// As [`load`].
pub fn load_text(name: &str, text: &str, catalog: &dyn Catalog, options: &Options) -> Result<Plan, Diagnostics> {
    PipelineFile::from_text(name, text)?.plan(catalog, options)
}

/// A pipeline file with the files that it includes, read and not yet checked against the kinds.
#[derive(Debug, Clone)]
pub struct PipelineFile {
    name: String,
    report: Report,
    document: Document,
}

impl PipelineFile {
    /// Reads a file and those that it includes.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is not YAML. Other problems are left to [`Self::plan`], which tells them all.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        match file::text(path) {
            Ok(text) => Self::from_text(&path.to_string_lossy(), &text),
            Err(unread) => {
                let mut report = Report::default();
                file::report_unread(&mut report, path, unread, None);
                Err(report.finish())
            }
        }
    }

    /// As [`Self::read`], with the text at hand.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn from_text(name: &str, text: &str) -> Result<Self, Diagnostics> {
        let mut report = Report::default();
        match include::read(&mut report, name, text) {
            Some(document) => Ok(Self { name: name.to_owned(), report, document }),
            None => Err(report.finish()),
        }
    }

    /// The plugin files that the pipeline names, relative ones resolved against the folder of the file that names them,
    /// so that they can be loaded before the pipeline is checked against their kinds.
    #[must_use]
    pub fn plugin_files(&self) -> &[PathBuf] {
        &self.document.plugins
    }

    /// The checked and expanded pipeline.
    ///
    /// # Errors
    ///
    /// All problems at once, in the order of their places.
    pub fn plan(&self, catalog: &dyn Catalog, options: &Options) -> Result<Plan, Diagnostics> {
        let sweep = Sweep::of(&options.set);
        if sweep.is_empty() {
            return self.plan_point(catalog, options);
        }
        let points =
            sweep.points().filter(|points| *points <= MAX_POINTS).ok_or_else(|| self.too_many_points(options))?;
        let (mut plans, mut problems, mut nodes) = (Vec::new(), Vec::new(), 0);
        for point in 0..points {
            let options = Options { set: sweep.arguments(&options.set, point), ..options.clone() };
            match self.plan_point(catalog, &options) {
                Ok(plan) => {
                    nodes += plan.nodes.len();
                    plans.push(plan);
                }
                Err(found) => problems.push((point, found)),
            }
            if nodes > MAX_INSTANCES {
                return Err(self.too_many_points(&options));
            }
        }
        if problems.is_empty() { Ok(sweep.merge(plans, &|_| false)) } else { Err(all_problems(&sweep, problems)) }
    }

    /// The plan, and warnings about what can be run and is probably not meant; problems of every profile are problems of the
    /// file too.
    ///
    /// # Errors
    ///
    /// The pipeline, as it is or with one of its profiles, has problems: those of the first that has some.
    pub fn lint(&self, catalog: &dyn Catalog, options: &Options) -> Result<(Plan, Diagnostics), Diagnostics> {
        let plan = self.plan(catalog, options)?;
        for profile in &self.document.profiles {
            let options = Options { profile: Some(profile.name.clone()), ..options.clone() };
            self.plan(catalog, &options)?;
        }
        let mut report = self.report.clone();
        let document = self.overlaid(&mut report, options.profile.as_deref(), []);
        let linter = Linter { catalog, document: &document, profiles: &self.document, plan: &plan };
        let warnings = linter.warnings(report);
        Ok((plan, warnings))
    }

    /// The names of all nodes, as far as they can be known without the kinds; none of what has errors. For completion.
    #[must_use]
    pub fn node_names(&self, options: &Options) -> Vec<NodeId> {
        let mut report = self.report.clone();
        let single = options.set.iter().filter(|argument| Sweep::of(std::slice::from_ref(argument)).is_empty());
        let document = self.overlaid(&mut report, options.profile.as_deref(), single);
        let budget = Budget::default();
        let params = params::evaluate(&mut report, &budget, &document.params);
        let families = expand_all(&mut report, &document, &params, &budget);
        families.iter().flat_map(|family| (0..family.points.len()).map(|instance| family.id(instance))).collect()
    }

    fn too_many_points(&self, options: &Options) -> Diagnostics {
        let mut report = Report::default();
        let arguments = options.set.join(" ");
        let source = report.sources.add("--set", &arguments);
        let message = format!("the sweep has more than {MAX_POINTS} points or {MAX_INSTANCES} nodes");
        let span = Span::new(source, 0..arguments.len());
        report.add(Problem::new("pddflow::pipeline::plan_limit", span, message).help("give fewer values"));
        report.finish()
    }

    /// What the file says under a profile and with arguments of `--set`; not copied if there is neither.
    fn overlaid<'a>(
        &self,
        report: &mut Report,
        profile: Option<&str>,
        set: impl IntoIterator<Item = &'a String>,
    ) -> Cow<'_, Document> {
        check_profiles(report, &self.document);
        let mut document = Cow::Borrowed(&self.document);
        if let Some(profile) = profile {
            apply_profile(report, document.to_mut(), profile);
        }
        for argument in set {
            apply_set(report, document.to_mut(), argument);
        }
        document
    }

    /// The plan at one point of a sweep: with `params.seeds` the plans for all seeds put together.
    fn plan_point(&self, catalog: &dyn Catalog, options: &Options) -> Result<Plan, Diagnostics> {
        let seeds = self.seeds(options)?;
        if seeds.is_empty() {
            return self.plan_seed(catalog, options, None);
        }
        let sweep = Sweep::over_seeds(&seeds);
        let (mut plans, mut problems) = (Vec::new(), Vec::new());
        for (point, seed) in seeds.iter().enumerate() {
            match self.plan_seed(catalog, options, Some(*seed)) {
                Ok(plan) => plans.push(plan),
                Err(found) => problems.push((point, found)),
            }
        }
        if !problems.is_empty() {
            return Err(all_problems(&sweep, problems));
        }
        let mut plan = sweep.merge(plans, &|kind| catalog.collects_seeds(kind));
        // Unlike a sweep of the command line, seeds are repetitions of one experiment.
        plan.sweep = Vec::new();
        Ok(plan)
    }

    /// The values of `params.seeds`; none if there is no such parameter, or `--set` gives a seed.
    fn seeds(&self, options: &Options) -> Result<Vec<u64>, Diagnostics> {
        let is_seed = |argument: &String| argument.split_once('=').is_some_and(|(key, _)| key.trim() == SEED);
        if options.set.iter().any(is_seed) {
            return Ok(Vec::new());
        }
        let mut report = self.report.clone();
        let document = self.overlaid(&mut report, options.profile.as_deref(), &options.set);
        let Some(entry) = document.params.iter().find(|entry| entry.key == SEEDS) else { return Ok(Vec::new()) };
        let params = params::evaluate(&mut report, &Budget::default(), &document.params);
        let Some(value) = params.values.get(SEEDS) else { return Ok(Vec::new()) };
        let seeds: Option<Vec<u64>> =
            value.as_array().and_then(|list| list.iter().map(serde_json::Value::as_u64).collect());
        let distinct = |seeds: &Vec<u64>| seeds.iter().collect::<std::collections::BTreeSet<_>>().len() == seeds.len();
        seeds.filter(|seeds| !seeds.is_empty() && seeds.len() <= MAX_POINTS && distinct(seeds)).ok_or_else(|| {
            let message = "`seeds` is not a list of different whole numbers from 0";
            let problem = Problem::new("pddflow::pipeline::seeds", entry.key_span, message);
            report.add(problem.help("for example `seeds: [0, 1, 2]`: every node is repeated with each as its `seed`"));
            report.finish()
        })
    }

    fn plan_seed(&self, catalog: &dyn Catalog, options: &Options, seed: Option<u64>) -> Result<Plan, Diagnostics> {
        let mut report = self.report.clone();
        let mut document = self.overlaid(&mut report, options.profile.as_deref(), &options.set);
        if let Some(seed) = seed {
            set_seed(document.to_mut(), seed);
        }
        let budget = Budget::default();
        let params = params::evaluate(&mut report, &budget, &document.params);
        let families = expand_all(&mut report, &document, &params, &budget);
        let kinds = world::kinds(&mut report, catalog, &document.nodes);
        let names = document.nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index));
        let world = World {
            catalog,
            params: &params,
            budget: &budget,
            declarations: &document.nodes,
            families: &families,
            names: &names.collect(),
            kinds: &kinds,
            pools: &document.pools,
        };
        let known = catalog.kinds().into_iter().map(|kind| kind.name.clone()).collect();
        let cluster = cluster::read(&mut report, &document.cluster, (&params, &budget), &document.pools, known);
        let nodes = connect(report, world)?;
        let (plugins, pools) = (document.plugins.clone(), document.pools.clone());
        let (name, file, sweep) = (plan_name(&document, &self.name), PathBuf::from(&self.name), Vec::new());
        Ok(Plan { name, file, params: params.values, sweep, plugins, pools, cluster, nodes })
    }
}

/// Resolves and orders all instances; everything that was found wrong on the way is returned here.
fn connect(mut report: Report, world: World<'_>) -> Result<Vec<PlanNode>, Diagnostics> {
    let drafts = resolve::drafts(&mut report, world);
    match order(&drafts, &|index| instance_name(world.families, &drafts, index)) {
        Ok(ordered) if report.is_empty() => {
            let files = report.sources.names().map(|name| Arc::from(Path::new(name))).collect();
            let World { families, declarations, kinds, .. } = world;
            let assembly = Assembly { families, declarations, kinds, files };
            let mut nodes = assembly.nodes(drafts, &ordered);
            for at in 0..nodes.len() {
                if let Some(with) = world.catalog.complete(&nodes, &nodes[at]) {
                    nodes[at].with = with;
                }
            }
            check_connections(&mut report, world, &nodes);
            if !report.is_empty() {
                return Err(report.finish());
            }
            shard::cut(world.catalog, nodes).map_err(|node| {
                let message = format!("with its shards the plan has more than {MAX_INSTANCES} nodes");
                let found = world.names.get(node.family.as_str()).and_then(|family| world.declarations.get(*family));
                let problem = found.map(|found| found.setting_problem(SHARDS, (message, "give fewer `shards`".into())));
                problem.into_iter().for_each(|problem| report.add(problem));
                report.finish()
            })
        }
        Ok(_) => Err(report.finish()),
        Err(cycles) => {
            cycles.into_iter().for_each(|cycle| report.add(cycle));
            Err(report.finish())
        }
    }
}

fn check_connections(report: &mut Report, world: World<'_>, nodes: &[PlanNode]) {
    for node in nodes {
        let connected = world.catalog.check_connections(nodes, node).err();
        let uncut = shard::refusal(world.catalog, node);
        if connected.is_none() && uncut.is_none() {
            continue;
        }
        let Some(family) = world.names.get(node.family.as_str()) else { continue };
        let (Some(family), Some(declaration)) = (world.families.get(*family), world.declarations.get(*family)) else {
            continue;
        };
        let found = connected.map(|problem| declaration.input_problem(problem));
        for found in found.into_iter().chain(uncut.map(|uncut| declaration.setting_problem(SHARDS, uncut))) {
            report.add(if family.is_family { found.instance(node.id.as_str()) } else { found });
        }
    }
}

/// The pipeline's `name`, else its file's name without extension.
fn plan_name(document: &Document, file: &str) -> String {
    document.name.clone().unwrap_or_else(|| stem(Path::new(file)))
}

fn stem(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Gives `params.seed` a value, in place of the one that it has.
fn set_seed(document: &mut Document, seed: u64) {
    let place = document.params.iter().find(|entry| entry.key == SEED || entry.key == SEEDS);
    let span = place.map_or(Span::new(0, 0..0), |entry| entry.key_span);
    let value = Rc::new(Node::new(span, Tree::Scalar(seed.into())));
    document.params.retain(|entry| entry.key != SEED);
    document.params.push(Entry { key: SEED.to_owned(), key_span: span, value });
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
    /// The file of each source.
    files: Vec<Arc<Path>>,
}

impl Assembly<'_> {
    fn nodes(&self, drafts: Vec<Draft>, ordered: &[usize]) -> Vec<PlanNode> {
        let mut places = vec![0; ordered.len()];
        for (place, index) in ordered.iter().enumerate() {
            if let Some(slot) = places.get_mut(*index) {
                *slot = place;
            }
        }
        let produced: Vec<usize> = drafts.iter().map(|draft| draft.family).collect();
        let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
        let mut node = |index: &usize| self.node(drafts.get_mut(*index)?.take()?, &places, &produced);
        let mut nodes = Vec::with_capacity(ordered.len());
        nodes.extend(ordered.iter().filter_map(&mut node));
        nodes
    }

    fn node(&self, draft: Draft, places: &[usize], produced: &[usize]) -> Option<PlanNode> {
        let family = self.families.get(draft.family)?;
        let declaration = self.declarations.get(draft.family)?;
        let resolve = |link: &Link| {
            let kind = self.kinds.get(*produced.get(link.node)?).copied().flatten()?;
            let output = kind.outputs.get(link.output)?;
            let (output, artifact) = (output.name.clone(), output.artifact.clone());
            Some(InputRef { node: places.get(link.node).copied()?, output, artifact })
        };
        let mut inputs = LiteMap::with_capacity(draft.inputs.len());
        for (port, links) in draft.inputs {
            // As much memory as it takes: there may be ten thousand nodes.
            let mut resolved = Vec::with_capacity(links.len());
            resolved.extend(links.iter().filter_map(resolve));
            inputs.insert(port, resolved);
        }
        let span = declaration.span.range();
        Some(PlanNode {
            id: family.id(draft.instance),
            family: family.name.clone(),
            point: Vec::new(),
            axes: family.points.get(draft.instance).cloned().unwrap_or_default(),
            kind: declaration.kind.as_ref().map(|(kind, _)| kind.clone()).unwrap_or_default(),
            with: draft.with,
            inputs,
            file: self.files.get(declaration.span.source as usize).or(self.files.first()).cloned()?,
            span: (span.start, span.len()).into(),
            settings: draft.settings,
        })
    }
}
