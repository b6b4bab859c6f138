//! Fewer classes, fewer images of each.

use pddflow_runner::NodeError;

use super::params::{ClassRef, DatasetParams};
use super::raw::RawData;
use crate::artifact::{ClassIds, LabelledImages};
use crate::failure::{NodeResult, fail};
use crate::params::suggestion;

/// The classes and images that the parameters ask for. Images keep their order.
pub(super) fn subset(raw: RawData, params: &DatasetParams) -> NodeResult<(RawData, Option<ClassIds>)> {
    let RawData { size, train, test, class_names } = raw;
    let kept = match &params.classes {
        Some(classes) => chosen(classes, &class_names)?,
        None => (0..class_names.len()).collect(),
    };
    let mut new_labels = vec![None; class_names.len()];
    for (new, old) in kept.iter().enumerate() {
        // Both count classes, of which there are at most 65,536.
        new_labels[*old] = u16::try_from(new).ok();
    }
    let train = cut(train, size.elements(), &new_labels, params.train_per_class);
    let test = cut(test, size.elements(), &new_labels, params.test_per_class);
    let class_ids = ClassIds::choose(None, &kept, class_names.len());
    let class_names: Vec<String> = kept.into_iter().map(|class| class_names[class].clone()).collect();
    check_not_empty(&train, &class_names)?;
    Ok((RawData { size, train, test, class_names }, class_ids))
}

/// The numbers of the named classes, in that order.
pub(crate) fn chosen(classes: &[ClassRef], names: &[String]) -> NodeResult<Vec<usize>> {
    let mut kept = Vec::with_capacity(classes.len());
    for class in classes {
        let number = match class {
            ClassRef::Number(number) if *number < names.len() => *number,
            ClassRef::Number(number) => {
                return Err(unknown(&number.to_string(), format!("there are {} classes, from 0", names.len())));
            }
            ClassRef::Name(name) => {
                let found = names.iter().position(|known| known == name);
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                found.ok_or_else(|| unknown(name, suggestion(name, &known)))?
            }
        };
        if kept.contains(&number) {
            let message = format!("`classes` names the class {number} (`{}`) twice", names[number]);
            return Err(fail("data_class", message).with_help("name each class once"));
        }
        kept.push(number);
    }
    Ok(kept)
}

fn unknown(class: &str, help: String) -> NodeError {
    fail("data_class", format!("`classes` names `{class}`, which the data do not have")).with_help(help)
}

fn cut(
    images: LabelledImages,
    elements: usize,
    new_labels: &[Option<u16>],
    per_class: Option<usize>,
) -> LabelledImages {
    let most = per_class.unwrap_or(usize::MAX);
    if most == usize::MAX && new_labels.iter().enumerate().all(|(old, new)| new.map(usize::from) == Some(old)) {
        return images;
    }
    let mut counts = vec![0; new_labels.len()];
    let mut out = LabelledImages::default();
    for (label, pixels) in images.labels.iter().zip(images.pixels.chunks(elements.max(1))) {
        let Some(new) = new_labels[usize::from(*label)] else { continue };
        let count = &mut counts[usize::from(new)];
        if *count < most {
            *count += 1;
            out.labels.push(new);
            out.pixels.extend_from_slice(pixels);
        }
    }
    out
}

fn check_not_empty(train: &LabelledImages, names: &[String]) -> NodeResult<()> {
    let mut counts = vec![0_usize; names.len()];
    train.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
    match counts.iter().position(|count| *count == 0) {
        Some(class) => Err(fail("data_empty", format!("the class {class} (`{}`) has no training image", names[class]))
            .with_help("name the classes that have images with `classes: [...]`")),
        None => Ok(()),
    }
}
