//! What a device is given to do in each unit of work does not grow: `tests/golden/ledger.tsv` has what is reached. Where less is
//! needed the table is made anew:
//!
//! ```sh
//! UPDATE_LEDGER=1 cargo test --workspace --test e2e ledger
//! ```

use pddflow_tests::ledger::{Budget, UNITS, Unit, profile};
use pddflow_tests::workspace_root;

fn table() -> std::path::PathBuf {
    workspace_root().join("tests/golden/ledger.tsv")
}

fn row(name: &str, [launches, reads, uploaded]: [f64; 3]) -> String {
    format!("{name}\t{launches:.1}\t{reads:.2}\t{uploaded:.0}\n")
}

fn reached(text: &str, unit: &Unit) -> [f64; 3] {
    let line = text.lines().find(|line| line.split('\t').next() == Some(unit.name));
    let line = line.unwrap_or_else(|| panic!("{} has no row", unit.name));
    let numbers: Vec<f64> = line.split('\t').skip(1).map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn a_unit_of_work_has_no_more_launches_reads_and_uploads_than_before() {
    let events = profile(&UNITS.each_ref().map(|unit| unit.name), "flex", 4);
    let found = |unit: &Unit| {
        let counts = unit.counts(&events);
        [counts.launches, counts.reads, counts.uploaded]
    };
    if std::env::var_os("UPDATE_LEDGER").is_some() {
        let head = "unit\tlaunches\treads\tbytes uploaded\n".to_owned();
        let rows: String = UNITS.iter().map(|unit| row(unit.name, found(unit))).collect();
        fs_err::write(table(), head + &rows).unwrap();
    }
    let text = fs_err::read_to_string(table()).unwrap();
    for unit in &UNITS {
        let (found, reached) = (found(unit), reached(&text, unit));
        let Budget { launches, reads, uploaded } = unit.target;
        println!("{}: {found:.1?}, meant to have at most {:.1?}", unit.name, [launches, reads, uploaded]);
        // The table is rounded.
        let grown =
            found.iter().zip(reached).zip([0.05, 0.005, 0.5]).any(|((found, before), half)| *found > before + half);
        assert!(!grown, "{} has {found:?} launches, reads and bytes of uploads, and had {reached:?}", unit.name);
    }
}
