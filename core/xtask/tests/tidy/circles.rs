//! No circles: the modules of a crate can be read one after the other, each after those whose items it names.

use super::Problems;
use super::modules::{self, Modules, Names};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The circles of every crate of the workspace.
pub(super) fn check(packages: &[Value]) -> Problems {
    packages.iter().flat_map(modules::roots).flat_map(|root| circles(&modules::read(&root))).collect()
}

/// A text for each set of modules that name each other in a loop: the files, and the names that tie them.
fn circles(modules: &Modules) -> Problems {
    let arrows = modules::arrows(modules);
    let reached = |from| {
        let (mut reached, mut left): (BTreeSet<&Names>, Vec<&Names>) = (BTreeSet::new(), vec![from]);
        while let Some(module) = left.pop() {
            let next = arrows.get(module).into_iter().flat_map(|to| to.keys().copied());
            left.extend(next.filter(|next| reached.insert(*next)));
        }
        reached
    };
    let reach: Vec<_> = modules.keys().map(|from| (from, reached(from))).collect();
    let mut told: BTreeSet<&Names> = BTreeSet::new();
    let mut problems = Problems::new();
    for (module, reached) in &reach {
        if !reached.contains(module) || told.contains(module) {
            continue;
        }
        let back = reach.iter().filter(|(other, back)| reached.contains(other) && back.contains(module));
        let circle: BTreeSet<_> = back.map(|(other, _)| *other).collect();
        told.extend(&circle);
        let mut text = format!("a circle of {} files; move what ties them to where both may look:", circle.len());
        for from in &circle {
            for (to, names) in arrows[from].iter().filter(|(to, _)| circle.contains(*to)) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let (from, to) = (modules[*from].file.display(), modules[*to].file.display());
                let _ = write!(text, "\n  {from} -> {to}: {}", names.join(", "));
            }
        }
        problems.push(text);
    }
    problems
}

/// The circles of a crate of these files.
fn of(files: &[(&str, &str)]) -> Problems {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    circles(&modules::read(&folder.path().join("lib.rs")))
}

#[test]
fn a_circle_is_told_with_the_names_that_tie_it() {
    let found = of(&[
        ("lib.rs", "mod a;\nmod b;\npub use b::B;"),
        ("a.rs", "use crate::B;\npub struct A(B);"),
        ("b/mod.rs", "mod inner;\npub use inner::B;"),
        ("b/inner.rs", "pub struct B;\nfn f() { vec![crate::a::A::new()]; }"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a circle of 2 files"), "{found:?}");
    assert!(found[0].contains("a.rs -> ") && found[0].contains("inner.rs: B"), "{found:?}");
    assert!(found[0].contains("inner.rs -> ") && found[0].contains("a.rs: A"), "{found:?}");
}

#[test]
fn a_parent_that_only_hands_on_is_in_no_circle() {
    let child = ("a.rs", "use super::Limit;\npub struct A(Limit);");
    assert_eq!(of(&[("lib.rs", "mod a;\npub use a::A;\npub struct Limit;"), child]), Problems::new());
    let found = of(&[("lib.rs", "mod a;\npub use a::A;\npub struct Limit;\nfn f(a: A) {}"), child]);
    assert_eq!(found.len(), 1);
    let found = of(&[("lib.rs", "mod a;\npub struct Limit;\nfn f() { a::run() }"), child]);
    assert_eq!(found.len(), 1);
}

#[test]
fn tests_and_comments_tie_nothing() {
    let a = "use crate::b::B;\n#[cfg(test)]\nuse crate::b::{C};\npub struct A;";
    let b = "pub struct B;\n/// [`crate::a::A`]\n// crate::a::A\nconst T: &str = \"crate::a::A\";\n\
             #[cfg(test)]\n#[expect(dead_code)]\nfn f<X, Y>() { crate::a::A }\n#[cfg(test)]\nmod tests { use crate::a::A; }";
    assert_eq!(of(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", a), ("b.rs", b)]), Problems::new());
}

#[test]
fn renamed_and_starred_names_lead_to_their_module() {
    let lib = ("lib.rs", "mod a;\nmod b;\nmod front { pub use crate::b::*; }");
    let found =
        of(&[lib, ("a.rs", "use super::b::{self as other, B as Bee};"), ("b.rs", "pub struct B(super::a::A);")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("b.rs: B, the module"), "{found:?}");
    let lib = ("lib.rs", "mod a;\nmod b;\npub use b::*;");
    let found = of(&[lib, ("a.rs", "pub struct A(crate::B);"), ("b.rs", "pub struct B(crate::a::A);")]);
    assert_eq!(found.len(), 1, "{found:?}");
}
