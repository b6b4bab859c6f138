//! Pictures of a plan: Graphviz, Mermaid, text; families as one box or every instance.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use petgraph::Direction;
use petgraph::dot::{Config, Dot, RankDir};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::plan::Plan;
use crate::view::svg;

/// Producers that a line of [`GraphView::text`] names before it counts the rest.
const SHOWN_PRODUCERS: usize = 6;

/// How much of a plan a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// One box for each declaration, with the number of its instances.
    #[default]
    Families,
    /// One box for each instance.
    Instances,
}

/// A plan's graph, ready to be drawn. Edges go from producers to consumers; a family whose instances use
/// each other has an edge to itself.
#[derive(Debug, Clone)]
pub struct GraphView(DiGraph<Vertex, ()>);

#[derive(Debug, Clone)]
struct Vertex {
    name: String,
    kind: String,
    /// For a family its axes and how many instances it has.
    family: Option<(String, usize)>,
}

impl Vertex {
    fn title(&self) -> String {
        match &self.family {
            Some((axes, count)) => format!("{} [{axes}] x{count}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Plan {
    /// The plan's graph with families as one box, or with every instance.
    #[must_use]
    pub fn view(&self, detail: Detail) -> GraphView {
        match detail {
            Detail::Instances => self.instances(),
            Detail::Families => self.families(),
        }
    }

    fn instances(&self) -> GraphView {
        let mut graph = DiGraph::with_capacity(self.nodes.len(), self.nodes.len());
        for node in &self.nodes {
            graph.add_node(Vertex { name: node.id.to_string(), kind: node.kind.clone(), family: None });
        }
        for (from, to) in self.edges(NodeIndex::new) {
            graph.add_edge(from, to, ());
        }
        GraphView(graph)
    }

    /// An edge from each box to each one that uses it, once; `vertex` is the box of a node.
    fn edges(&self, vertex: impl Fn(usize) -> NodeIndex) -> BTreeSet<(NodeIndex, NodeIndex)> {
        let nodes = self.nodes.iter().enumerate();
        let inputs = nodes.flat_map(|(to, node)| node.inputs.values().flatten().map(move |from| (from.node, to)));
        inputs.map(|(from, to)| (vertex(from), vertex(to))).collect()
    }

    fn families(&self) -> GraphView {
        let mut graph = DiGraph::new();
        let mut vertices: HashMap<&str, NodeIndex> = HashMap::new();
        for node in &self.nodes {
            let vertex = *vertices.entry(&node.family).or_insert_with(|| {
                let axes: Vec<&str> = node.axes.iter().map(|(axis, _)| axis.as_str()).collect();
                graph.add_node(Vertex {
                    name: node.family.clone(),
                    kind: node.kind.clone(),
                    family: (!axes.is_empty()).then(|| (axes.join(", "), 0)),
                })
            });
            if let Some(Vertex { family: Some((_, count)), .. }) = graph.node_weight_mut(vertex) {
                *count += 1;
            }
        }
        let vertex = |at: usize| self.nodes.get(at).and_then(|node| vertices.get(node.family.as_str()).copied());
        for (from, to) in self.edges(|at| vertex(at).unwrap_or_default()) {
            graph.add_edge(from, to, ());
        }
        GraphView(graph)
    }
}

impl GraphView {
    /// Graphviz text: `dot -Tsvg` draws it.
    #[must_use]
    pub fn dot(&self) -> String {
        let config = [Config::NodeNoLabel, Config::EdgeNoLabel, Config::RankDir(RankDir::LR)];
        let node_attributes = |_, (_, vertex): (NodeIndex, &Vertex)| {
            // Debug quotes as Graphviz does.
            format!("shape=box, label={:?}", format!("{}\n{}", vertex.title(), vertex.kind))
        };
        let dot = Dot::with_attr_getters(&self.0, &config, &|_, _| String::new(), &node_attributes);
        format!("{dot:?}")
    }

    /// Mermaid text, as Markdown viewers draw it.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for index in self.0.node_indices() {
            if let Some(vertex) = self.0.node_weight(index) {
                let label = format!("{}<br/>{}", vertex.title().replace('"', "#quot;"), vertex.kind);
                let _ = writeln!(text, "    n{}[\"{label}\"]", index.index());
            }
        }
        for edge in self.0.edge_references() {
            let _ = writeln!(text, "    n{} --> n{}", edge.source().index(), edge.target().index());
        }
        text
    }

    /// An SVG picture.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::draw(&self.0.map(|_, vertex| (vertex.title(), vertex.kind.clone()), |_, ()| ()))
    }

    /// One line for each box, producers first: name, kind, and after `<-` what it uses.
    #[must_use]
    pub fn text(&self) -> String {
        let width = |of: &dyn Fn(&Vertex) -> usize| self.0.node_weights().map(of).max().unwrap_or(0);
        let name_width = width(&|vertex| vertex.title().chars().count());
        let kind_width = width(&|vertex| vertex.kind.chars().count());
        let mut text = String::new();
        for index in self.0.node_indices() {
            let Some(vertex) = self.0.node_weight(index) else {
                continue;
            };
            let line = format!("{:name_width$}  {:kind_width$}{}", vertex.title(), vertex.kind, self.producers(index));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn producers(&self, index: NodeIndex) -> String {
        let mut producers: Vec<NodeIndex> = self.0.neighbors_directed(index, Direction::Incoming).collect();
        producers.sort_unstable();
        let names = producers.iter().filter_map(|producer| self.0.node_weight(*producer));
        let names: Vec<&str> = names.take(SHOWN_PRODUCERS).map(|vertex| vertex.name.as_str()).collect();
        let rest = producers.len().saturating_sub(SHOWN_PRODUCERS);
        match (names.is_empty(), rest) {
            (true, _) => String::new(),
            (false, 0) => format!("  <- {}", names.join(", ")),
            (false, rest) => format!("  <- {} and {rest} more", names.join(", ")),
        }
    }
}
