//! Plugin choices as labels: `resnet depth=10` where choices of one plugin differ, `resnet` where they do not.

use std::collections::{BTreeMap, BTreeSet};

use pddflow_artifact::TIME_LABELS;
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::suggestion;
use serde_json::{Map, Value};

use super::{Observation, shown};
use pddflow_artifact::{JOINT, Names};

/// For each label, the parameters in which the observations' choices of one plugin differ.
#[derive(Debug, Default)]
pub(crate) struct ChoiceLabels {
    differing: BTreeMap<(String, String), BTreeSet<String>>,
}

impl ChoiceLabels {
    /// What must be shown of the named labels to tell these observations apart.
    pub(crate) fn of<'a>(observations: impl IntoIterator<Item = &'a Observation<'a>>, names: &[&str]) -> Self {
        let mut configs: BTreeMap<(String, String), Vec<Map<String, Value>>> = BTreeMap::new();
        for observation in observations {
            for name in names {
                let Some((plugin, config)) = observation.value(name).as_ref().and_then(choice) else { continue };
                let seen = configs.entry(((*name).to_owned(), plugin)).or_default();
                if !seen.contains(&config) {
                    seen.push(config);
                }
            }
        }
        let differing = configs.into_iter().map(|(place, configs)| (place, differences(&configs))).collect();
        Self { differing }
    }

    /// A label's value as it is shown.
    pub(crate) fn text(&self, name: &str, value: &Value) -> String {
        let Some((plugin, config)) = choice(value) else { return shown(value) };
        let Some(differing) = self.differing.get(&(name.to_owned(), plugin.clone())) else { return plugin };
        let given = differing.iter().filter_map(|name| Some(format!(" {name}={}", shown(config.get(name)?))));
        given.fold(plugin, |text, part| text + &part)
    }
}

impl Observation<'_> {
    /// The values of several labels as one text; `choices` says what of a plugin choice is shown.
    pub(crate) fn text(&self, names: &Names, choices: &ChoiceLabels) -> NodeResult<String> {
        let text = |name: &String| {
            self.value(name).map(|value| choices.text(name, &value)).ok_or_else(|| {
                let labels = self.result.label_names();
                let known: Vec<&str> = labels.iter().map(String::as_str).chain(TIME_LABELS).collect();
                fail("no_label", format!("a result of `{}` has no label `{name}`", self.result.method))
                    .with_help(suggestion(name, &known))
            })
        };
        Ok(names.0.iter().map(text).collect::<NodeResult<Vec<String>>>()?.join(JOINT))
    }
}

/// A plugin's id and parameters, if the value is a choice of one.
fn choice(value: &Value) -> Option<(String, Map<String, Value>)> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let (plugin, config) = map.iter().next()?;
    Some((plugin.clone(), config.as_object().cloned().unwrap_or_default()))
}

fn differences(configs: &[Map<String, Value>]) -> BTreeSet<String> {
    let names: BTreeSet<&String> = configs.iter().flat_map(Map::keys).collect();
    let differs = |name: &&String| configs.iter().any(|config| config.get(*name) != configs[0].get(*name));
    names.into_iter().filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::observe;
    use crate::observe::tests::result;

    #[test]
    fn a_choice_is_shown_with_what_differs() {
        let resnet = |depth: u64| json!({ "model": { "resnet": { "depth": depth, "width": 64 } } });
        let convnet = json!({ "model": { "convnet": { "width": 128 } } });
        let results = [
            result("MTT", resnet(10), &[0.5], &[]),
            result("MTT", resnet(18), &[0.5], &[]),
            result("MTT", convnet, &[0.5], &[]),
        ];
        let observations = observe(&results, &["model"], "reported").unwrap();
        let choices = ChoiceLabels::of(&observations, &["model"]);
        let names = Names::one("model");
        let texts: Vec<String> = observations.iter().map(|one| one.text(&names, &choices).unwrap()).collect();
        assert_eq!(texts, ["resnet depth=10", "resnet depth=18", "convnet"]);
    }
}
