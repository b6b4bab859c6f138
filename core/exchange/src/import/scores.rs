//! Scores of training images.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{Dataset, Scores, Side};
use pddflow_data::foreign::{Array, Foreign};
use serde_json::Value;

/// Name of the array where there are several.
const SCORES: &str = "scores";

/// The scores in a file, for the training images of these data.
pub(super) fn scores(
    (name, found): (&str, Foreign),
    data: &Dataset,
    method: Option<&str>,
    made_by: Value,
) -> NodeResult<Scores> {
    let array = array(name, found)?;
    let rows = data.rows(Side::Train);
    let fits = match array.shape() {
        [count] | [count, 1] => *count == rows,
        _ => false,
    };
    if !fits {
        let message = format!("{name} has scores {:?}, and the data have {rows} training images", array.shape());
        return Err(fail("import_shape", message).with_help(
            "scores are one number for each training image, in the order of the data; with `held_out` these are fewer",
        ));
    }
    Ok(Scores {
        method: method.unwrap_or("imported").to_owned(),
        made_by,
        images: data.train_digest(),
        scores: array.to_f64(),
    })
}

fn array(name: &str, found: Foreign) -> NodeResult<Array> {
    let shown = found.shown();
    let array = match found {
        Foreign::Array(array) => Some(array),
        Foreign::Map(mut entries) => {
            let place = entries.iter().position(|(key, _)| key == SCORES).or((entries.len() == 1).then_some(0));
            match place.map(|place| entries.swap_remove(place).1) {
                Some(Foreign::Array(array)) => Some(array),
                _ => None,
            }
        }
        _ => None,
    };
    array.ok_or_else(|| {
        fail("import_content", format!("{name} holds {shown}, which are no scores"))
            .with_help("give one array, or one that is called `scores` among others")
    })
}
