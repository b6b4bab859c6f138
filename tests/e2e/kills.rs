//! Many kills at random moments. `PDDFLOW_KILLS=200` makes it many; the default is few, for every change.

use crate::{expected, smoke};
use pddflow_tests::Place;
use std::process::Stdio;
use std::time::{Duration, Instant};

const DEFAULT_KILLS: u32 = 6;
/// After so many kills at most a store is brought to its end and another one begun.
const KILLS_PER_STORE: u32 = 8;

/// SplitMix64 (Steele, Lea, Flood 2014): the same moments in every call, as far as a clock can be the same.
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Ends with the right digests, and every file that is left in the store is whole.
fn bring_to_its_end(place: &Place, kills: u32) {
    assert_eq!(&smoke(place, &[]).succeeds().digests(), expected(), "after {kills} kills");
    let found = place.run(&["cache", "verify", "--json"]).succeeds().json();
    assert_eq!(found["damaged"].as_array().unwrap().len(), 0, "{found}");
}

#[test]
fn random_kills_end_in_the_same_digests_without_a_manual_step() {
    let wanted = std::env::var("PDDFLOW_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_KILLS);
    let started = Instant::now();
    // Not that of `expected`, which another test may have made already.
    let _ = smoke(&Place::new(), &[]).succeeds();
    let whole = started.elapsed();
    let (mut kills, mut ends, mut state) = (0, 0, 1);
    let mut place = Place::new();
    let mut in_this = 0;
    while kills < wanted {
        // In debug builds the work is short beside the start; most moments lie within the run all the same.
        let pause = whole.mul_f64(draw(&mut state));
        let mut command = place.command(&["run", "smoke.yaml", "--json"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let limit = Instant::now() + pause;
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "after {kills} kills: {status}");
                break true;
            }
            if Instant::now() >= limit {
                break false;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        if !ended {
            child.kill().unwrap();
            child.wait().unwrap();
            (kills, in_this) = (kills + 1, in_this + 1);
        }
        if ended || in_this == KILLS_PER_STORE || kills == wanted {
            bring_to_its_end(&place, in_this);
            (place, in_this, ends) = (Place::new(), 0, ends + 1);
        }
    }
    println!("{kills} kills, {ends} stores brought to their end, {:.0} s", started.elapsed().as_secs_f64());
}
