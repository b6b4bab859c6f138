//! The sets of a run as grids, with a slider over stages and iterations.

use crate::detail::{Detail, LeftOut};
use crate::draw::{grid, sheet};
use crate::gather::{Gathered, Node, Output, without_seed};
use crate::markup::Markup;
use crate::words::pairs;
use pddflow_artifact::DistilledSet;
use serde_json::Value;
use std::collections::BTreeSet;

/// Axes that count how far a distillation went.
const ITERATIONS: [&str; 3] = ["iterations", "iteration", "keep"];

/// A grid for each stage and number of iterations of one distillation.
pub(crate) struct GridView {
    pub(crate) title: String,
    pub(crate) words: String,
    pub(crate) frames: Vec<FrameView>,
    /// The names of the classes as JSON, for the script.
    pub(crate) names: String,
}

/// One set.
pub(crate) struct FrameView {
    /// What the slider says.
    pub(crate) label: String,
    pub(crate) stage: usize,
    pub(crate) iterations: u64,
    pub(crate) svg: Markup,
}

/// Sets that one slider is for.
struct Group<'a> {
    family: String,
    axes: Vec<(String, Value)>,
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    node: &'a Node<'a>,
    output: &'a Output,
    stage: usize,
    iterations: u64,
}

/// The grids of a run; of repetitions with other seeds the first is shown.
pub(crate) fn images(gathered: &Gathered<'_>, detail: &Detail, left_out: &LeftOut) -> Vec<GridView> {
    let groups = groups(gathered);
    left_out.count(groups.len().min(detail.grids), groups.len(), "image grids");
    groups.iter().take(detail.grids).filter_map(|group| view(gathered, group, detail, left_out)).collect()
}

fn groups<'a>(gathered: &'a Gathered<'_>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let all: Vec<Member<'a>> = gathered
        .of_type("set")
        .map(|(node, output)| Member { node, output, stage: stage(node), iterations: iterations(node) })
        .collect();
    let nodes: Vec<&Node<'_>> = all.iter().map(|member| member.node).collect();
    for member in &all {
        let (family, mut axes) = without_seed(member.node.planned);
        axes.retain(|(axis, _)| !counts_iterations(axis) && !counts_stages(axis, &family, &nodes));
        let member = Member { ..*member };
        match groups.iter_mut().find(|group| group.family == family && group.axes == axes) {
            Some(group) => {
                let same = |known: &Member<'_>| known.stage == member.stage && known.iterations == member.iterations;
                if !group.members.iter().any(same) {
                    group.members.push(member);
                }
            }
            None => groups.push(Group { family, axes, members: vec![member] }),
        }
    }
    groups.iter_mut().for_each(|group| group.members.sort_by_key(|member| (member.stage, member.iterations)));
    groups
}

/// Whether an axis only counts iterations.
fn counts_iterations(axis: &str) -> bool {
    ITERATIONS.contains(&axis.rsplit('.').next().unwrap_or_default())
}

/// Whether an axis of a family only counts stages: each of its nodes has its own stage there.
pub(super) fn counts_stages(axis: &str, family: &str, nodes: &[&Node<'_>]) -> bool {
    let members = || nodes.iter().filter(|node| node.planned.family == family);
    let stages: BTreeSet<usize> = members().map(|node| stage(node)).collect();
    let value =
        |node: &Node<'_>| node.planned.axes.iter().find(|(name, _)| name == axis).and_then(|(_, value)| value.as_u64());
    stages.len() > 1 && members().all(|node| value(node) == Some(stage(node) as u64))
}

/// The stage of a set, as it is planned: the parameter, or one more than the sets before it.
pub(super) fn stage(node: &Node<'_>) -> usize {
    let given = node.planned.with["stage"].as_u64().and_then(|stage| usize::try_from(stage).ok());
    given.unwrap_or_else(|| node.planned.inputs.get("previous").map_or(0, Vec::len) + 1)
}

fn iterations(node: &Node<'_>) -> u64 {
    let kept = node.planned.with["keep"]["iteration"].as_u64();
    kept.or_else(|| node.planned.with["iterations"].as_u64()).unwrap_or(0)
}

fn view(gathered: &Gathered<'_>, group: &Group<'_>, detail: &Detail, left_out: &LeftOut) -> Option<GridView> {
    let shown: Vec<&Member<'_>> = spread(&group.members, detail.frames);
    left_out.count(shown.len(), group.members.len(), &format!("sets of {}", name(group)));
    let last_stage = group.members.iter().map(|member| member.stage).max().unwrap_or(1);
    let counts: BTreeSet<u64> = group.members.iter().map(|member| member.iterations).collect();
    let (mut frames, mut about) = (Vec::new(), None);
    for member in shown {
        let Some(set) = gathered.set(member.output) else { continue };
        let preprocessing = set.info.preprocessing.preprocessing(set.size().channels).or_else(|| {
            let data = gathered.data_of(member.node)?;
            (data.preprocessing_digest() == set.info.preprocessing.digest()).then(|| data.preprocessing().clone())
        });
        let Some(pixels) = preprocessing.and_then(|how| set.pixels(&how).ok()) else {
            left_out.say(format!("The images of {} cannot be shown: their data set is gone.", member.node.planned.id));
            continue;
        };
        let most = pixels.class_rows.iter().map(Vec::len).max().unwrap_or(0);
        left_out.count(detail.columns.min(most), most, &format!("images per class of {}", name(group)));
        let Some(sheet) = sheet(&pixels, detail.columns) else { continue };
        let mut label = Vec::new();
        if last_stage > 1 {
            label.push(format!("stage {} of {last_stage}", member.stage));
        }
        if counts.len() > 1 {
            label.push(format!("{} iterations", member.iterations));
        }
        let alt = format!("images of {}, one row for each class", member.node.planned.id);
        frames.push(FrameView {
            label: label.join(", "),
            stage: member.stage,
            iterations: member.iterations,
            svg: grid(&sheet, &set.info.class_names, &alt),
        });
        about = Some(set);
    }
    let set = about?;
    Some(GridView {
        title: set.info.method.clone(),
        words: words(group, &set, last_stage),
        frames,
        names: serde_json::to_string(&set.info.class_names).unwrap_or_default(),
    })
}

fn words(group: &Group<'_>, set: &DistilledSet, stages: usize) -> String {
    let ipc = pddflow_report::count(set.info.ipc, "image");
    let each = if stages > 1 { " in each stage" } else { "" };
    format!("{ipc} per class{each} · {} · {}", set.info.source, name(group))
}

fn name(group: &Group<'_>) -> String {
    if group.axes.is_empty() { group.family.clone() } else { format!("{}[{}]", group.family, pairs(&group.axes)) }
}

/// At most so many of a list, evenly spread, with its first and its last.
fn spread<T>(all: &[T], most: usize) -> Vec<&T> {
    if all.len() <= most {
        return all.iter().collect();
    }
    (0..most).map(|at| &all[at * (all.len() - 1) / most.saturating_sub(1).max(1)]).collect()
}
