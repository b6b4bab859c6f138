//! What the pipeline needs to know of node kinds: names, ports, parameter checks.
//!
//! The kinds themselves live above this crate and implement [`Catalog`], so that a file can be checked in full
//! without knowing what any node does.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::plan::PlanNode;

/// The artifact name of an input port that takes everything.
pub const ANY_ARTIFACT: &str = "any";

/// The output, and the artifact, of a piece of a node that is cut into shards.
pub const SHARD: &str = "shard";
/// The input port at which the node takes its pieces; also the setting that cuts it, and the axis that names them.
pub const SHARDS: &str = "shards";

/// Knows the node kinds and checks their parameters.
pub trait Catalog {
    /// All kinds, in the order in which they are shown to people.
    fn kinds(&self) -> Vec<&KindSpec>;

    /// The kind of that name.
    fn kind(&self, name: &str) -> Option<&KindSpec>;

    /// Checks one node's `with` mapping and returns it with defaults filled in: the canonical form that enters
    /// the key.
    ///
    /// # Errors
    ///
    /// All problems of the mapping, each with a JSON pointer to the value it is about.
    fn check(&self, kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>>;

    /// What is wrong with the inputs of one node, given its checked parameters and how many artifacts come into a port.
    /// That ports exist and take so many artifacts of such a type is known already.
    fn check_inputs(&self, kind: &str, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        let _ = (kind, with, count);
        Ok(())
    }

    /// The checked parameters of a node with what follows from the nodes that it is wired to; `None` where nothing does. Asked in the
    /// order of the plan when everything in the file is right; `nodes` are all of them, each after those it needs.
    fn complete(&self, nodes: &[PlanNode], node: &PlanNode) -> Option<Value> {
        let _ = (nodes, node);
        None
    }

    /// What is wrong with the nodes that one is connected to, directly or not. Asked when everything else of a plan is right;
    /// `nodes` are all of them, each after those it needs.
    ///
    /// # Errors
    ///
    /// The first port with such a node.
    fn check_connections(&self, nodes: &[PlanNode], node: &PlanNode) -> Result<(), InputProblem> {
        let _ = (nodes, node);
        Ok(())
    }

    /// Likely mistakes in the checked parameters of one node.
    fn lint(&self, kind: &str, with: &Value) -> Vec<ParamProblem> {
        let _ = (kind, with);
        Vec::new()
    }

    /// Parameters of the pieces that a node is cut into by `shards`, at most so many: nodes of the same kind with the output
    /// [`SHARD`], which the node takes at its port [`SHARDS`]. `None` where nodes of the kind cannot be cut.
    fn shards(&self, kind: &str, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        let _ = (kind, with, wanted);
        None
    }

    /// JSON schemas by name that take the place of the definitions of these names in the parameters of all kinds: of values that
    /// more is known of than the kinds know, such as the choice of a plugin.
    fn shared_schemas(&self) -> Map<String, Value> {
        Map::new()
    }

    /// Whether a node of this kind takes the results of all `seeds` together, as a table does, instead of being repeated
    /// for each.
    fn collects_seeds(&self, kind: &str) -> bool {
        let _ = kind;
        false
    }
}

/// A node kind: its ports and its parameters.
#[derive(Debug, Clone)]
pub struct KindSpec {
    /// The name written after `kind:`.
    pub name: String,
    /// One sentence for people and editors.
    pub summary: String,
    /// Input ports in order.
    pub inputs: Vec<PortSpec>,
    /// Output ports in order; the first is the default.
    pub outputs: Vec<PortSpec>,
    /// Makes the JSON schema of the `with` mapping. Seldom asked for, and long in the making.
    pub parameters: fn() -> Value,
    /// Whether the kind has a parameter `seed`, whose default is the pipeline's `params.seed`, else 0.
    pub seeded: bool,
}

/// One port of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// The port's name, unique among the inputs or the outputs of its kind.
    pub name: String,
    /// The artifact type, such as `dataset`. An input may list several with `|`, or take [`ANY_ARTIFACT`].
    pub artifact: String,
    /// How many artifacts an input takes; of no meaning for outputs.
    pub arity: Arity,
    /// One sentence for people and editors.
    pub summary: String,
}

impl PortSpec {
    /// Whether this input port takes artifacts of that type.
    #[must_use]
    pub fn accepts(&self, artifact: &str) -> bool {
        self.artifact == ANY_ARTIFACT || self.artifact.split('|').any(|taken| taken.trim() == artifact)
    }
}

/// How many artifacts an input port takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arity {
    /// Exactly one.
    One,
    /// None or one.
    Optional,
    /// Any number, in order.
    Many,
    /// At least one, in order.
    Some,
}

impl Arity {
    /// Whether that many artifacts are allowed.
    #[must_use]
    pub fn allows(self, count: usize) -> bool {
        match self {
            Self::One => count == 1,
            Self::Optional => count <= 1,
            Self::Many => true,
            Self::Some => count >= 1,
        }
    }

    /// Whether the port may be left out of `needs`.
    #[must_use]
    pub fn may_be_absent(self) -> bool {
        self.allows(0)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::One => "exactly one artifact",
            Self::Optional => "at most one artifact",
            Self::Many => "any number of artifacts",
            Self::Some => "at least one artifact",
        }
    }
}

/// What [`Catalog::check_inputs`] or [`Catalog::check_connections`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// The port that is missing or should not be there; empty where it is the node as such.
    pub port: Cow<'static, str>,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// A problem that [`Catalog::check`] or [`Catalog::lint`] found in a `with` mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    /// JSON pointer into `with`, such as `/matcher/dm/lr`. It names the value; a trailing `#`, or a message that
    /// starts with `unknown`, means the key itself.
    pub pointer: String,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}
