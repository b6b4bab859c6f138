//! Which classes of a larger data set a part has.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::ArtifactError;

/// The classes of a part of a larger data set. Labels inside the part count from 0; `ids` says what each was before.
///
/// A data set or a set without it has all classes under their own numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassIds {
    /// Number in the full data set of each class of the part, in the order of the part's labels.
    pub ids: Vec<usize>,
    /// Number of classes of the full data set.
    pub of: usize,
}

impl ClassIds {
    /// The classes `chosen` of a data set that has `classes` classes and may itself be a part (`before`); `None` for all
    /// classes in their own order.
    ///
    /// `chosen` are class numbers of that data set, each below `classes`.
    #[must_use]
    pub fn choose(before: Option<&Self>, chosen: &[usize], classes: usize) -> Option<Self> {
        let of = before.map_or(classes, |before| before.of);
        let ids: Vec<usize> = chosen.iter().map(|class| before.map_or(*class, |before| before.ids[*class])).collect();
        let whole = ids.len() == of && ids.iter().enumerate().all(|(class, id)| class == *id);
        (!whole).then_some(Self { ids, of })
    }

    /// Refuses ids that are not below `of`, repeat, or are not one for each of `classes` classes.
    pub(crate) fn check(&self, artifact: &'static str, classes: usize) -> Result<(), ArtifactError> {
        let different: BTreeSet<usize> = self.ids.iter().copied().filter(|id| *id < self.of).collect();
        if self.ids.len() == classes && different.len() == classes {
            return Ok(());
        }
        let message = format!("the class ids {:?} of {} are not those of {classes} classes", self.ids, self.of);
        Err(ArtifactError::content(artifact, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_part_keeps_the_first_numbers() {
        let part = ClassIds::choose(None, &[7, 3, 5], 10).unwrap();
        assert_eq!(part, ClassIds { ids: vec![7, 3, 5], of: 10 });
        let inner = ClassIds::choose(Some(&part), &[2, 0], 3).unwrap();
        assert_eq!(inner, ClassIds { ids: vec![5, 7], of: 10 });
    }

    #[test]
    fn all_classes_in_order_are_no_part() {
        assert_eq!(ClassIds::choose(None, &[0, 1, 2], 3), None);
        assert!(ClassIds::choose(None, &[1, 0, 2], 3).is_some());
    }
}
