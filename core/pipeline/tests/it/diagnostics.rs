//! One example of every diagnostic, as a person reads it.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use pddflow_pipeline::Options;

use crate::catalog::{Kinds, problems};

/// A pipeline with a `data` node and more.
fn with_data(nodes: &str) -> String {
    format!(
        "format: 1\nparams: {{ stages: 3, seed: 0, widths: [8, 16] }}\nnodes:\n  data:\n    kind: dataset\n    with: {{ source: mnist }}\n{nodes}"
    )
}

macro_rules! shows {
    ($($law:ident: $text:expr;)*) => {
        $(#[test]
        fn $law() {
            assert_snapshot!(stringify!($law), problems(&$text));
        })*
    };
}

shows! {
    yaml_tab: "format: 1\nnodes:\n\tdata: 1\n";
    yaml_unclosed_list: "format: 1\nname: [a, b\nnodes: {}\n";
    yaml_brackets_unquoted: with_data("  e:\n    kind: evaluate\n    needs: { data: data, sets: distill[*] }\n");
    yaml_unclosed_quote: "format: 1\nname: \"abc\nnodes: {}\n";
    yaml_unknown_alias: "format: 1\nnodes: *none\n";
    yaml_alias_to_itself: "format: 1\nnodes: &a [*a]\n";
    yaml_tag: "format: !mine 1\n";
    yaml_second_document: "format: 1\n---\nformat: 1\n";
    yaml_key_is_a_list: "? [a, b]\n: 1\n";
    yaml_empty_key: "format: 1\n: 2\n";
    empty_file: "# nothing\n";
    top_level_is_a_list: "- a\n- b\n";
    duplicate_key: with_data("  data:\n    kind: dataset\n");
    unknown_top_level_key: "format: 1\nparam: {}\nnodes: { d: { kind: dataset, with: { source: x } } }\n";
    unknown_node_key: with_data("  d:\n    kind: dataset\n    wiht: { source: x }\n");
    missing_format: "name: x\nnodes: { d: { kind: dataset, with: { source: x } } }\n";
    newer_format: "format: 2\nnodes: { d: { kind: dataset, with: { source: x } } }\n";
    missing_nodes: "format: 1\n";
    empty_nodes: "format: 1\nnodes:\n";
    missing_kind: with_data("  d:\n    with: { source: x }\n");
    unknown_kind: with_data("  d:\n    kind: datset\n    with: { source: x }\n");
    wrong_types: "format: 1\nname: 3\nplugins: a.so\nparams: [1]\nprofiles: 4\nnodes: { d: { kind: [x], with: 3, needs: 4, for: k } }\n";
    invalid_names: "format: 1\nname: a/b\nparams: { batch-size: 1, if: 2 }\nnodes: { a.b: { kind: twin }, c: { for: { 2k: [1] }, kind: twin } }\n";
    not_a_number: "format: 1\nparams: { lr: .nan }\n";
    integer_too_large: "format: 1\nparams: { lr: 99999999999999999999 }\n";
    unknown_port: with_data("  e:\n    kind: export\n    needs: { item: data, items: data }\n");
    missing_input: with_data("  e:\n    kind: evaluate\n    needs: { data: data }\n    with: { model: mlp }\n");
    needs_without_ports: with_data("  e:\n    kind: export\n    needs: data\n");
    reference_to_nothing: with_data("  e:\n    kind: export\n    needs: { items: [dat, 3] }\n");
    reference_broken: with_data("  e:\n    kind: export\n    needs: { items: \"data[1\" }\n");
    reference_to_a_family: with_data("  f:\n    for: { k: 1..4 }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: f }\n");
    reference_indexes_a_node: with_data("  e:\n    kind: export\n    needs: { items: \"data[1]\" }\n");
    reference_to_a_missing_integer: with_data("  f:\n    for: { k: 1..4 }\n    kind: twin\n  e:\n    for: { k: 1..=5 }\n    kind: export\n    needs: { items: \"f[${k}].left\" }\n");
    reference_to_a_missing_value: with_data("  f:\n    for: { model: [convnet, mlp] }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: \"f[convnt].left\" }\n");
    reference_to_an_unknown_axis: with_data("  f:\n    for: { model: [convnet, mlp] }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: \"f[modle=mlp].left\" }\n");
    reference_without_axis_names: with_data("  f:\n    for: { model: [convnet, mlp], k: 1..3 }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: \"f[mlp].left\" }\n");
    reference_to_an_excluded_instance: with_data("  f:\n    for: { model: [convnet, mlp], k: 1..3 }\n    exclude: { model: mlp, k: 2 }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: \"f[model=mlp,k=2].left\" }\n");
    slice_of_texts: with_data("  f:\n    for: { model: [convnet, mlp] }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: \"f[1..2].left\" }\n");
    slice_out_of_bounds: with_data("  f:\n    for: { k: 1..4 }\n    kind: twin\n  e:\n    kind: export\n    needs: { items: \"f[1..=4].left\" }\n");
    empty_slice_for_a_required_input: with_data("  s:\n    for: { k: 1..=3 }\n    kind: twin\n  e:\n    for: { k: 1..=3 }\n    kind: export\n    needs: { items: \"s[..${k}].left\" }\n");
    too_many_for_one: with_data("  d:\n    for: { k: 1..=3 }\n    kind: dataset\n    with: { source: x }\n  e:\n    kind: train\n    needs: { data: \"d[*]\" }\n    with: { model: mlp }\n");
    wrong_artifact: with_data("  e:\n    kind: evaluate\n    needs: { data: data, sets: data }\n    with: { model: mlp }\n");
    wrong_artifact_named: with_data("  t:\n    kind: twin\n  e:\n    kind: evaluate\n    needs: { data: data, sets: t.log }\n    with: { model: mlp }\n");
    unknown_output: with_data("  e:\n    kind: export\n    needs: { items: data.dta }\n");
    ambiguous_output: with_data("  t:\n    kind: twin\n  e:\n    kind: export\n    needs: { items: t }\n");
    parameters: with_data("  x:\n    kind: dataset\n    with: { sorce: a, normalize: std }\n  y:\n    kind: distill\n    needs: { data: data }\n    with:\n      ipc: ten\n      matcher:\n        dm: { lr: fast }\n");
    parameter_of_a_family: with_data("  d:\n    for: { k: 1..=3 }\n    kind: dataset\n    with: { source: \"${k}\" }\n");
    parameter_without_with: with_data("  d:\n    kind: dataset\n");
    input_that_a_parameter_asks_for: with_data("  d:\n    for: { k: 1..=2 }\n    kind: distill\n    needs: { data: data, trajectories: { if: \"${k > 2}\", then: data } }\n    with: { ipc: 99, matcher: { mtt: {} } }\n  e:\n    kind: distill\n    needs: { data: data }\n    with: { ipc: 99, matcher: { mtt: {} } }\n");
    input_that_another_node_rules_out: with_data("  d:\n    for: { k: 1..=2 }\n    kind: distill\n    needs: { data: data }\n    with: { ipc: \"${k}\", matcher: { mtt: {} } }\n  e:\n    kind: distill\n    needs: { data: data, previous: \"d[*]\" }\n    with: { ipc: 98, matcher: { mtt: {} } }\n");
    expression_syntax: with_data("  d:\n    kind: dataset\n    with: { source: \"a${stages + }b\", normalize: \"${(1\" }\n");
    expression_unclosed: with_data("  d:\n    kind: dataset\n    with:\n      source: \"a${stages b\"\n");
    expression_unknown_name: with_data("  d:\n    kind: dataset\n    with: { source: \"x-${stagse}\" }\n");
    expression_unknown_function: with_data("  d:\n    kind: dataset\n    with: { source: \"x-${mx(1, 2)}\" }\n");
    expression_wrong_value: with_data("  d:\n    for: { k: 1..=3 }\n    kind: dataset\n    with: { source: \"${widths[k]}\", normalize: \"${'a' - 1}\" }\n");
    expression_list_in_text: with_data("  d:\n    kind: dataset\n    with: { source: \"a-${widths}\" }\n");
    expression_assignment: with_data("  d:\n    kind: dataset\n    with: { source: \"${if stages = 3 then 'a' else 'b'}\" }\n");
    parameters_in_a_circle: "format: 1\nparams:\n  a: ${b + 1}\n  b: ${c}\n  c: ${a}\nnodes: { t: { kind: twin } }\n";
    broken_parameter_is_reported_once: "format: 1\nparams: { a: \"${1 / 0}\", b: \"${a}\" }\nnodes: { t: { for: { k: \"1..${b}\" }, kind: twin }, e: { kind: export, needs: { items: \"t[1].left\" } } }\n";
    range_not_of_integers: with_data("  d:\n    for: { k: 1..many }\n    kind: twin\n");
    range_backwards: with_data("  d:\n    for: { k: 5..1 }\n    kind: twin\n");
    range_too_long: with_data("  d:\n    for: { k: 0..10000000 }\n    kind: twin\n");
    axis_is_a_number: with_data("  d:\n    for: { k: 3 }\n    kind: twin\n");
    axis_repeats_a_value: with_data("  d:\n    for: { k: [a, b, a] }\n    kind: twin\n");
    axis_of_lists: with_data("  d:\n    for: { k: [[1], [2]] }\n    kind: twin\n");
    exclude_without_for: with_data("  d:\n    kind: twin\n    exclude: { k: 1 }\n");
    exclude_mistakes: with_data("  d:\n    for: { model: [convnet, mlp] }\n    kind: twin\n    exclude: [{ modl: mlp }, { model: convnt }, 3]\n");
    reference_to_a_switched_off_node: with_data("  t: { kind: twin, when: \"${stages > 3}\" }\n  e:\n    kind: export\n    needs: { items: t.left }\n");
    condition_of_another_type: with_data("  t:\n    kind: twin\n    when: yes\n  e:\n    kind: export\n    needs: { items: { if: \"${stages}\", then: data } }\n");
    conditional_reference_mistakes: with_data("  e:\n    kind: export\n    needs:\n      items: { if: \"${stages > 1}\", than: data }\n      notes: [{ if: true, then: data, otherwise: data }, { if: true, then: dat }]\n");
    too_many_instances: with_data("  d:\n    for: { a: 0..1000, b: 0..1000 }\n    kind: twin\n");
    cycle: with_data("  a:\n    kind: export\n    needs: { items: data, notes: b }\n  b:\n    kind: export\n    needs: { items: data, notes: [data, c] }\n  c:\n    kind: export\n    needs: { items: data, notes: a }\n");
    cycle_of_one: with_data("  a:\n    for: { k: 1..=2 }\n    kind: export\n    needs: { items: data, notes: \"a[${k}]\" }\n");
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = problems(
        "format: 1\nnmae: x\nparams: { a: \"${b}\" }\nnodes:\n  d:\n    kind: datset\n  e:\n    kind: evaluate\n    needs: { data: dd, stes: d }\n    with: { model: 3 }\n",
    );
    let codes: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("error[")?.split(']').next()).collect();
    assert_eq!(
        codes,
        [
            "pddflow::pipeline::unknown_key",
            "pddflow::pipeline::unknown_name",
            "pddflow::pipeline::unknown_kind",
            "pddflow::pipeline::unknown_node",
            "pddflow::pipeline::unknown_port",
            "pddflow::pipeline::parameter",
        ],
        "{text}"
    );
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn every_code_has_an_example() {
    let codes = |folder: &str, extension: &str| {
        let files = files_below(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        let texts = files.iter().filter(|path| path.extension().is_some_and(|found| found == extension));
        let texts = texts.map(|path| fs_err::read_to_string(path).unwrap());
        let codes = texts.flat_map(|text| {
            let starts = text.split("pddflow::pipeline::").skip(1);
            let word = |rest: &str| {
                rest.split(|c: char| !c.is_ascii_lowercase() && c != '_' && c != '8').next().unwrap().to_owned()
            };
            starts.map(word).collect::<Vec<_>>()
        });
        codes.filter(|code| !code.is_empty()).collect::<BTreeSet<String>>()
    };
    let mut shown = codes("tests/it/snapshots", "snap");
    shown.append(&mut codes("tests/it", "rs"));
    let mut used = codes("src", "rs");
    assert!(used.len() > 30, "{used:?}");
    // Never shown: it stands for a problem that is reported elsewhere.
    used.remove("poisoned");
    let missing: Vec<&String> = used.difference(&shown).collect();
    assert!(missing.is_empty(), "codes without an example: {missing:?}");
}

#[test]
fn diagnostics_render_in_colour_terminals_too() {
    let text = with_data("  e:\n    kind: evaluate\n    needs: { data: dta, sets: data }\n    with: { model: mlp }\n");
    let problems = Kinds::new().plan(&text, &Options::default()).unwrap_err();
    let mut shown = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .render_report(&mut shown, &problems)
        .unwrap();
    assert_snapshot!(shown);
    let json = problems.iter().next().unwrap().to_json();
    assert_eq!(json["code"], "pddflow::pipeline::unknown_node");
    assert_eq!((json["line"].as_u64(), json["column"].as_u64()), (Some(9), Some(20)));
}

#[test]
fn names_that_fit_into_no_file_name_are_refused() {
    let long = "n".repeat(101);
    for text in [
        format!("format: 1\nname: {long}\nnodes:\n  a: {{ kind: dataset, with: {{ source: fashion-mini }} }}\n"),
        format!("format: 1\nnodes:\n  {long}: {{ kind: dataset, with: {{ source: fashion-mini }} }}\n"),
    ] {
        let found = problems(&text);
        assert!(found.contains("a name of 101 bytes cannot stand in the names of files"), "{found}");
    }
}
