//! What a matcher sees of the synthetic data: the new set or its union with earlier ones, all of it or one class.
//!
//! Conditioning is here and nowhere else: a matcher asks for the union, only the new rows hang on leaves of the tape, so only they
//! receive updates. At the first stage, and when conditioning is off, the union *is* the new set, tensor for tensor: a
//! progressive run of one stage equals the base method bit for bit.
//!
//! | asked for | rows |
//! |---|---|
//! | new, all | as `decode` gave them |
//! | new, class c | those of class c, in `decode`'s order |
//! | union, all | class by class; within a class the earlier rows in order, then the new ones |
//! | union, class c | that class of the row above |
//! | at most n | n of these, chosen by the key without replacement |
//!
//! The class of a row is its hard label. With soft labels it follows from the position: row `r` belongs to learnable row
//! `r mod (classes * ipc)`, because a decoder repeats the whole set, and those are class-contiguous.

use crate::call::{State, outside};
use crate::error::Fault;
use crate::types::{Decoded, Labels};
use pddflow_abi::{SetPart, Status};
use pddflow_tensor::{DType, RandomKey, Tensor};

/// A learnable as a leaf of the tape.
pub(crate) fn learnable(state: &mut State<'_>, name: &str) -> Result<Tensor, Fault> {
    let all = learnables(state)?;
    match all.iter().find(|(known, _)| known == name) {
        Some((_, leaf)) => Ok(leaf.clone()),
        None => {
            let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
            Err(Fault::invalid(format!("there is no learnable `{name}`; there are `{}`", names.join("`, `"))))
        }
    }
}

/// Learnables have new values: leaves and what was decoded from them are out of date.
pub(crate) fn forget(state: &mut State<'_>) {
    state.views.learnables = None;
    state.views.decoded = None;
}

/// Labels by their dtype.
pub(crate) fn labels_of(tensor: Tensor) -> Labels {
    if tensor.dtype() == DType::I64 { Labels::Hard(tensor) } else { Labels::Soft(tensor) }
}

/// The rows that are asked for, at most `limit.0` of them unless that is 0.
pub(crate) fn rows(
    state: &mut State<'_>,
    part: SetPart,
    class: Option<usize>,
    limit: (usize, RandomKey),
) -> Result<Decoded, Fault> {
    let new = decoded(state)?;
    let previous = if part == SetPart::Union { previous(state)? } else { None };
    let classes = problem_of(state)?.0;
    let chosen = match (previous, class) {
        (None, None) => new,
        (None, Some(class)) => take(&new, &rows_of(state, &new, class)?)?,
        (Some(previous), Some(class)) => {
            // The class is taken out of each before they are joined: sets grow with the stages, the rows of a class hardly.
            let (earlier, own) = (rows_of(state, &previous, class)?, rows_of(state, &new, class)?);
            match (earlier.is_empty(), own.is_empty()) {
                (true, _) => take(&new, &own)?,
                (false, true) => take(&previous, &earlier)?,
                (false, false) => join(&take(&previous, &earlier)?, &take(&new, &own)?, classes)?,
            }
        }
        (Some(previous), None) => {
            let (mut order, offset) = (Vec::new(), previous.images.shape()[0]);
            for class in 0..classes {
                order.extend(rows_of(state, &previous, class)?);
                order.extend(rows_of(state, &new, class)?.iter().map(|row| row + offset));
            }
            take(&join(&previous, &new, classes)?, &order)?
        }
    };
    let count = chosen.images.shape()[0];
    if limit.0 == 0 || limit.0 >= count { Ok(chosen) } else { take(&chosen, &limit.1.choose(count, limit.0)) }
}

fn learnables(state: &mut State<'_>) -> Result<Vec<(String, Tensor)>, Fault> {
    if let Some(leaves) = &state.views.learnables {
        return Ok(leaves.clone());
    }
    let environment = state.environment()?;
    let mut leaves = Vec::new();
    for (name, value) in environment.learnables() {
        leaves.push((name, value.detach().variable()?));
    }
    state.views.learnables = Some(leaves.clone());
    Ok(leaves)
}

fn decoded(state: &mut State<'_>) -> Result<Decoded, Fault> {
    if let Some(known) = &state.views.decoded {
        return Ok(known.clone());
    }
    let leaves = learnables(state)?;
    let matcher = state.decode.ok_or_else(outside)?;
    let problem = state.environment()?.problem();
    let fresh = matcher.decode(&leaves, problem)?;
    state.views.decoded = Some(fresh.clone());
    Ok(fresh)
}

fn previous(state: &mut State<'_>) -> Result<Option<Decoded>, Fault> {
    if let Some(known) = &state.views.previous {
        return Ok(known.clone());
    }
    let found = state.environment()?.previous();
    let found = found.filter(|set| set.images.shape().first().is_some_and(|rows| *rows > 0));
    state.views.previous = Some(found.clone());
    Ok(found)
}

/// Classes and learnable rows.
fn problem_of(state: &mut State<'_>) -> Result<(usize, usize), Fault> {
    let problem = state.environment()?.problem();
    Ok((problem.classes, problem.learnable_rows))
}

/// Rows of a class, in order.
fn rows_of(state: &mut State<'_>, set: &Decoded, class: usize) -> Result<Vec<usize>, Fault> {
    let (classes, rows) = problem_of(state)?;
    let count = set.images.shape()[0];
    match &set.labels {
        Labels::Hard(labels) => {
            let labels = labels.to_i64_vec()?;
            Ok((0..count).filter(|row| labels.get(*row) == Some(&(class as i64))).collect())
        }
        Labels::Soft(_) if rows > 0 && rows.is_multiple_of(classes) && count.is_multiple_of(rows) => {
            Ok((0..count).filter(|row| (row % rows) / (rows / classes) == class).collect())
        }
        Labels::Soft(_) => {
            let message =
                format!("{count} rows with soft labels are not a multiple of {rows}, so a row's class is unknown");
            Err(Fault::new(Status::Shape, message))
        }
    }
}

fn take(set: &Decoded, rows: &[usize]) -> Result<Decoded, Fault> {
    if rows.is_empty() {
        return Err(Fault::invalid("no synthetic row is left"));
    }
    // Rows without a gap are a slice, which costs less than a gather, above all backwards.
    let contiguous = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let select = |tensor: &Tensor| -> Result<Tensor, Fault> {
        if contiguous && rows.len() == tensor.shape()[0] {
            return Ok(tensor.clone());
        }
        if contiguous {
            return Ok(tensor.slice(0, rows[0], rows[0] + rows.len(), 1)?);
        }
        let numbers: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        let numbers = Tensor::from_i64(numbers, &[rows.len()], &tensor.device())?;
        Ok(tensor.gather(0, &numbers)?)
    };
    let labels = match &set.labels {
        Labels::Hard(labels) => Labels::Hard(select(labels)?),
        Labels::Soft(labels) => Labels::Soft(select(labels)?),
    };
    Ok(Decoded { images: select(&set.images)?, labels })
}

fn join(first: &Decoded, second: &Decoded, classes: usize) -> Result<Decoded, Fault> {
    let images = Tensor::concat(&[first.images.clone(), second.images.clone()], 0)?;
    let labels = match (&first.labels, &second.labels) {
        (Labels::Hard(a), Labels::Hard(b)) => Labels::Hard(Tensor::concat(&[a.clone(), b.clone()], 0)?),
        (a, b) => {
            let soft = |labels: &Labels| match labels {
                Labels::Hard(labels) => labels.one_hot(classes, images.dtype()),
                Labels::Soft(labels) => Ok(labels.clone()),
            };
            Labels::Soft(Tensor::concat(&[soft(a)?, soft(b)?], 0)?)
        }
    };
    Ok(Decoded { images, labels })
}
