//! Laws of keys, from the text of a pipeline: what enters and what does not.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

use pddflow_runner::cache::{Key, KeyPart, RamStore};
use pddflow_runner::pipeline::{Arity, Catalog, KindSpec, Options, ParamProblem, Plan, PortSpec, load_text};
use pddflow_runner::{Cancel, Inputs, Kinds, NodeContext, NodeError, Outputs, Settings, run};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One kind that takes anything; its output says what its parameters and inputs are.
struct Any(KindSpec);

impl Any {
    fn new() -> Self {
        let port =
            |name: &str, arity| PortSpec { name: name.into(), artifact: "text".into(), arity, summary: String::new() };
        Self(KindSpec {
            name: "any".into(),
            summary: String::new(),
            inputs: vec![port("one", Arity::Optional), port("many", Arity::Many)],
            outputs: vec![port("out", Arity::One)],
            parameters: || json!({"type": "object"}),
            seeded: true,
        })
    }
}

impl Catalog for Any {
    fn kinds(&self) -> Vec<&KindSpec> {
        vec![&self.0]
    }

    fn kind(&self, name: &str) -> Option<&KindSpec> {
        (name == self.0.name).then_some(&self.0)
    }

    fn check(&self, _: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        Ok(with.clone())
    }
}

impl Kinds for Any {
    fn key_parts(&self, _: pddflow_runner::Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![KeyPart::new("revision", json!(1))])
    }

    fn run(
        &self,
        node: pddflow_runner::Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let inputs: Vec<String> = inputs
            .0
            .iter()
            .map(|(port, all)| format!("{port} {:?}", all.iter().map(|one| one.digest).collect::<Vec<_>>()))
            .collect();
        let digest = context.put(format!("{} {inputs:?}", node.with).as_bytes())?;
        Ok(Outputs { artifacts: BTreeMap::from([("out".to_owned(), digest)]), metrics: BTreeMap::new() })
    }
}

fn plan(text: &str) -> Plan {
    load_text("test.yaml", text, &Any::new(), &Options::default()).unwrap_or_else(|found| panic!("{}", found.render()))
}

/// The key of every node, by its name.
fn keys(text: &str) -> BTreeMap<String, Key> {
    let (plan, settings) = (plan(text), Settings { journal: false, ..Settings::default() });
    let summary = run(&plan, &Any::new(), &RamStore::new(), &settings, &Cancel::new(), &|_| {}).unwrap();
    assert!(summary.succeeded());
    summary.nodes.iter().map(|node| (node.node.to_string(), node.key().unwrap())).collect()
}

fn set_of(keys: BTreeMap<String, Key>) -> BTreeSet<Key> {
    keys.into_values().collect()
}

const TEXT: &str = "format: 1
params: { n: 3, rate: 0.5 }
nodes:
  a: { kind: any, with: { x: 1, y: [1, 2.0, { deep: text }], z: null, on: true } }
  b:
    for: { k: 1..=${n} }
    kind: any
    needs: { one: a, many: \"b[..${k}]\" }
    with: { k: \"${k}\", rate: \"${rate}\", x: 1 }
  c: { kind: any, needs: { many: [\"b[3]\", a, \"b[1]\"] }, with: { seed: 7 } }
";

#[test]
fn keys_ignore_order_spacing_comments_and_quotes() {
    let other = "# a comment
nodes:
    c:
        with: {seed: 7}
        needs:
            many:
                - 'b[3]'
                - a   # in order
                - b[1]
        kind: any
    b:
        with: {x: 1, rate: 0.5, k: \"${ k }\"}
        kind: 'any'
        needs: {many: 'b[1..${k}]', one: \"a\"}
        for: {k: [1, 2, 3]}
    a:
        kind: any
        with: {on: true, \"z\": ~, y: [1, 2.0, {deep: text}], x: 0x1}
format: 1
";
    assert_eq!(keys(TEXT), keys(other));
}

#[test]
fn keys_ignore_the_names_of_nodes_and_parameters() {
    let other = TEXT
        .replace("  a:", "  first:")
        .replace("one: a,", "one: first,")
        .replace(", a,", ", first,")
        .replace("  b:", "  middle:")
        .replace("b[", "middle[")
        .replace("  c:", "  last:")
        .replace("rate: 0.5", "speed: 0.5")
        .replace("${rate}", "${speed}");
    assert_eq!(set_of(keys(TEXT)), set_of(keys(&other)));
}

#[test]
fn keys_ignore_settings_and_descriptions() {
    let other = TEXT.replace(
        "    kind: any\n",
        "    kind: any\n    description: what for\n    retries: 3\n    timeout: 1h\n    allow_failure: true\n    resources: { cpus: 1, gpus: 1 }\n    priority: 9\n",
    );
    assert_ne!(other, TEXT);
    assert_eq!(keys(TEXT), keys(&other));
}

#[test]
fn keys_ignore_how_a_pipeline_is_cut_into_files() {
    let folder = tempfile::tempdir().unwrap();
    let (head, tail) = TEXT.split_once("  c:").unwrap();
    fs_err::write(folder.path().join("part.yaml"), head).unwrap();
    let main = folder.path().join("main.yaml");
    let text = format!("format: 1\ninclude: part.yaml\nnodes:\n  c:{tail}");
    let plan = load_text(&main.to_string_lossy(), &text, &Any::new(), &Options::default()).unwrap();
    let settings = Settings { journal: false, ..Settings::default() };
    let summary = run(&plan, &Any::new(), &RamStore::new(), &settings, &Cancel::new(), &|_| {}).unwrap();
    let cut: BTreeSet<Key> = summary.nodes.iter().map(|node| node.key().unwrap()).collect();
    assert_eq!(cut, set_of(keys(TEXT)));
}

/// Every scalar of a value, as pointers.
fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| scalars(value, &format!("{at}/{key}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| scalars(value, &format!("{at}/{index}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

fn one_node(with: &Value) -> Key {
    keys(&format!("format: 1\nnodes: {{ a: {{ kind: any, with: {with} }} }}\n"))["a"]
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-50_i64..50).prop_map(Value::from),
        (-50_i32..50).prop_map(|number| json!(f64::from(number) / 8.0)),
        "[a-z ]{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_key_changes_with_every_parameter(with in prop::collection::btree_map("[a-z]{2,5}", value(), 1..5)) {
        let with = json!(with);
        let key = one_node(&with);
        let mut found = Vec::new();
        scalars(&with, "", &mut found);
        for pointer in found {
            for other in [json!("something else"), json!(1234.5), json!([]), json!({})] {
                let mut changed = with.clone();
                *changed.pointer_mut(&pointer).unwrap() = other;
                prop_assert_ne!(one_node(&changed), key, "{}", pointer);
            }
        }
        let mut more = with.clone();
        more.as_object_mut().unwrap().insert("zzzzzz".into(), Value::Null);
        prop_assert_ne!(one_node(&more), key);
        prop_assert_eq!(one_node(&with), key);
    }

    #[test]
    fn integers_and_floats_and_texts_have_keys_of_their_own(number in -1000_i64..1000) {
        let values = [json!(number), json!(number as f64), json!(number.to_string()), json!([number])];
        let keys: BTreeSet<Key> = values.iter().map(|value| one_node(&json!({"x": value}))).collect();
        prop_assert_eq!(keys.len(), values.len());
    }

    #[test]
    fn the_order_of_inputs_enters_and_the_order_of_ports_does_not(order in Just(vec![1, 2, 3]).prop_shuffle()) {
        let many: Vec<String> = order.iter().map(|k| format!("\"b[{k}]\"")).collect();
        let text = |needs: &str| format!("{TEXT}  d: {{ kind: any, needs: {needs} }}\n");
        let ordered = keys(&text("{ one: a, many: [\"b[1]\", \"b[2]\", \"b[3]\"] }"))["d"];
        let shuffled = keys(&text(&format!("{{ many: [{}], one: a }}", many.join(", "))))["d"];
        prop_assert_eq!(ordered == shuffled, order == vec![1, 2, 3]);
    }
}
