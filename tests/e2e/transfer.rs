//! Results copied to another place and from it: what was computed once is not computed again elsewhere.

use crate::server::{Server, Speaks};
use crate::{expected, smoke};
use pddflow_tests::{Place, Ran};
use std::path::Path;
use std::sync::OnceLock;

/// A call of the program that finds the server.
fn with_s3(place: &Place, server: &Server, arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", "name").env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("AWS_ENDPOINT_URL", &server.address).output().unwrap().into()
}

/// A folder in which the smoke pipeline ran: a copy of one in which it did, once for all tests.
fn ran() -> Place {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let place = Place::new();
        assert_eq!(&smoke(&place, &[]).succeeds().digests(), expected());
        place.files(".pddflow")
    });
    let place = Place::new();
    for (name, bytes) in files {
        fs_err::create_dir_all(place.path(name).parent().unwrap()).unwrap();
        place.write(name, bytes);
    }
    place
}

/// The same, where nothing that was printed matters.
#[track_caller]
fn does(place: &Place, arguments: &[&str]) {
    drop(place.run(arguments).succeeds());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// That a run has nothing to do, and that what it finds is right.
#[track_caller]
fn is_fresh(place: &Place) {
    let ran = smoke(place, &[]).succeeds();
    assert_eq!(ran.nodes("node_started"), [""; 0]);
    assert_eq!(&ran.digests(), expected());
    does(place, &["cache", "verify"]);
}

#[test]
fn what_was_pushed_is_fresh_after_a_pull() {
    let (here, server) = (ran(), Server::new(Speaks::S3));
    let pushed = with_s3(&here, &server, &["cache", "push", "s3://bucket/smoke", "--json"]).succeeds().json();
    assert!(pushed["records"].as_u64().unwrap() >= 8, "{pushed}");
    let again = with_s3(&here, &server, &["cache", "push", "s3://bucket/smoke", "--json"]).succeeds().json();
    assert_eq!((again["records"].as_u64(), again["artifacts"].as_u64()), (Some(0), Some(0)), "{again}");
    let there = Place::new();
    let pulled = with_s3(&there, &server, &["cache", "pull", "s3://bucket/smoke", "--json"]).succeeds().json();
    assert_eq!(pulled["records"], pushed["records"]);
    is_fresh(&there);
}

#[test]
fn a_pipeline_pulls_what_it_needs_from_any_server() {
    let (here, server) = (ran(), Server::new(Speaks::WebDav));
    let url = format!("{}/results", server.address);
    // One node and what it needs.
    let one = here.run(&["cache", "push", &url, "smoke.yaml", "eval[of=dm]", "--json"]).succeeds().json();
    assert_eq!(one["records"], 3, "data, dm and eval: {one}");
    let there = Place::new();
    let dry = there.run(&["cache", "pull", &url, "smoke.yaml", "--dry-run"]).succeeds();
    assert!(dry.out.contains("would pull 1 record"), "the others are known after it: {}", dry.out);
    assert!(!there.path(".pddflow/v1").exists(), "something was written");
    let some = there.run(&["cache", "pull", &url, "smoke.yaml", "--json"]).succeeds().json();
    assert_eq!((&some["records"], &some["there"]), (&3.into(), &0.into()), "{some}");
    let lacking = some["lacking"].as_array().unwrap();
    assert!(lacking.contains(&"table".into()) && lacking.contains(&"dsa".into()), "{some}");
    does(&here, &["cache", "push", &url, "smoke.yaml"]);
    let rest = there.run(&["cache", "pull", &url, "smoke.yaml", "--json"]).succeeds().json();
    assert_eq!((&rest["there"], &rest["lacking"]), (&3.into(), &serde_json::json!([])), "{rest}");
    is_fresh(&there);
}

#[test]
fn a_folder_that_was_pushed_to_is_a_store() {
    let here = ran();
    let folder = here.path("shared/results");
    does(&here, &["cache", "push", text(&folder)]);
    does(&here, &["cache", "verify", "--cache-dir", text(&folder)]);
    let plan = here.run(&["plan", "smoke.yaml", "--cache-dir", text(&folder), "--json"]).succeeds().json();
    assert!(plan["nodes"].as_array().unwrap().iter().all(|node| node["state"] == "fresh"), "{plan}");
}

#[test]
fn damage_elsewhere_is_named_and_does_not_enter_the_store() {
    let here = ran();
    let folder = here.path("shared");
    does(&here, &["cache", "push", text(&folder)]);
    let (name, mut bytes) = here.files("shared/v1/artifacts").into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(here.path(&name), bytes).unwrap();
    let there = Place::new();
    let pulled = there.run(&["cache", "pull", text(&folder)]).ends_with(5);
    let artifact = name.rsplit('/').next().unwrap();
    assert!(pulled.out.contains("damaged") && pulled.out.contains(artifact), "{}", pulled.out);
    assert!(there.files(".pddflow").iter().all(|(name, _)| !name.contains(artifact)));
    does(&there, &["cache", "verify"]);
    // The rest is used; what was damaged is computed again.
    assert_eq!(&smoke(&there, &[]).succeeds().digests(), expected());
}

#[test]
fn places_that_are_none_are_told() {
    let place = Place::new();
    place
        .run(&["cache", "push", "ftp://host/x"])
        .ends_with(2)
        .says(&["pddflow::remote::address", "s3://BUCKET/PREFIX"]);
    place
        .run(&["cache", "pull", "no/such/folder"])
        .ends_with(5)
        .says(&["pddflow::remote::not_found", "no/such/folder"]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/x");
    place.run(&["cache", "pull", &url]).ends_with(5).says(&["pddflow::remote::unreachable", "check the address"]);
    place.run(&["cache", "pull", &url, "--set", "a=1"]).ends_with(2).says(&["FILE"]);
}
