//! Families: their points, names, and the references to them.

use proptest::prelude::*;

use crate::catalog::{ids, plan, producers};

fn family(axes: &str, rest: &str) -> String {
    format!("format: 1\nparams: {{ n: 3 }}\nnodes:\n  f:\n    kind: twin\n    for: {axes}\n{rest}")
}

#[test]
fn axes_make_points_in_their_order() {
    let cases = [
        ("{ k: 1..4 }", "f[1] f[2] f[3]"),
        ("{ k: 1..=3 }", "f[1] f[2] f[3]"),
        ("{ k: -1..=1 }", "f[-1] f[0] f[1]"),
        ("{ k: 1..1 }", ""),
        ("{ k: 1..=0 }", ""),
        ("{ k: [] }", ""),
        ("{ k: 1..=${n - 1} }", "f[1] f[2]"),
        ("{ k: ['${n}', 1] }", "f[3] f[1]"),
        ("{ k: '${[n, n + 1]}' }", "f[3] f[4]"),
        ("{ m: [b, a] }", "f[m=b] f[m=a]"),
        ("{ lr: [0.1, 1e-3] }", "f[lr=0.1] f[lr=0.001]"),
        ("{ on: [true, false] }", "f[on=true] f[on=false]"),
        ("{ m: [b, a], k: 1..3 }", "f[m=b,k=1] f[m=b,k=2] f[m=a,k=1] f[m=a,k=2]"),
        ("{ i: 1..=3, j: 1..=${i} }", "f[i=1,j=1] f[i=2,j=1] f[i=2,j=2] f[i=3,j=1] f[i=3,j=2] f[i=3,j=3]"),
        ("{ m: ['a b', 'x,y', ''] }", r#"f[m="a b"] f[m="x,y"] f[m=""]"#),
    ];
    for (axes, expected) in cases {
        assert_eq!(ids(&plan(&family(axes, ""))).join(" "), expected, "{axes}");
    }
}

#[test]
fn excluded_points_are_left_out() {
    let cases = [
        ("{ m: a, k: 2 }", "f[m=a,k=1] f[m=b,k=1] f[m=b,k=2]"),
        ("[{ m: a }]", "f[m=b,k=1] f[m=b,k=2]"),
        ("[{ m: a, k: [1, 7] }, { m: b, k: 1 }]", "f[m=a,k=2] f[m=b,k=2]"),
        ("'${m == \"b\" and k > 1}'", "f[m=a,k=1] f[m=a,k=2] f[m=b,k=1]"),
        ("{ k: '${n - 2}' }", "f[m=a,k=2] f[m=b,k=2]"),
        ("[]", "f[m=a,k=1] f[m=a,k=2] f[m=b,k=1] f[m=b,k=2]"),
    ];
    for (exclude, expected) in cases {
        let text = family("{ m: [a, b], k: 1..3 }", &format!("    exclude: {exclude}\n"));
        assert_eq!(ids(&plan(&text)).join(" "), expected, "{exclude}");
    }
}

#[test]
fn references_mean_instances() {
    let cases = [
        ("{ k: 1..=4 }", "f[3]", "f[3]"),
        ("{ k: 1..=4 }", "f[k=3]", "f[3]"),
        ("{ k: 1..=4 }", "f[..3]", "f[1] f[2]"),
        ("{ k: 1..=4 }", "f[..=3]", "f[1] f[2] f[3]"),
        ("{ k: 1..=4 }", "f[3..]", "f[3] f[4]"),
        ("{ k: 1..=4 }", "f[2..4]", "f[2] f[3]"),
        ("{ k: 1..=4 }", "f[..]", "f[1] f[2] f[3] f[4]"),
        ("{ k: 1..=4 }", "f[*]", "f[1] f[2] f[3] f[4]"),
        ("{ k: 1..=4 }", "f[..1]", ""),
        ("{ k: [3, 1, 2] }", "f[1..3]", "f[1] f[2]"),
        ("{ m: [a, b] }", "f[b]", "f[m=b]"),
        ("{ m: [a, b] }", "f[m=b]", "f[m=b]"),
        ("{ m: ['x,y', b] }", "f[\\\"x,y\\\"]", r#"f[m="x,y"]"#),
        ("{ lr: [0.1, 0.001] }", "f[1e-3]", "f[lr=0.001]"),
        ("{ m: [a, b], k: 1..3 }", "f[m=a]", "f[m=a,k=1] f[m=a,k=2]"),
        ("{ m: [a, b], k: 1..3 }", "f[k=2, m=*]", "f[m=a,k=2] f[m=b,k=2]"),
        ("{ m: [a, b], k: 1..3 }", "f[k=..2,m=b]", "f[m=b,k=1]"),
        ("{ m: [a, b], k: 1..3 }", "f[*]", "f[m=a,k=1] f[m=a,k=2] f[m=b,k=1] f[m=b,k=2]"),
        ("{ k: 1..1 }", "f[..]", ""),
    ];
    for (axes, reference, expected) in cases {
        let reference = match reference.rsplit_once(']') {
            Some((front, _)) => format!("{front}].left"),
            None => reference.to_owned(),
        };
        let rest = format!(
            "  data: {{ kind: dataset, with: {{ source: x }} }}\n  e:\n    kind: export\n    needs: {{ items: data, notes: \"{reference}\" }}\n"
        );
        let plan = plan(&family(axes, &rest));
        assert_eq!(producers(&plan, "e", "notes").join(" "), expected, "{axes} {reference}");
    }
}

#[test]
fn references_can_be_computed() {
    let text = family(
        "{ k: 1..=3 }",
        "  e:\n    for: { k: 1..=3 }\n    kind: export\n    needs:\n      items: ['f[${k}].left', \"${if k > 1 then 'f[' + str(k - 1) + '].right' else null}\"]\n      notes: \"${if k == 3 then ['f[1].log', 'f[2].log'] else []}\"\n",
    );
    let plan = plan(&text);
    assert_eq!(producers(&plan, "e[1]", "items"), ["f[1]"]);
    assert_eq!(producers(&plan, "e[3]", "items"), ["f[3]", "f[2]"]);
    assert_eq!(producers(&plan, "e[3]", "notes"), ["f[1]", "f[2]"]);
    assert!(producers(&plan, "e[2]", "notes").is_empty());
}

#[test]
fn references_can_depend_on_conditions() {
    let text = family(
        "{ k: 1..=3 }",
        r#"  e:
    for: { k: 1..=3, on: [true, false] }
    kind: export
    needs:
      items: [{ if: "${k > 1}", then: "f[${k - 1}].right", else: "f[1].left" }, null]
      notes: { if: "${on}", then: ["f[..${k}].log", { if: "${k == 3}", then: "f[3].log" }] }
"#,
    );
    let plan = plan(&text);
    assert_eq!(producers(&plan, "e[k=1,on=true]", "items"), ["f[1]"]);
    assert_eq!(plan.node("e[k=1,on=true]").unwrap().inputs.get("items").unwrap()[0].output, "left");
    assert_eq!(producers(&plan, "e[k=3,on=true]", "items"), ["f[2]"]);
    assert_eq!(producers(&plan, "e[k=3,on=true]", "notes"), ["f[1]", "f[2]", "f[3]"]);
    assert!(producers(&plan, "e[k=1,on=true]", "notes").is_empty());
    assert!(!plan.node("e[k=2,on=false]").unwrap().inputs.contains_key("notes"));
}

#[test]
fn nodes_can_depend_on_conditions() {
    let text = |on: bool| {
        format!(
            r#"format: 1
params: {{ transition: {on} }}
nodes:
  data: {{ kind: dataset, with: {{ source: x }} }}
  start: {{ kind: advance, when: "${{transition}}", with: {{ model: mlp }} }}
  experts:
    for: {{ k: 1..=3 }}
    when: "${{k > 1}}"
    kind: train
    needs: {{ data: data, start: {{ if: "${{transition}}", then: start }} }}
    with: {{ model: mlp }}
"#
        )
    };
    assert_eq!(ids(&plan(&text(true))), ["data", "start", "experts[2]", "experts[3]"]);
    let off = plan(&text(false));
    assert_eq!(ids(&off), ["data", "experts[2]", "experts[3]"]);
    assert!(!off.node("experts[2]").unwrap().inputs.contains_key("start"));
}

#[test]
fn keys_of_parameters_can_be_computed() {
    let text = "format: 1\nnodes:\n  data: { kind: dataset, with: { source: x } }\n  d:\n    for: { matcher: [dm, mtt] }\n    kind: distill\n    needs: { data: data }\n    with: { ipc: 1, matcher: { '${matcher}': {} } }\n";
    let plan = plan(text);
    assert_eq!(plan.node("d[matcher=mtt]").unwrap().with["matcher"], serde_json::json!({"mtt": {}}));
}

#[test]
fn dollars_can_be_escaped() {
    let text =
        "format: 1\nparams: { a: 1 }\nnodes:\n  d: { kind: dataset, with: { source: 'x $${a} ${a} $a $${b' } }\n";
    assert_eq!(plan(text).node("d").unwrap().with["source"], "x ${a} 1 $a ${b");
}

#[test]
fn an_instance_name_is_a_reference_to_it() {
    let text = family("{ m: ['x=1', 'a..b', '*', ' ', ''], k: [1, 0.5, true] }", "");
    let names: Vec<String> = ids(&plan(&text)).iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), 15);
    let references: Vec<String> = names.iter().map(|name| format!("'{name}.left'")).collect();
    let plan = plan(&format!("{text}  e:\n    kind: export\n    needs: {{ items: [{}] }}\n", references.join(", ")));
    assert_eq!(producers(&plan, "e", "items"), names);
}

proptest! {
    #[test]
    fn a_product_has_the_size_of_its_factors(sizes in prop::collection::vec(0_usize..5, 1..5)) {
        let axes: Vec<String> = sizes.iter().enumerate().map(|(at, size)| format!("a{at}: 0..{size}")).collect();
        let plan = plan(&family(&format!("{{ {} }}", axes.join(", ")), ""));
        prop_assert_eq!(plan.nodes.len(), sizes.iter().product::<usize>());
        let unique: std::collections::HashSet<&str> = ids(&plan).into_iter().collect();
        prop_assert_eq!(unique.len(), plan.nodes.len());
    }

    #[test]
    fn slices_concatenate(first in -5_i64..5, length in 0_i64..12, cut in 0.0_f64..1.0) {
        let last = first + length;
        let middle = first + (cut * (length + 1) as f64) as i64;
        let export = |name: &str, reference: &str| {
            format!("  {name}: {{ kind: export, needs: {{ items: data, notes: {reference} }} }}\n")
        };
        let text = family(&format!("{{ k: {first}..{last} }}"), &format!(
            "  data: {{ kind: dataset, with: {{ source: x }} }}\n{}{}{}",
            export("all", "'f[*].log'"),
            export("parts", &format!("['f[..{middle}].log', 'f[{middle}..].log']")),
            export("named", &format!("['f[{first}..{middle}].log', 'f[{middle}..{last}].log']")),
        ));
        let plan = plan(&text);
        let all = producers(&plan, "all", "notes");
        prop_assert_eq!(all.len() as i64, length);
        prop_assert_eq!(&producers(&plan, "parts", "notes"), &all);
        prop_assert_eq!(&producers(&plan, "named", "notes"), &all);
    }

    #[test]
    fn excluded_and_kept_points_are_all_points(k in 1_usize..6, m in 1_usize..4, skip in 0_usize..6) {
        let axes = format!("{{ k: 0..{k}, m: 0..{m} }}");
        let condition = format!("k + m * 2 > {skip}");
        let kept = plan(&family(&axes, &format!("    exclude: '${{{condition}}}'\n")));
        let rest = plan(&family(&axes, &format!("    exclude: '${{not ({condition})}}'\n")));
        prop_assert_eq!(kept.nodes.len() + rest.nodes.len(), k * m);
    }
}
