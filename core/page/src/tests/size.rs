//! A page stays as small as it is asked to be, and says what it left out.

use super::scene::{Added, Scene, set};
use crate::DEFAULT_SIZE;
use serde_json::json;

/// A run with long logs and many images.
fn large() -> Scene {
    let mut scene = Scene::new("large");
    let log = format!("{}\n", "x".repeat(390)).repeat(300);
    let classes: Vec<String> = (0..20).map(|class| format!("class {class}")).collect();
    let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
    for at in 0..120 {
        let (id, axes) = (format!("n[{at}]"), json!([["at", at]]));
        let outputs = vec![("set", "set", set("dm", &classes, 1, 30))];
        scene.add(Added { id: &id, kind: "distill", axes, log: &log, outputs, ..Added::default() });
    }
    scene
}

#[test]
fn what_is_left_out_is_said() {
    let scene = large();
    for most in [DEFAULT_SIZE, 600_000] {
        let page = scene.page_of_at_most(most);
        assert!(page.html.len() <= most, "{} bytes", page.html.len());
        assert!(!page.left_out.is_empty());
        assert!(page.html.contains("Not everything is shown"));
        for sentence in &page.left_out {
            assert!(page.html.contains(sentence), "{sentence}");
        }
    }
    let said = scene.page_of_at_most(DEFAULT_SIZE).left_out.join(" ");
    assert!(said.contains("of 120 image grids are shown"), "{said}");
}

#[test]
fn a_small_run_is_shown_whole() {
    let mut scene = Scene::new("small");
    scene.add(Added {
        outputs: vec![("set", "set", set("dm", &["a", "b"], 1, 2))],
        log: "one\ntwo",
        ..Added::default()
    });
    let page = scene.page_of_at_most(DEFAULT_SIZE);
    assert_eq!(page.left_out, Vec::<String>::new());
    assert!(page.html.contains("one\ntwo"));
    assert_eq!(scene.page_of_at_most(DEFAULT_SIZE), page, "the same run gives the same page");
}
