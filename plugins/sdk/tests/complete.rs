//! The SDK has what the C header has.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::Path;

/// What Rust does in another way.
const OTHERWISE: [(&str, &str); 4] = [
    ("core", "supports"), // operations are functions here; one that the host lacks is an error of its own
    ("arena", "open_scope"), // a tensor is released when its last clone is dropped
    ("arena", "close_scope"), // likewise
    ("distill", "problem"), // given with the iteration
];

#[test]
fn every_function_of_the_host_has_its_like_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let host = fs_err::read_to_string(folder.join("../abi/src/host.rs")).unwrap();
    let sources: String = fs_err::read_dir(folder.join("src"))
        .unwrap()
        .map(|entry| fs_err::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    // `host!(call, group: GroupGroup, function(` wherever the line breaks are.
    let squeezed: String = sources.split_whitespace().collect();
    let (mut missing, mut found) = (Vec::new(), 0);
    for group in host.split("pub struct ").skip(1) {
        let Some((name, body)) = group.split_once("Group {") else { continue };
        let fields = body.split_once("\n}").unwrap().0.lines().filter_map(|line| line.trim().strip_prefix("pub "));
        for function in fields.filter_map(|line| line.split_once(':')).filter(|(_, kind)| kind.contains("Option")) {
            let (group, function) = (name.to_lowercase(), function.0);
            found += 1;
            let used = squeezed.contains(&format!("{group}:{name}Group,{function}("));
            if used == OTHERWISE.contains(&(group.as_str(), function)) {
                missing.push(format!("{group}.{function}"));
            }
        }
    }
    assert!(found > 60, "the groups of the host are not found: {found}");
    assert!(missing.is_empty(), "not in the SDK, or no longer an exception: {missing:?}");
}
