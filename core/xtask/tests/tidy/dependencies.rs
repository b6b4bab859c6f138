//! `[workspace.dependencies]` of the root: pinned, and each with its reason.

use super::Problems;

pub(super) fn check(text: &str) -> Problems {
    let mut problems = Problems::new();
    let (mut inside, mut explained) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let place = format!("Cargo.toml:{}", index + 1);
        match line.trim() {
            header if header.starts_with('[') => inside = header == "[workspace.dependencies]",
            "" => explained = false,
            comment if comment.starts_with('#') => explained = true,
            entry if inside => {
                let name = entry.split([' ', '=']).next().unwrap_or_default();
                if !explained && !entry.contains('#') {
                    problems.push(format!("{place}: `{name}` has no comment that gives its reason"));
                }
                if !entry.contains("path = ") && !entry.contains("\"=") {
                    problems.push(format!("{place}: `{name}` is not pinned (\"=x.y.z\")"));
                }
            }
            _ => {}
        }
    }
    problems
}

#[test]
fn a_dependency_without_reason_or_pin_is_found() {
    let text =
        "[workspace.dependencies]\n# Why.\na = \"=1.0.0\"\n\nb = \"=1.0.0\"\nc = \"1\" # why\n\n[other]\nd = \"1\"\n";
    let found = check(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`b` has no comment") && found[1].contains("`c` is not pinned"));
}
