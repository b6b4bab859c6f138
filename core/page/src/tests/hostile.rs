//! Whatever a name, a label or a log says, it stays text.

use super::scene::{Added, Scene, results, set, table};
use base64::Engine as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>]]>--><!--\u{202e}</style></title>\u{0}\u{1b}[31m";

/// A run in which everything that a user can name has a hostile name.
fn scene() -> Scene {
    let mut scene = Scene::new(HOSTILE);
    scene.run.head.tags = vec![HOSTILE.into()];
    scene.run.head.params.insert(HOSTILE.into(), HOSTILE.into());
    scene.run.warnings = vec![HOSTILE.into()];
    let data = scene.add(Added { id: HOSTILE, family: HOSTILE, log: HOSTILE, ..Added::default() });
    scene.add(Added {
        id: "set",
        family: HOSTILE,
        kind: "distill",
        with: json!({ HOSTILE: HOSTILE }),
        needs: &[("data", data)],
        outputs: vec![
            ("set", "set", set(HOSTILE, &[HOSTILE, "b"], 1, 2)),
            (
                "curve",
                "curve",
                format!(
                    "{{\"artifact\":\"curve\",\"version\":1,\"series\":{{{}:[[0,1.0],[1,2.0],[2,3.0]]}}}}",
                    json!(HOSTILE)
                )
                .into_bytes(),
            ),
        ],
        ..Added::default()
    });
    let labels = json!({ "ipc": HOSTILE, "training": HOSTILE, HOSTILE: HOSTILE });
    let moments: &[(usize, usize, u64, &[f64])] =
        &[(1, 1, 1, &[0.1, 0.2]), (1, 1, 2, &[0.2, 0.3]), (2, 2, 3, &[0.3, 0.3])];
    scene.add(Added {
        id: "eval",
        kind: "evaluate",
        outputs: vec![("results", "results", results(HOSTILE, labels, moments))],
        ..Added::default()
    });
    let file = json!({
        "format": 3, "title": HOSTILE, "rows": { "label": HOSTILE, "values": [{ "label": HOSTILE, "reading": HOSTILE }] },
        "columns": { "label": HOSTILE, "values": [HOSTILE] },
        "cells": [{ "row": HOSTILE, "column": HOSTILE, "mean": 1.0, "std_between_seeds": null, "std_between_nets": 1.0,
                    "seeds": 1, "nets": 2, "readings": [HOSTILE] }],
        "published": [{ "row": HOSTILE, "column": HOSTILE, "mean": 2.0, "std": null, "text": HOSTILE, "source": HOSTILE,
                        "reading": HOSTILE }],
    });
    scene.add(Added {
        id: "table",
        kind: "table",
        outputs: vec![("table", "table", table(&file))],
        ..Added::default()
    });
    scene.fail(HOSTILE, HOSTILE);
    scene
}

#[test]
fn names_labels_and_logs_stay_text() {
    let html = scene().html();
    let count = |part: &str| html.matches(part).count();
    assert_eq!(
        (count("<script"), count("</script"), count("<style"), count("</style"), count("<title>")),
        (1, 1, 1, 1, count("</title>"))
    );
    for part in ["alert(1)</", "<img", "onerror=alert(2)>", "\u{202e}", "\u{0}", "\u{1b}", "<!--"] {
        assert_eq!(count(part), 0, "{part}");
    }
    assert!(count("alert(1)") > 20, "the names are shown: {}", count("alert(1)"));
}

#[test]
fn the_policy_allows_the_page_s_own_script_and_style_and_no_request() {
    let html = scene().html();
    let policy = html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.contains("default-src 'none'") || policy.contains("default-src &#39;none&#39;"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for tag in ["style", "script"] {
        let text = html.split(&format!("<{tag}>")).nth(1).unwrap().split(&format!("</{tag}>")).next().unwrap();
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        let allowed = policy.replace("&#43;", "+").contains(&digest);
        assert!(allowed, "write {digest} as the digest of the {tag} in core/page/src/document.rs: {policy}");
    }
    let own = html.replace("http://www.w3.org/2000/svg", "");
    for part in ["http://", "https://", "@import", "url(", " style=\"", "javascript:"] {
        assert!(!own.contains(part), "{part}");
    }
}

#[test]
fn the_script_is_small() {
    assert!(include_str!("../../assets/page.js").len() < 30_000);
}
