//! The page about a run: when it is written, and of what.

use crate::smoke;
use pddflow_tests::Place;

const REPORT: &str = "results/smoke/report.html";

#[test]
fn a_run_that_ran_something_writes_its_report_and_one_without_work_leaves_it() {
    let place = Place::new();
    let first = smoke(&place, &[]).succeeds();
    assert!(first.events().iter().any(|event| event["event"] == "report" && event["file"] == REPORT));
    let html = fs_err::read_to_string(place.path(REPORT)).unwrap();
    for part in
        ["10 ran", "id=\"results\"", "id=\"images\"", "id=\"curves\"", "pddflow run smoke.yaml", "data:image/png"]
    {
        assert!(html.contains(part), "{part}");
    }
    // A person's notes stay until the next run that runs something; neither is a warning.
    place.write(REPORT, "notes");
    let second = smoke(&place, &[]).succeeds();
    assert!(!second.err.contains("warning"), "{}", second.err);
    assert_eq!(fs_err::read_to_string(place.path(REPORT)).unwrap(), "notes");
    let third = smoke(&place, &["--force=table"]).succeeds();
    assert!(!third.err.contains("warning"), "{}", third.err);
    let html = fs_err::read_to_string(place.path(REPORT)).unwrap();
    assert!(html.contains("9 fresh, 1 ran") && html.contains("saved by the cache"));
    assert!(html.contains("id=\"images\""), "fresh sets are shown too");
}

#[test]
fn past_runs_are_reported_by_name_and_below_each_other() {
    let place = Place::new();
    let _ = place.run(&["run", "smoke.yaml", "--quiet", "--tag", "one"]).succeeds();
    let _ = place.run(&["run", "smoke.yaml", "--quiet", "--tag", "two", "--set", "seed=1"]).succeeds();
    let _ = place.run(&["report", "one", "two", "--to", "both.html"]).succeeds();
    let html = fs_err::read_to_string(place.path("both.html")).unwrap();
    for part in ["2 runs", "href=\"#r0-head\"", "id=\"r1-results\""] {
        assert!(html.contains(part), "{part}");
    }
    let said = place.run(&["report", "--json"]).succeeds().json();
    assert_eq!((said["file"].as_str(), said["left_out"].as_array().map(Vec::len)), (Some("report.html"), Some(0)));
    let shown = place.run(&["report", "one", "--to", "-"]).succeeds().out;
    assert_eq!(shown, place.run(&["report", "one", "--to", "-"]).succeeds().out, "the same run gives the same page");
    place.run(&["report", "nothing"]).ends_with(2).says(&["there is no run `nothing`"]);
}

#[test]
fn a_run_that_failed_is_reported_with_its_failure_and_log() {
    let place = Place::new();
    place.write(
        "bad.yaml",
        "format: 1\nname: bad\nnodes:\n  n:\n    kind: command\n    with: { run: [sh, -c, \"echo '<b>last words</b>'; exit 3\"], outputs: [out.txt] }\n",
    );
    let _ = place.run(&["run", "bad.yaml", "--quiet"]).ends_with(1);
    let html = fs_err::read_to_string(place.path("results/bad/report.html")).unwrap();
    assert!(html.contains("1 failed") && html.contains("role=\"alert\""), "{html}");
    assert!(html.contains("last words") && !html.contains("<b>last words"));
}
