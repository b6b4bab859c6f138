//! `shards`: nets of a node, trained by several nodes, are those of one.

use std::collections::BTreeMap;

use pddflow_cache::Digest;

use crate::harness::Bench;

/// All kinds that can be cut, one after the other; `SHARDS` stands where the setting is.
const NODES: &str = r#"
format: 1
name: shards
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  set:
    for: { k: [1, 2] }
    kind: select
    needs: { data: data }
    with: { method: random, ipc: 1, seed: "${k}" }
  experts:
    kind: train
    needs: { data: data }
    with: { model: { convnet: { width: 4 } }, nets: { first: 2, count: 3 }, epochs: 2, batch: 500, snapshots: epoch }
    SHARDS
  start:
    kind: advance
    needs: { sets: "set[*]" }
    with: { model: { convnet: { width: 4 } }, nets: 3, epochs: 2, lr: 0.05, batch: 8 }
    SHARDS
  fresh:
    kind: advance
    with: { model: { convnet: { width: 4 } }, nets: 3 }
    SHARDS
  eval:
    kind: evaluate
    needs: { data: data, sets: "set[*]", start: start }
    with: { model: { convnet: { width: 4 } }, nets: 3, epochs: 3, lr: 0.05, recipe: dsa, curve_every: 1 }
    SHARDS
  table: { kind: table, needs: { results: [eval, experts] }, with: { rows: method } }
"#;

/// Digests of all artifacts but those of pieces, and the nodes that ran.
fn ran(bench: &Bench, setting: &str) -> (BTreeMap<String, Digest>, Vec<String>) {
    bench.run(&NODES.replace("SHARDS", setting)).unwrap();
    let digests = bench.digests().into_iter().filter(|(name, _)| !name.ends_with(".shard"));
    (digests.collect(), bench.started())
}

#[test]
fn pieces_on_any_number_of_nodes_join_to_the_same_bytes() {
    let (one, _) = ran(&Bench::new(), "");
    for (shards, pieces) in [(2, 2), (8, 3)] {
        let bench = Bench::new();
        let (joined, started) = ran(&bench, &format!("shards: {shards}"));
        assert_eq!(joined, one, "{shards}");
        for node in ["experts", "start", "fresh", "eval"] {
            let named = |name: &&String| name.starts_with(&format!("{node}[shards="));
            assert_eq!(started.iter().filter(named).count(), pieces, "{shards}: {started:?}");
        }
        assert!(started.contains(&format!("eval[shards=1of{pieces}]")), "{started:?}");
        let (_, again) = ran(&bench, &format!("shards: {shards}"));
        assert_eq!(again, [""; 0], "a second run has nothing to do");
    }
}

#[test]
fn a_piece_that_was_stopped_goes_on_from_its_checkpoint() {
    let (one, _) = ran(&Bench::new(), "");
    let text = NODES.replace("SHARDS", "shards: 2");
    for checkpoint in [2, 5, 9] {
        let bench = Bench::new();
        assert!(bench.run_until(&text, checkpoint), "there is no checkpoint {checkpoint}");
        assert_eq!(ran(&bench, "shards: 2").0, one, "stopped at checkpoint {checkpoint}");
    }
}
