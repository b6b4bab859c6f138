//! Settings of nodes: read, checked, never part of what a node computes.

use std::time::Duration;

use insta::{assert_debug_snapshot, assert_snapshot};
use pddflow_pipeline::{Options, Selection};

use crate::catalog::{plan, plan_with, problems};

const TEXT: &str = "format: 1
params: { patience: 2, big: [3] }
pools: { download: 2, license: 1 }
profiles:
  smoke: { nodes: { t: { timeout: 5s, resources: { cpus: 1 } } } }
nodes:
  t:
    for: { k: 1..=4 }
    kind: twin
    retries: { times: \"${patience}\", wait: 10s, factor: 3, most: 1m }
    timeout: \"${if k in big then '2h' else '90s'}\"
    allow_failure: \"${k == 4}\"
    resources: { cpus: \"${k}\", memory: 8GiB, gpus: 1, pools: { download: 2 } }
    priority: \"${-k}\"
  plain: { kind: twin, retries: 3 }
";

#[test]
fn settings_are_read_for_each_instance() {
    let plan = plan(TEXT);
    let of = |id: &str| plan.node(id).unwrap().settings.clone();
    let retries = of("t[1]").retries.unwrap();
    assert_eq!((retries.times, retries.wait, retries.most), (2, Duration::from_secs(10), Duration::from_secs(60)));
    let waits: Vec<u64> = (1..5).map(|attempt| retries.wait_before(attempt).as_secs()).collect();
    assert_eq!(waits, [10, 30, 60, 60]);
    assert_eq!(of("t[3]").timeout, Some(Duration::from_secs(7200)));
    assert_eq!(of("t[2]").timeout, Some(Duration::from_secs(90)));
    assert!(of("t[4]").allow_failure && !of("t[1]").allow_failure);
    let resources = of("t[2]").resources;
    assert_eq!(
        (resources.cpus, resources.memory_bytes, resources.gpus, resources.pools["download"]),
        (2, 8 << 30, 1, 2)
    );
    assert_eq!(of("t[2]").priority, -2);
    assert_eq!(of("plain").retries.unwrap().times, 3);
    assert_eq!(plan.pools["license"], 1);
    assert_debug_snapshot!(plan.nodes[3].settings);
}

#[test]
fn profiles_and_set_change_settings() {
    let set = ["nodes.t.resources.gpus=0", "nodes.plain.timeout=1h", "nodes.t.retries=7"];
    let options = Options { profile: Some("smoke".into()), set: set.map(str::to_owned).to_vec() };
    let plan = plan_with(TEXT, &options);
    let of = |id: &str| plan.node(id).unwrap().settings.clone();
    assert_eq!(of("t[3]").timeout, Some(Duration::from_secs(5)));
    assert_eq!(
        (of("t[3]").resources.cpus, of("t[3]").resources.gpus, of("t[3]").resources.memory_bytes),
        (1, 0, 8 << 30)
    );
    assert_eq!(of("t[1]").retries.unwrap().times, 7);
    assert_eq!(of("plain").timeout, Some(Duration::from_secs(3600)));
}

#[test]
fn settings_change_nothing_else() {
    let bare: String = TEXT
        .lines()
        .filter(|line| !line.starts_with("    ") || line.contains("for:") || line.contains("kind:"))
        .map(|line| format!("{line}\n"))
        .collect();
    let bare = bare.replace(", retries: 3", "");
    let (with, without) = (plan(TEXT), plan(&bare));
    for (with, without) in with.nodes.iter().zip(&without.nodes) {
        assert_eq!(
            (&with.id, &with.kind, &with.with, &with.inputs),
            (&without.id, &without.kind, &without.with, &without.inputs)
        );
    }
}

#[test]
fn wrong_settings_are_shown_where_they_are() {
    assert_snapshot!(problems(
        "format: 1
pools: { download: 0, small: 1 }
profiles: { p: { nodes: { t: { kind: x } } } }
nodes:
  t:
    kind: twin
    retries: -1
    timeout: soon
    allow_failure: yes
    resources: { cpu: 1, gpus: 1.5, memory: 8G, pools: { smal: 1 } }
    priority: high
  u:
    for: { k: 1..=3 }
    kind: twin
    retries: { times: \"${k}\", wait: \"${k} parsecs\", factor: 0 }
    resources: { pools: { small: \"${k}\" } }
  v: { kind: twin, resources: 3, retry: 2 }
"
    ));
}

#[test]
fn the_documentation_has_the_table_of_settings() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pipelines.md");
    let table = pddflow_pipeline::settings_table();
    assert!(
        fs_err::read_to_string(page).unwrap().contains(&table),
        "core/docs/pipelines.md lacks this table:\n{table}"
    );
}

const CLUSTER: &str = "format: 1
params: { queue: gpu }
cluster:
  defaults: { partition: cpu, account: ml, time: 2h, cpus: 2 }
  kinds: { twin: { partition: \"${queue}\", gpus: 1, time: [1h, 4h], memory: [1GiB, 2GiB] } }
  head: [twin]
  setup: [module load cuda]
  poll: 1s
profiles:
  smoke: { cluster: { defaults: { partition: test }, queued: 5 } }
nodes:
  t: { kind: twin, resources: { cpus: 8, qos: high, extra: [--exclusive] } }
";

#[test]
fn a_cluster_is_asked_for_what_the_node_its_kind_and_the_defaults_say() {
    let read = |profile: Option<&str>| {
        let plan = plan_with(CLUSTER, &Options { profile: profile.map(str::to_owned), set: Vec::new() });
        let own = plan.nodes[0].settings.resources.clone();
        (plan.cluster.resources("twin", &own), plan.cluster.resources("other", &own), plan.cluster)
    };
    let (twin, other, settings) = read(None);
    assert_eq!((twin.cpus, twin.gpus, other.gpus), (8, 1, 0));
    assert_eq!((twin.partition.as_deref(), other.partition.as_deref()), (Some("gpu"), Some("cpu")));
    assert_eq!((twin.account.as_deref(), twin.qos.as_deref()), (Some("ml"), Some("high")));
    assert_eq!(twin.time, [1, 4].map(|hours| Duration::from_secs(3_600 * hours)));
    assert_eq!(other.time, [Duration::from_secs(7_200)]);
    assert_eq!([0, 1, 5].map(|number| twin.memory_of_job(number) >> 30), [1, 2, 2]);
    assert_eq!((other.memory_of_job(0), other.time_of_job(3)), (0, Some(Duration::from_secs(7_200))));
    assert_eq!(twin.extra, ["--exclusive"]);
    assert_eq!((settings.head, settings.setup), (vec!["twin".to_owned()], vec!["module load cuda".to_owned()]));
    assert_eq!(
        (settings.poll, settings.lost, settings.queued),
        (Duration::from_secs(1), Duration::from_secs(120), 1_000)
    );
    let (_, other, settings) = read(Some("smoke"));
    assert_eq!((other.partition.as_deref(), other.account.as_deref(), settings.queued), (Some("test"), Some("ml"), 5));
}

#[test]
fn what_is_wrong_about_a_cluster_is_shown_where_it_is() {
    let text = "format: 1
cluster:
  defaults: { time: soon, partition: 3 }
  kinds: { twins: { gpus: 1 } }
  poll: often
  requeue: perhaps
  memory_per_cpu: 3
  nodes: 3
nodes:
  t: { kind: twin }
";
    let found = problems(text);
    for expected in [
        "\"soon\" is not a time",
        "3 is not a text of one line",
        "there is no kind `twins`",
        "\"often\" is not a time",
        "`requeue` must be true or false",
        "`memory_per_cpu` must be true or false",
        "unknown key `nodes`",
    ] {
        assert!(found.contains(expected), "`{expected}` is not in:\n{found}");
    }
}

#[test]
fn the_documentation_has_the_table_of_cluster_settings() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cluster.md");
    let table = pddflow_pipeline::cluster_table();
    assert!(fs_err::read_to_string(page).unwrap().contains(&table), "core/docs/cluster.md lacks this table:\n{table}");
}

#[test]
fn shards_are_nodes_before_the_one_that_joins_them() {
    let text = "format: 1
params: { many: 9 }
nodes:
  start: { for: { k: [1, 2] }, kind: advance, with: { model: m }, shards: \"${if k == 1 then many else 1}\", priority: 3 }
  plain: { kind: advance, with: { model: m }, shards: 2 }
  data: { kind: dataset, with: { source: s } }
  next: { kind: export, needs: { items: data, notes: [\"start[*]\", plain] } }
";
    let cut = plan(text);
    let names: Vec<&str> = cut.nodes.iter().map(|node| node.id.as_str()).collect();
    let pieces: Vec<String> = (1..=4).map(|piece| format!("start[k=1,shards={piece}of4]")).collect();
    assert_eq!(names[..4], pieces);
    assert_eq!(names[4..8], ["start[1]", "start[2]", "plain[shards=1of2]", "plain[shards=2of2]"]);
    let joins = |id: &str| {
        cut.node(id).unwrap().inputs.get("shards").unwrap().iter().map(|input| input.node).collect::<Vec<_>>()
    };
    assert_eq!((joins("start[1]"), joins("plain")), (vec![0, 1, 2, 3], vec![6, 7]));
    assert!(cut.node("start[2]").unwrap().inputs.get("shards").is_none(), "one piece is the node");
    assert_eq!((cut.nodes[2].settings.priority, cut.nodes[2].settings.shards), (3, 0));
    let taken: Vec<&str> =
        cut.node("next").unwrap().inputs.get("notes").unwrap().iter().map(|input| names[input.node]).collect();
    assert_eq!(taken, ["start[1]", "start[2]", "plain"]);
    let only = Selection { only: vec!["plain".to_owned()], ..Selection::default() };
    let only = cut.select(&only).unwrap();
    assert!(only.nodes.iter().all(|node| !node.settings.only_if_fresh), "the pieces are the node");
}

#[test]
fn what_cannot_be_cut_is_told_at_the_setting() {
    let text = "format: 1
nodes:
  data: { kind: dataset, with: { source: s }, shards: 4 }
  start: { for: { shards: [1, 2] }, kind: advance, with: { model: m }, shards: 2 }
  none: { kind: advance, with: { model: m }, shards: 0 }
";
    assert_snapshot!(problems(text));
    assert_snapshot!(problems(&text.replace("shards: 0", "priority: 0")));
    let many = "format: 1
nodes:
  start: { for: { k: 1..=30000 }, kind: advance, with: { model: m }, shards: 4 }
";
    assert!(problems(many).contains("with its shards the plan has more than 100000 nodes"));
}
