//! Training images that are set aside: the one split of the training images that every node below uses.

use pddflow_artifact::LabelledImages;
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_tensor::RandomKey;

/// Takes `fraction` (above 0, below 1) of each class out of `train` and gives it, at least one image; the images keep their
/// order. Which ones is drawn by `seed`.
///
/// # Errors
/// A class has a single image, so that none would be left to train on.
pub fn hold_out(
    train: &mut LabelledImages,
    (elements, class_names): (usize, &[String]),
    (fraction, seed): (f64, u64),
) -> NodeResult<LabelledImages> {
    let key = RandomKey::new(seed).fold("held out");
    let mut rows = vec![Vec::new(); class_names.len()];
    train.labels.iter().enumerate().for_each(|(row, label)| rows[usize::from(*label)].push(row));
    let mut aside = vec![false; train.labels.len()];
    for (class, own) in rows.iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count")]
        let count = ((own.len() as f64 * fraction).round() as usize).max(1);
        if count >= own.len() {
            let name = &class_names[class];
            let message = format!("`held_out` leaves class {class} (`{name}`) none of its {} images", own.len());
            return Err(fail("data_held_out", message).with_help("lower `held_out`, or read more images of each class"));
        }
        for place in key.fold_u64(class as u64).choose(own.len(), count) {
            aside[own[place]] = true;
        }
    }
    let (mut kept, mut taken) = (LabelledImages::default(), LabelledImages::default());
    for ((aside, label), pixels) in aside.into_iter().zip(&train.labels).zip(train.pixels.chunks(elements.max(1))) {
        let side = if aside { &mut taken } else { &mut kept };
        side.labels.push(*label);
        side.pixels.extend_from_slice(pixels);
    }
    *train = kept;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of one pixel that has the image's number, of two classes in turn.
    fn images(rows: u8) -> LabelledImages {
        LabelledImages { pixels: (0..rows).collect(), labels: (0..rows).map(|row| u16::from(row % 2)).collect() }
    }

    fn split(rows: u8, fraction: f64, seed: u64) -> NodeResult<(LabelledImages, LabelledImages)> {
        let mut train = images(rows);
        let names = ["even".to_owned(), "odd".to_owned()];
        let taken = hold_out(&mut train, (1, &names), (fraction, seed))?;
        Ok((train, taken))
    }

    #[test]
    fn the_same_share_of_every_class_is_taken_and_nothing_is_lost() {
        let (train, taken) = split(40, 0.1, 0).unwrap();
        assert_eq!((train.labels.len(), taken.labels.len()), (36, 4));
        assert_eq!(taken.labels.iter().filter(|label| **label == 0).count(), 2);
        let mut all = [train.pixels.clone(), taken.pixels.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, images(40).pixels);
        let of_row =
            |images: &LabelledImages| images.pixels.iter().map(|pixel| u16::from(pixel % 2)).collect::<Vec<_>>();
        assert_eq!((of_row(&train), of_row(&taken)), (train.labels, taken.labels));
        assert!(train.pixels.is_sorted() && taken.pixels.is_sorted(), "the order is kept");
    }

    #[test]
    fn the_seed_says_which() {
        let taken = |seed| split(40, 0.25, seed).unwrap().1;
        assert_eq!(taken(1), taken(1));
        assert_ne!(taken(1), taken(2));
    }

    #[test]
    fn a_class_is_never_used_up() {
        let mut taken = split(4, 0.01, 0).unwrap().1.labels;
        taken.sort_unstable();
        assert_eq!(taken, [0, 1], "at least one of each");
        let error = split(2, 0.5, 0).unwrap_err();
        assert!(error.message.contains("none of its 1 images"), "{}", error.message);
        assert!(split(20, 0.99, 0).is_err());
    }
}
