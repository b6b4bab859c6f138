//! What a plan depends on, and what not.

use pddflow_pipeline::Options;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::catalog::{Kinds, ids, meaning, plan};
use crate::example::EXAMPLE;

/// A value written in flow style with the keys in the given rotation and with that much space.
fn written(value: &Value, rotate: usize, space: usize) -> String {
    let gap = " ".repeat(space);
    match value {
        Value::Object(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{gap}{key}: {gap}{}", written(value, rotate, space))).collect();
            let middle = if entries.is_empty() { 0 } else { rotate % entries.len() };
            entries.rotate_left(middle);
            format!("{{{}{gap}}}", entries.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, rotate, space)).collect();
            format!("[{gap}{}{gap}]", items.join(&format!("{gap},{gap} ")))
        }
        other => other.to_string(),
    }
}

/// The example as JSON, by the other YAML reader; the braces of its ranges are quoted for it.
fn example() -> Value {
    let text = EXAMPLE.replace("1..=${stages}", "\"1..=${stages}\"");
    serde_yaml::from_str::<Value>(&text).unwrap()
}

/// The example with nodes in the order of the file, everything else as `written` has it.
fn rewritten(rotate: usize, space: usize) -> String {
    let example = example();
    let nodes: Vec<String> = ["data", "start", "experts", "distill", "eval"]
        .iter()
        .map(|name| format!("  {name}:{}{}\n", " ".repeat(space + 1), written(&example["nodes"][name], rotate, space)))
        .collect();
    let params = written(&example["params"], rotate, space);
    format!("nodes:\n{}params: {params}\n# a comment\nformat: 1\nname: fashion-pdd-mtt\n", nodes.concat())
}

proptest! {
    #[test]
    fn a_plan_ignores_spacing_quotes_and_the_order_of_keys(rotate in 0_usize..7, space in 0_usize..4) {
        prop_assert_eq!(meaning(plan(&rewritten(rotate, space))), meaning(plan(EXAMPLE)));
    }

    #[test]
    fn scalars_are_read_as_the_other_reader_does(text in "[-+0-9.eExoab_~]{1,8}|true|False|null|NULL|0o17|-0x1|1e400") {
        let ours = Kinds::new().plan(
            &format!("format: 1\nparams: {{ p: {text} }}\nnodes: {{ t: {{ kind: twin }} }}\n"),
            &Options::default(),
        );
        let theirs = serde_yaml::from_str::<Map<String, Value>>(&format!("p: {text}\n"));
        // The other reader also knows the octal and underscored numbers of YAML 1.1, and infinities.
        let differs = text.contains('_') || text.starts_with("-0") || text.starts_with("+0") || text.starts_with('0');
        if let (Ok(ours), Ok(theirs), false) = (ours, theirs, differs) {
            prop_assert_eq!(&ours.params["p"], &theirs["p"], "{}", text);
        }
    }

    #[test]
    fn producers_come_first_and_ties_keep_their_order(edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..30)) {
        let mut text = String::from("format: 1\nnodes:\n");
        // A node needs nodes with a larger number, which are declared after it.
        for node in 0..12 {
            let needs: Vec<String> =
                edges.iter().filter(|(a, b)| a.min(b) == &node && a != b).map(|(a, b)| format!("n{}", a.max(b))).collect();
            text.push_str(&format!("  n{node}: {{ kind: export, needs: {{ items: t.left, notes: [{}] }} }}\n", needs.join(", ")));
        }
        text.push_str("  t: { kind: twin }\n");
        let plan = plan(&text);
        for (index, node) in plan.nodes.iter().enumerate() {
            prop_assert!(node.inputs.values().flatten().all(|input| input.node < index));
        }
        // A node that comes right after a later declared one had to wait for it.
        let number = |id: &str| id.trim_start_matches('n').parse::<usize>().unwrap_or(12);
        for (index, pair) in ids(&plan).windows(2).enumerate() {
            if number(pair[0]) > number(pair[1]) {
                prop_assert!(plan.nodes[index + 1].inputs.values().flatten().any(|input| input.node == index));
            }
        }
    }
}

#[test]
fn yaml_merge_keys_and_aliases_are_written_out() {
    let text = "format: 1\nparams:\n  base: &base { a: 1, b: [2] }\n  over: { <<: *base, a: 3 }\n  both: { <<: [*base, { c: 4 }] }\n  same: *base\nnodes: { t: { kind: twin } }\n";
    let params = plan(text).params;
    assert_eq!(params["over"], serde_json::json!({"a": 3, "b": [2]}));
    assert_eq!(params["both"], serde_json::json!({"a": 1, "b": [2], "c": 4}));
    assert_eq!(params["same"], params["base"]);
}

#[test]
fn integers_and_floats_stay_apart() {
    let params =
        plan("format: 1\nparams: { a: 1, b: 1.0, c: '${a * 1.0}', d: '${b}' }\nnodes: { t: { kind: twin } }\n").params;
    let written: Vec<String> = params.values().map(ToString::to_string).collect();
    assert_eq!(written, ["1", "1.0", "1.0", "1.0"]);
}
