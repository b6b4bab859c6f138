//! The values of an axis of a family.

use std::collections::HashMap;

use serde_json::Value;

use crate::document::keys::WRONG_TYPE;
use crate::expression::display;
use crate::template::Failure;
use crate::text::scalar;
use crate::text::source::Span;
use crate::yaml::tree::{Entry, Tree, describe};

/// Most instances of a plan.
pub(crate) const MAX_INSTANCES: usize = 100_000;
const INVALID_RANGE: &str = "pddflow::pipeline::invalid_range";
pub(crate) const INVALID_AXIS: &str = "pddflow::pipeline::invalid_axis";
pub(crate) const PLAN_LIMIT: &str = "pddflow::pipeline::plan_limit";

/// The values of an axis: a range or a list of texts, numbers and booleans, all different.
pub(crate) fn axis_values(axis: &Entry, value: Value) -> Result<Vec<Value>, Failure> {
    let span = axis.value.span;
    let help = "write a range `1..=5` or a list `[a, b]`";
    let items = match value {
        Value::Array(items) => items,
        Value::String(text) if text.contains("..") => return range_values(&text, span),
        other => {
            let message = format!("the axis `{}` must be a range or a list, not {}", axis.key, describe(&other));
            return Err(Failure::new(WRONG_TYPE, span, message, help));
        }
    };
    let mut seen = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let item_span = match &axis.value.tree {
            Tree::List(nodes) => nodes.get(index).map_or(span, |node| node.span),
            _ => span,
        };
        let Some(text) = display(item) else {
            let message = format!(
                "a value of the axis `{}` must be a string, a number or a boolean, not {}",
                axis.key,
                describe(item)
            );
            return Err(Failure::new(
                WRONG_TYPE,
                item_span,
                message,
                "put larger values under `params` and index them: `${sizes[k]}`",
            ));
        };
        if text.contains('"') {
            let message = format!("a value of the axis `{}` has a double quote", axis.key);
            return Err(Failure::new(
                INVALID_AXIS,
                item_span,
                message,
                "values become part of node names; remove the quote",
            ));
        }
        if seen.insert(text.clone(), index).is_some() {
            let message = format!("the axis `{}` has the value `{text}` twice", axis.key);
            return Err(Failure::new(
                INVALID_AXIS,
                item_span,
                message,
                "values name instances, so each must be unique",
            ));
        }
    }
    Ok(items)
}

/// `1..5` without and `1..=5` with its end.
fn range_values(text: &str, span: Span) -> Result<Vec<Value>, Failure> {
    let help = "a range is `1..5` (without 5) or `1..=5`";
    let (start, end) = text.split_once("..").unwrap_or((text, ""));
    let (end, inclusive) = end.strip_prefix('=').map_or((end, false), |end| (end, true));
    let bound = |text: &str| match scalar::resolve(text.trim()) {
        Ok(Value::Number(number)) => number.as_i64().ok_or(()),
        _ => Err(()),
    };
    let (Ok(first), Ok(last)) = (bound(start), bound(end)) else {
        return Err(Failure::new(INVALID_RANGE, span, format!("`{text}` is not a range of integers"), help));
    };
    let end = i128::from(last) + i128::from(inclusive);
    let length = end - i128::from(first);
    if length < 0 {
        return Err(Failure::new(
            INVALID_RANGE,
            span,
            format!("the range `{text}` is descending"),
            "write ranges in ascending order; an empty one is `1..1` or `1..=0`",
        ));
    }
    if length > MAX_INSTANCES as i128 {
        let message = format!("the range `{text}` has more than {MAX_INSTANCES} values");
        return Err(Failure::new(PLAN_LIMIT, span, message, "shorten the range"));
    }
    let values = (i128::from(first)..end).filter_map(|value| i64::try_from(value).ok());
    Ok(values.map(Value::from).collect())
}
