//! Images, labels and a learning rate out of what files hold.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_data::foreign::{Array, Foreign};
use pddflow_runner::NodeError;

/// Names that the parts have in files.
const IMAGES: [&str; 4] = ["images", "image", "x", "x_train"];
const LABELS: [&str; 5] = ["labels", "label", "targets", "y", "y_train"];
const LEARNING_RATE: [&str; 4] = ["lr", "step_size", "syn_lr", "learning_rate"];
const CLASS_NAMES: [&str; 2] = ["class_names", "classes"];
/// Below it DC, DSA and DM store their sets, one for each experiment.
const EXPERIMENTS: &str = "data";

/// What a set is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) images: Option<Array>,
    pub(super) labels: Option<Array>,
    pub(super) learning_rate: Option<f64>,
    pub(super) class_names: Option<Vec<String>>,
}

impl Parts {
    /// Adds what one file holds; `entry` chooses one of several sets.
    pub(super) fn add(&mut self, name: &str, found: Foreign, entry: usize) -> NodeResult<()> {
        match found {
            Foreign::Array(array) => self.by_form(name, array),
            Foreign::Number(number) => self.set_learning_rate(name, number),
            Foreign::Map(entries) => self.by_name(name, entries, entry),
            Foreign::List(items) => {
                let is_set = |item: &Foreign| matches!(item, Foreign::List(_) | Foreign::Map(_));
                if !items.is_empty() && items.iter().all(is_set) {
                    return self.one_of(name, items, entry);
                }
                items.into_iter().try_for_each(|item| self.add(name, item, entry))
            }
            Foreign::Nothing => Ok(()),
            other @ Foreign::Text(_) => Err(unknown(name, &other)),
        }
    }

    fn one_of(&mut self, name: &str, mut sets: Vec<Foreign>, entry: usize) -> NodeResult<()> {
        let count = sets.len();
        if entry >= count {
            return Err(fail("import_content", format!("{name} has {count} sets, and number {entry} was asked for"))
                .with_help(format!("give `entry:` from 0 to {}", count - 1)));
        }
        match sets.swap_remove(entry) {
            Foreign::List(items) => items.into_iter().try_for_each(|item| self.add(name, item, 0)),
            other => self.add(name, other, 0),
        }
    }

    fn by_name(&mut self, name: &str, entries: Vec<(String, Foreign)>, entry: usize) -> NodeResult<()> {
        let keys: Vec<String> = entries.iter().map(|(key, _)| key.clone()).collect();
        let mut found = false;
        for (key, value) in entries {
            let is = |names: &[&str]| names.contains(&key.to_lowercase().as_str());
            let was = found;
            found = true;
            if is(&IMAGES) {
                self.set_images(name, array(name, &key, value)?)?;
            } else if is(&LABELS) {
                self.set_labels(name, array(name, &key, value)?)?;
            } else if is(&LEARNING_RATE) {
                let number = value.number().ok_or_else(|| unknown(&format!("{name}, `{key}`"), &value))?;
                self.set_learning_rate(name, number)?;
            } else if is(&CLASS_NAMES) && value.texts().is_some() {
                self.class_names = value.texts();
            } else if key == EXPERIMENTS {
                self.add(name, value, entry)?;
            } else {
                found = was;
            }
        }
        if found {
            return Ok(());
        }
        Err(fail("import_content", format!("{name} has nothing that is called images or labels: {}", keys.join(", ")))
            .with_help("call the arrays `images` and `labels`, and a learned learning rate `lr`"))
    }

    /// Of an array without a name its form decides what it is.
    fn by_form(&mut self, name: &str, array: Array) -> NodeResult<()> {
        match (array.shape().len(), array.number().is_whole()) {
            (3..=5, _) => self.set_images(name, array),
            (1, true) | (2, _) => self.set_labels(name, array),
            (0 | 1, false) if array.elements() == 1 => self.set_learning_rate(name, array.to_f64()[0]),
            _ => Err(unknown(name, &Foreign::Array(array))),
        }
    }

    fn set_images(&mut self, name: &str, array: Array) -> NodeResult<()> {
        if self.images.is_some() {
            return Err(twice(name, "images"));
        }
        self.images = Some(array);
        Ok(())
    }

    fn set_labels(&mut self, name: &str, array: Array) -> NodeResult<()> {
        if self.labels.is_some() {
            return Err(twice(name, "labels"));
        }
        self.labels = Some(array);
        Ok(())
    }

    fn set_learning_rate(&mut self, name: &str, number: f64) -> NodeResult<()> {
        if self.learning_rate.is_some() {
            return Err(twice(name, "a learning rate"));
        }
        if !(number.is_finite() && number > 0.0) {
            return Err(fail("import_content", format!("{name} has the learning rate {number}"))
                .with_help("leave it out, and give `recipe: { lr: ... }`"));
        }
        self.learning_rate = Some(number);
        Ok(())
    }
}

fn array(name: &str, key: &str, value: Foreign) -> NodeResult<Array> {
    match value {
        Foreign::Array(array) => Ok(array),
        other => Err(unknown(&format!("{name}, `{key}`"), &other)),
    }
}

fn twice(name: &str, what: &str) -> NodeError {
    fail("import_content", format!("{name} has {what}, which came before already"))
        .with_help("name the files of one set; several sets are imported by a node each")
}

fn unknown(name: &str, found: &Foreign) -> NodeError {
    let message = format!("{name} holds {}, which is no part of a set", found.shown());
    fail("import_content", message).with_help(
        "a set has images `[n, channel, row, column]`, labels `[n]` or `[n, class]`, and possibly a learning rate",
    )
}
