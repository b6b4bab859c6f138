//! Files that are no pipelines: bounded time and memory, a clear text, never a panic.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use pddflow_pipeline::{Options, PipelineFile, load};
use proptest::prelude::*;

use crate::catalog::{Kinds, meaning, problems};
use crate::example::EXAMPLE;

/// Generous: these run unoptimised on a busy machine; without limits they would take minutes or all memory.
const LIMIT: Duration = Duration::from_secs(20);

fn first_line(text: &str) -> String {
    let started = Instant::now();
    let problems = problems(text);
    assert!(started.elapsed() < LIMIT, "took {:?}", started.elapsed());
    problems.lines().next().unwrap().to_owned()
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = String::from("format: 1\nparams:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("  a{level}: &a{level} [{below}]\n"));
    }
    assert_snapshot!(first_line(&text), @"error[pddflow::pipeline::yaml_limit]: with its aliases written out, this has more than 2000000 values");
}

#[test]
fn alias_bombs_of_text_are_refused() {
    let long = "x".repeat(1 << 20);
    let aliases = vec!["*a"; 100_000].join(", ");
    assert_snapshot!(first_line(&format!("format: 1\nparams:\n  a: &a {long}\n  b: [{aliases}]\n")), @"error[pddflow::pipeline::yaml_limit]: with its aliases written out, this has more than 2000000 values");
}

#[test]
fn merge_bombs_are_refused() {
    let keys: Vec<String> = (0..5_000).map(|key| format!("k{key}: 1")).collect();
    let merges: Vec<String> = (0..5_000).map(|key| format!("  m{key}: {{ <<: *a }}\n")).collect();
    let text = format!("format: 1\nparams:\n  a: &a {{ {} }}\n{}", keys.join(", "), merges.concat());
    assert_snapshot!(first_line(&text), @"error[pddflow::pipeline::yaml_limit]: `<<` copies more than 100000 keys");
}

#[test]
fn expression_bombs_are_refused() {
    let mut text = String::from("format: 1\nparams:\n  a0: [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let below = vec![format!("a{}", level - 1); 9].join(", ");
        text.push_str(&format!("  a{level}: \"${{[{below}]}}\"\n"));
    }
    text.push_str("nodes: { t: { kind: twin } }\n");
    assert_snapshot!(first_line(&text), @"error[pddflow::pipeline::expression_value]: the value has more than 100000 items and bytes, or more than 48 levels");
    let many = vec!["'${a}'"; 100_000].join(", ");
    let long = "x".repeat(90_000);
    let text = format!("format: 1\nparams:\n  a: {long}\n  b: [{many}]\nnodes: {{ t: {{ kind: twin }} }}\n");
    assert_snapshot!(first_line(&text), @"error[pddflow::pipeline::plan_limit]: the values of all nodes together have more than 536870912 bytes");
}

#[test]
fn a_long_chain_of_parameters_is_refused() {
    let chain: Vec<String> = (0..100_000).map(|at| format!("  p{at}: \"${{[p{}]}}\"\n", at + 1)).collect();
    let text = format!("format: 1\nparams:\n{}  p100000: 1\nnodes: {{ t: {{ kind: twin }} }}\n", chain.concat());
    assert_snapshot!(first_line(&text), @"error[pddflow::pipeline::plan_limit]: more than 200 parameters read each other in a chain");
}

#[test]
fn deep_nesting_is_refused() {
    assert_snapshot!(first_line(&format!("a: {}", "[".repeat(100_000))), @"error[pddflow::pipeline::yaml_limit]: values are nested more than 40 levels deep");
    let blocks: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_snapshot!(first_line(&blocks), @"error[pddflow::pipeline::yaml_limit]: values are nested more than 40 levels deep");
    let mut chain = String::from("format: 1\nparams:\n  a0: &a0 [x]\n");
    for level in 1..100 {
        chain.push_str(&format!("  a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_snapshot!(first_line(&chain), @"error[pddflow::pipeline::yaml_limit]: values are nested more than 40 levels deep");
}

#[test]
fn endless_axes_are_refused() {
    let axes: Vec<String> = (0..12).map(|axis| format!("a{axis}: 0..1000")).collect();
    let family =
        |rest: &str| format!("format: 1\nnodes:\n  t:\n    kind: twin\n    for: {{ {}{rest} }}\n", axes.join(", "));
    assert_snapshot!(first_line(&family("")), @"error[pddflow::pipeline::plan_limit]: the plan has more than 100000 nodes");
    assert_snapshot!(first_line(&family(", z: []")), @"error[pddflow::pipeline::plan_limit]: the axes have more than 1000000 combinations");
    assert_snapshot!(first_line(&format!("{}    exclude: '${{true}}'\n", family(""))), @"error[pddflow::pipeline::plan_limit]: the axes have more than 1000000 combinations");
    let many: Vec<String> = (0..5_000).map(|axis| format!("a{axis}: [1]")).collect();
    let text = format!("format: 1\nnodes:\n  t:\n    kind: twin\n    for: {{ {} }}\n", many.join(", "));
    assert_snapshot!(first_line(&text), @"error[pddflow::pipeline::plan_limit]: a family has at most 16 axes");
}

#[test]
fn endless_edges_are_refused() {
    let text = "format: 1\nnodes:\n  d: { kind: dataset, with: { source: x } }\n  e:\n    for: { k: 0..5000 }\n    kind: export\n    needs: { items: d, notes: 'e[..${k}]' }\n";
    assert_snapshot!(first_line(text), @"error[pddflow::pipeline::plan_limit]: the plan has more than 4000000 edges (in `e[2827]`)");
}

#[test]
fn many_problems_are_shown_in_part() {
    let nodes: Vec<String> = (0..20_000).map(|node| format!("  n{node}: {{ kind: nothing }}\n")).collect();
    let text = format!("format: 1\nnodes:\n{}", nodes.concat());
    let started = Instant::now();
    let problems = problems(&text);
    assert!(started.elapsed() < LIMIT);
    assert!(problems.contains("(19800 further problems are not shown)"));
}

#[test]
fn control_characters_are_refused() {
    assert_snapshot!(first_line("format: 1\nname: a\u{0}b\n"), @"error[pddflow::pipeline::yaml_syntax]: unexpected character: `\\u{0}'");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("quick.yaml"), "format: 1\n").unwrap();
    fs_err::write(folder.path().join("latin.yaml"), b"format: 1\nname: caf\xe9\n").unwrap();
    let big = fs_err::File::create(folder.path().join("big.yaml")).unwrap();
    big.set_len(100 << 20).unwrap();
    let shown = |name: &str| {
        let started = Instant::now();
        let path = folder.path().join(name);
        let problems = load(&path, &Kinds::new(), &Options::default()).unwrap_err().render();
        assert!(started.elapsed() < LIMIT);
        assert!(PipelineFile::read(&path).is_err());
        problems.replace(&folder.path().display().to_string(), "DIR")
    };
    assert_snapshot!(shown("quik.yaml"), @r#"
    error[pddflow::pipeline::unreadable_file]: the pipeline cannot be read: there is no such file
     --> DIR/quik.yaml:1:1
      = help: did you mean `DIR/quick.yaml`?
    "#);
    assert_snapshot!(shown(""), @r#"
    error[pddflow::pipeline::unreadable_file]: the pipeline cannot be read: it is a folder, not a file
     --> DIR/:1:1
      = help: pipelines there: big.yaml, latin.yaml, quick.yaml
    "#);
    assert_snapshot!(shown("latin.yaml"), @r#"
    error[pddflow::pipeline::not_utf8]: the file is not UTF-8 text
     --> DIR/latin.yaml:2:10
      |
    2 | name: caf�
      |          ^
      = help: save it as UTF-8; if it is UTF-16 or Latin-1, convert it with iconv
    "#);
    assert_snapshot!(shown("big.yaml"), @r#"
    error[pddflow::pipeline::file_too_large]: the file is larger than 16 MiB
     --> DIR/big.yaml:1:1
      = help: is this a pipeline? Use `for` families instead of repeated nodes
    "#);
}

#[test]
fn plugins_are_known_before_their_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs_err::write(&path, "format: 1\nplugins: [a.so, ../b.so]\nnodes: { x: { kind: from_a } }\n").unwrap();
    assert_eq!(
        PipelineFile::read(&path).unwrap().plugin_files(),
        [folder.path().join("a.so"), folder.path().join("../b.so")]
    );
}

#[test]
fn byte_order_mark_and_carriage_returns_are_accepted() {
    let text = format!("\u{feff}{}", EXAMPLE.replace('\n', "\r\n"));
    let plan = Kinds::new().plan(&text, &Options::default()).unwrap();
    assert_eq!(meaning(plan), meaning(crate::catalog::plan(EXAMPLE)));
}

proptest! {
    #[test]
    fn any_text_gives_a_plan_or_problems(text in r#"[ \n\ta-f0-9:,\-\[\]{}$&*!#'"|>%@.=]{0,120}"#) {
        if let Err(problems) = Kinds::new().plan(&text, &Options::default()) {
            prop_assert!(!problems.is_empty());
            let _ = problems.render();
        }
    }

    #[test]
    fn a_damaged_example_gives_a_plan_or_problems(
        at in 0..EXAMPLE.len(), length in 0_usize..12, insert in r#"[ \n\ta-f0-9:,\-\[\]{}$&*!#'"|>%@.=]{0,6}"#,
    ) {
        let end = (at + length).min(EXAMPLE.len());
        let text = format!("{}{insert}{}", &EXAMPLE[..at], &EXAMPLE[end..]);
        if let Err(problems) = Kinds::new().plan(&text, &Options::default()) {
            for problem in &problems {
                prop_assert!(problem.code().starts_with("pddflow::pipeline::"));
                prop_assert!(problem.help().is_some_and(|help| !help.is_empty()), "{}", problem.render());
                prop_assert!(problem.line() >= 1 && problem.column() >= 1);
            }
        }
    }
}
