//! References to instances: which nodes of a family a reference means.

use std::ops::{Bound, Range};

use crate::expand::family::Family;
use crate::text::reference::{INVALID_REFERENCE, Pick, Reference, Selector};
use crate::text::suggest::suggest;
use crate::text::text_error::TextError;

const UNKNOWN_INSTANCE: &str = "pddflow::pipeline::unknown_instance";
const SWITCHED_OFF: &str = "pddflow::pipeline::switched_off";
const UNKNOWN_AXIS: &str = "pddflow::pipeline::unknown_axis";

fn error<T>(
    code: &'static str,
    range: &Range<usize>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, Box<TextError>> {
    Err(TextError::new(code, range.clone(), message, help))
}

/// The instances that a reference means, in the family's order.
pub(crate) fn select(family: &Family, reference: &Reference) -> Result<Vec<usize>, Box<TextError>> {
    let name = &family.name;
    let Some(selectors) = &reference.selectors else {
        if family.is_family {
            let message = format!("`{name}` is a family of {} nodes; select its instances", family.points.len());
            return error(INVALID_REFERENCE, &reference.family.1, message, choices(family));
        }
        if family.points.is_empty() {
            let message = format!("the node `{name}` is disabled by its `when`");
            let help = "make this input conditional too: `{ if: CONDITION, then: REFERENCE }`";
            return error(SWITCHED_OFF, &reference.family.1, message, help);
        }
        return Ok(vec![0]);
    };
    let range = selectors.first().map_or(0..0, |first| first.range.clone());
    if !family.is_family {
        let message = format!("`{name}` is a single node without axes");
        return error(INVALID_REFERENCE, &range, message, format!("write `{name}`"));
    }
    let mut constraints = Vec::new();
    for selector in selectors {
        if let Some(instances) = constrain(family, selector)? {
            constraints.push(instances);
        }
    }
    let Some(mut chosen) = constraints.pop() else {
        return Ok((0..family.points.len()).collect());
    };
    for other in constraints {
        chosen.retain(|instance| other.binary_search(instance).is_ok());
    }
    let single = selectors.len() == family.axes.len()
        && selectors.iter().all(|selector| matches!(selector.pick, Pick::Value(_)));
    if chosen.is_empty() && single {
        return error(
            UNKNOWN_INSTANCE,
            &range,
            format!("this instance of `{name}` is excluded"),
            "its values exist, but this combination is excluded",
        );
    }
    Ok(chosen)
}

/// Examples of references to a family.
fn choices(family: &Family) -> String {
    let name = &family.name;
    let example = family.points.last().map(|_| family.id(family.points.len() - 1));
    match example {
        Some(example) => format!("write `{name}[*]` for all or `{example}` for one"),
        None => format!("write `{name}[*]` for all"),
    }
}

/// The instances, ascending, that one selector allows; none for all.
fn constrain(family: &Family, selector: &Selector) -> Result<Option<Vec<usize>>, Box<TextError>> {
    let Some(axis) = axis_of(family, selector)? else {
        return Ok(None);
    };
    let axis_name = family.axes.get(axis).map_or("", String::as_str);
    match &selector.pick {
        Pick::All => Ok(None),
        Pick::Value(text) => {
            let found = family.with_text(axis, text);
            if found.is_empty() {
                let message = format!("`{}` has no instance with {axis_name} = {text}", family.name);
                return error(UNKNOWN_INSTANCE, &selector.range, message, known_values(family, axis, text));
            }
            Ok(Some(found.to_vec()))
        }
        Pick::Slice(start, end) => slice(family, axis, selector, (*start, *end)).map(Some),
    }
}

/// The axis that a selector is about; none for `[*]`.
fn axis_of(family: &Family, selector: &Selector) -> Result<Option<usize>, Box<TextError>> {
    match &selector.axis {
        Some(name) => match family.axes.iter().position(|axis| axis == name) {
            Some(axis) => Ok(Some(axis)),
            None => {
                let message = format!("`{}` has no axis `{name}`", family.name);
                let help = suggest(name, "axes", family.axes.iter().map(String::as_str));
                error(UNKNOWN_AXIS, &selector.range, message, help)
            }
        },
        None if selector.pick == Pick::All => Ok(None),
        None if family.axes.len() == 1 => Ok(Some(0)),
        None => {
            let message =
                format!("`{}` has the axes {}; the reference must name them", family.name, family.axes.join(", "));
            error(INVALID_REFERENCE, &selector.range, message, choices(family))
        }
    }
}

fn slice(
    family: &Family,
    axis: usize,
    selector: &Selector,
    bounds: (Bound<i64>, Bound<i64>),
) -> Result<Vec<usize>, Box<TextError>> {
    let name = family.axes.get(axis).map_or("", String::as_str);
    let Some(integers) = family.integers(axis) else {
        return Ok(Vec::new());
    };
    if integers.is_empty() && !family.points.is_empty() {
        let message =
            format!("the axis `{name}` of `{}` has values that are not integers, so it cannot be sliced", family.name);
        return error(INVALID_REFERENCE, &selector.range, message, choices(family));
    }
    let (Some((first, _)), Some((last, _))) = (integers.first_key_value(), integers.last_key_value()) else {
        return Ok(Vec::new());
    };
    let start = match bounds.0 {
        Bound::Included(start) | Bound::Excluded(start) => start,
        Bound::Unbounded => *first,
    };
    // One past the end, as in `start..end`.
    let end = match bounds.1 {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => end,
        Bound::Unbounded => last.saturating_add(1),
    };
    let known = *first..=last.saturating_add(1);
    if !known.contains(&start) || !known.contains(&end) || start > end {
        let message = format!("the slice {start}..{end} reaches outside `{}`", family.name);
        let help = format!("{name} is {first}..={last}; limit the bounds with min(...) and max(...)");
        return error("pddflow::pipeline::slice_bounds", &selector.range, message, help);
    }
    let mut chosen: Vec<usize> = integers.range(start..end).flat_map(|(_, found)| found.iter().copied()).collect();
    chosen.sort_unstable();
    Ok(chosen)
}

fn known_values(family: &Family, axis: usize, text: &str) -> String {
    let name = family.axes.get(axis).map_or("", String::as_str);
    let integers = family.integers(axis).filter(|integers| !integers.is_empty());
    let contiguous = integers.and_then(|integers| {
        let (first, last) = (integers.first_key_value()?.0, integers.last_key_value()?.0);
        (last.checked_sub(*first)? == i64::try_from(integers.len()).ok()? - 1).then_some((first, last))
    });
    if let Some((first, last)) = contiguous {
        return format!("{name} is {first}..={last}");
    }
    let texts = family.texts(axis);
    suggest(text, "its values", texts.iter().map(String::as_str))
}
