//! Parts of a plan: nodes named by patterns on the command line, with what they need.
//!
//! | pattern | nodes |
//! |---|---|
//! | `data`, `distill` | the node, or all instances of the family |
//! | `distill[3]`, `distill[..3]`, `eval[model=mlp]` | as a reference under `needs` |
//! | `eval[model=res*]`, `*[3]`, `d?ta` | `*` stands for any text, `?` for one character |

use std::ops::RangeBounds as _;

use serde_json::Value;

use crate::catalog::SHARDS;
use crate::expression::display;
use crate::plan::{Plan, PlanNode};
use crate::text::reference::{self, Pick, Reference, Selector};
use crate::text::suggest::suggest;

/// Which nodes of a plan are to be run; everything where both lists are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Patterns: these nodes and all that they need, directly or not.
    pub until: Vec<String>,
    /// Patterns: these nodes alone. What they need must have its result already, see
    /// [`crate::NodeSettings::only_if_fresh`].
    pub only: Vec<String>,
}

/// A pattern of nodes, as the module's text has them.
#[derive(Debug, Clone)]
pub struct NodePattern(Reference);

impl NodePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// The text is no pattern.
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        let reference = reference::parse(text).map_err(|error| SelectionError {
            message: format!("`{text}` is not a node pattern: {}", error.message),
            help: "patterns are `data`, `distill[3]`, `distill[..3]`, `eval[model=*]`".to_owned(),
        })?;
        Ok(Self(reference))
    }

    /// Whether it means the instance of a family at a point of its axes and of a sweep.
    #[must_use]
    pub fn means(&self, family: &str, axes: &[(String, Value)], point: &[(String, Value)]) -> bool {
        let selectors = self.0.selectors.as_deref().unwrap_or(&[]);
        self.0.output.is_none()
            && glob(&self.0.family.0, family)
            && selectors.iter().all(|selector| allows(selector, axes, point))
    }
}

/// A pattern that names no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionError {
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl std::fmt::Display for SelectionError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for SelectionError {}

impl Plan {
    /// The indices of the nodes that a pattern means, in the order of the plan.
    ///
    /// # Errors
    ///
    /// The pattern cannot be read or means no node.
    pub fn matching(&self, pattern: &str) -> Result<Vec<usize>, SelectionError> {
        if let Some(exact) = self.nodes.iter().position(|node| node.id.as_str() == pattern) {
            return Ok(vec![exact]);
        }
        let wanted = NodePattern::parse(pattern)?;
        let means = |node: &PlanNode| wanted.means(&node.family, &node.axes, &node.point);
        let found: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes.get(*at).is_some_and(means)).collect();
        if found.is_empty() { Err(self.no_match(pattern, &wanted.0)) } else { Ok(found) }
    }

    /// The part of the plan that a selection means, with everything that it needs. Nodes that are only needed are
    /// marked as [`crate::NodeSettings::only_if_fresh`] when `only` is not empty.
    ///
    /// # Errors
    ///
    /// A pattern cannot be read or means no node.
    pub fn select(self, selection: &Selection) -> Result<Self, SelectionError> {
        if selection.until.is_empty() && selection.only.is_empty() {
            return Ok(self);
        }
        let until = self.mark(&selection.until)?;
        let cone = self.with_producers(until);
        let only = self.mark(&selection.only)?;
        let chosen: Vec<bool> = cone.iter().zip(&only).map(|(cone, only)| *cone && *only).collect();
        if !chosen.contains(&true) {
            return Err(SelectionError {
                message: "no node matches both selections".to_owned(),
                help: "`--only` selects among the nodes that the other patterns need; drop one of them".to_owned(),
            });
        }
        let chosen = self.with_pieces(chosen);
        let kept = self.with_producers(chosen.clone());
        Ok(self.keep(&kept, &chosen))
    }

    /// Which nodes some pattern means; all for no patterns.
    fn mark(&self, patterns: &[String]) -> Result<Vec<bool>, SelectionError> {
        let mut marked = vec![patterns.is_empty(); self.nodes.len()];
        for pattern in patterns {
            for index in self.matching(pattern)? {
                if let Some(mark) = marked.get_mut(index) {
                    *mark = true;
                }
            }
        }
        Ok(marked)
    }

    /// Marks everything that marked nodes need. Producers come first in a plan, so that one pass from the end is enough.
    fn with_producers(&self, mut marked: Vec<bool>) -> Vec<bool> {
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if marked.get(index) != Some(&true) {
                continue;
            }
            for input in node.inputs.values().flatten() {
                if let Some(mark) = marked.get_mut(input.node) {
                    *mark = true;
                }
            }
        }
        marked
    }

    /// Marks the pieces of marked nodes too: they are the node, cut into shards.
    fn with_pieces(&self, mut marked: Vec<bool>) -> Vec<bool> {
        for (index, node) in self.nodes.iter().enumerate() {
            let is_marked = marked.get(index) == Some(&true);
            for piece in node.inputs.get(SHARDS).into_iter().flatten() {
                if let Some(mark) = marked.get_mut(piece.node) {
                    *mark |= is_marked;
                }
            }
        }
        marked
    }

    fn keep(mut self, kept: &[bool], chosen: &[bool]) -> Self {
        let mut places = Vec::with_capacity(kept.len());
        let mut next = 0;
        for keep in kept {
            places.push(next);
            next += usize::from(*keep);
        }
        let nodes = std::mem::take(&mut self.nodes).into_iter().zip(kept).zip(chosen);
        let nodes = nodes.filter(|((_, kept), _)| **kept).map(|((mut node, _), chosen)| {
            node.settings.only_if_fresh = !chosen;
            for input in node.inputs.iter_mut().flat_map(|(_, inputs)| inputs) {
                input.node = places.get(input.node).copied().unwrap_or(input.node);
            }
            node
        });
        self.nodes = nodes.collect();
        self
    }

    fn no_match(&self, pattern: &str, reference: &Reference) -> SelectionError {
        let family = &reference.family.0;
        let of_family: Vec<&PlanNode> = self.nodes.iter().filter(|node| glob(family, &node.family)).collect();
        let help = if reference.output.is_some() {
            "name the node without an output".to_owned()
        } else if of_family.is_empty() {
            let mut families: Vec<&str> = self.nodes.iter().map(|node| node.family.as_str()).collect();
            families.dedup();
            suggest(family, "nodes", families)
        } else {
            suggest(pattern, "its instances", of_family.iter().map(|node| node.id.as_str()))
        };
        SelectionError { message: format!("the pipeline has no node `{pattern}`"), help }
    }
}

fn allows(selector: &Selector, axes: &[(String, Value)], point: &[(String, Value)]) -> bool {
    let value = match &selector.axis {
        Some(name) => axes.iter().chain(point).find(|(axis, _)| axis == name).map(|(_, value)| value),
        None if selector.pick == Pick::All => return true,
        None => match axes {
            [(_, value)] => Some(value),
            _ => None,
        },
    };
    value.is_some_and(|value| picks(&selector.pick, value))
}

fn picks(pick: &Pick, value: &Value) -> bool {
    match pick {
        Pick::All => true,
        Pick::Value(pattern) => display(value).is_some_and(|text| glob(pattern, &text)),
        Pick::Slice(start, end) => value.as_i64().is_some_and(|value| (*start, *end).contains(&value)),
    }
}

/// Whether a text has the form of a pattern with `*` and `?`; linear in the text for each star.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut star) = ((0, 0), None);
    while at.1 < text.len() {
        match pattern.get(at.0) {
            Some('*') => {
                star = Some((at.0 + 1, at.1));
                at.0 += 1;
            }
            Some(character) if *character == '?' || Some(character) == text.get(at.1) => at = (at.0 + 1, at.1 + 1),
            _ => match star {
                // The star takes one character more.
                Some((behind, taken)) => {
                    star = Some((behind, taken + 1));
                    at = (behind, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at.0..).is_some_and(|rest| rest.iter().all(|character| *character == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        let cases = [
            ("", "", true),
            ("*", "", true),
            ("res*", "resnet18", true),
            ("*18", "resnet18", true),
            ("r*n*t*", "resnet18", true),
            ("res?et18", "resnet18", true),
            ("res", "resnet18", false),
            ("*19", "resnet18", false),
            ("?", "", false),
            ("**a", "ba", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
