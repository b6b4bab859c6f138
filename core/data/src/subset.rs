//! Fewer classes, fewer images of each.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ClassIds, LabelledImages};

use crate::class_ref::{ClassRef, chosen};
use crate::raw::RawData;

/// These classes (all, if none are named) and at most so many training and test images of each. Images keep their order.
pub fn subset(
    raw: RawData,
    classes: Option<&[ClassRef]>,
    (train_per_class, test_per_class): (Option<usize>, Option<usize>),
) -> NodeResult<(RawData, Option<ClassIds>)> {
    let RawData { size, train, test, class_names } = raw;
    let kept = match classes {
        Some(classes) => chosen(classes, &class_names)?,
        None => (0..class_names.len()).collect(),
    };
    let mut new_labels = vec![None; class_names.len()];
    for (new, old) in kept.iter().enumerate() {
        // Both count classes, of which there are at most 65,536.
        new_labels[*old] = u16::try_from(new).ok();
    }
    let train = cut(train, size.elements(), &new_labels, train_per_class);
    let test = cut(test, size.elements(), &new_labels, test_per_class);
    let class_ids = ClassIds::choose(None, &kept, class_names.len());
    let class_names: Vec<String> = kept.into_iter().map(|class| class_names[class].clone()).collect();
    check_not_empty(&train, &class_names)?;
    Ok((RawData { size, train, test, class_names }, class_ids))
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
