//! The readers of artifacts, and of the files of other programs. Shared by the test `fuzz` and the example `fuzz_artifacts`.

use pddflow_artifact::{Dataset, DistilledSet, Files, NamedTensors, NetWeights, Results, Scores, Side, Trajectories};
use pddflow_cache::Blob;
use pddflow_data::foreign::{Foreign, read};
use pddflow_fuzz::{Chance, Target, bytes, text};

use crate::corpus::{artifacts, pickles, torch};

/// Pieces that the readers of headers and notes look at.
const WORDS: [&str; 36] = [
    "\"dtype\":\"F32\"",
    "\"dtype\":\"F64\"",
    "\"dtype\":\"BF16\"",
    "\"dtype\":\"U8\"",
    "\"dtype\":\"BOOL\"",
    "\"shape\":[]",
    "\"shape\":[0]",
    "\"shape\":[18446744073709551615,2]",
    "\"shape\":[1,1,1,1,1]",
    "\"data_offsets\":[0,0]",
    "\"data_offsets\":[8,0]",
    "\"data_offsets\":[0,18446744073709551615]",
    "\"__metadata__\":{}",
    "\\\"version\\\":1",
    "\\\"version\\\":2",
    "\\\"artifact\\\":\\\"set\\\"",
    "\\\"count\\\":0",
    "\\\"count\\\":18446744073709551615",
    "\\\"epochs\\\":[]",
    "\\\"epochs\\\":[1,0]",
    "\\\"fresh\\\":0",
    "\\\"data\\\":null",
    "\\\"class_names\\\":[]",
    "\\\"ipc\\\":0",
    "\\\"channels\\\":0",
    "[0,0,0]",
    "null",
    "-1",
    "1e400",
    "99999999999999999999",
    "\\\"\\\"",
    "{",
    "}",
    "[[[[",
    ",",
    "\\u0000",
];

/// Artifacts of every type; each input is given to the readers of all of them.
pub(crate) fn artifacts_target() -> Target {
    Target {
        name: "artifacts",
        corpus: artifacts(),
        make: Box::new(|chance, corpus| match chance.below(3) {
            0 => bytes::damaged(chance, corpus),
            1 => other_numbers(chance, corpus),
            _ => other_header(chance, corpus),
        }),
        check: Box::new(|input| readers().iter().filter(|read| read(input)).count() > 0),
    }
}

/// Length u64, header, numbers: the header is damaged as a text, and its length is right most of the time.
fn other_header(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let from: &Vec<u8> = chance.one_of(corpus);
    let Some((header, numbers)) = split(from) else {
        return text::damaged(chance, std::slice::from_ref(from), &WORDS).into_bytes();
    };
    let header = text::damaged(chance, &[header.to_vec()], &WORDS);
    let off = if chance.below(16) == 0 { chance.below(9) } else { 0 };
    let length = (header.len() + off) as u64;
    [&length.to_le_bytes(), header.as_bytes(), numbers].concat()
}

/// The header as it is, and some other byte behind it.
fn other_numbers(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = chance.one_of::<Vec<u8>>(corpus).clone();
    let numbers = split(&bytes).map_or(0, |(_, numbers)| numbers.len());
    let at = bytes.len().saturating_sub(1 + chance.below(numbers));
    if let Some(byte) = bytes.get_mut(at) {
        *byte = chance.number() as u8;
    }
    bytes
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// Every reader; each looks at all that it was told is there.
fn readers() -> [fn(&[u8]) -> bool; 8] {
    [
        |bytes| Dataset::decode(&Blob::from(bytes.to_vec())).is_ok_and(|data| whole(&data)),
        |bytes| {
            DistilledSet::decode(bytes).is_ok_and(|set| {
                assert!(set.hard_labels().is_ok_and(|labels| labels.iter().all(|label| *label < set.classes())));
                assert_eq!(set.rows(), set.decoded().images.shape()[0]);
                set.encode().expect("what was read can be written");
                true
            })
        },
        |bytes| {
            Files::decode(bytes).is_ok_and(|files| {
                let inside = |name: &str| !name.starts_with('/') && name.split('/').all(|part| part != "..");
                assert!(files.iter().all(|(name, _)| inside(name)));
                true
            })
        },
        |bytes| {
            Results::decode(bytes).is_ok_and(|results| {
                results.encode().expect("what was read can be written");
                results.reported.mean().is_finite()
            })
        },
        |bytes| {
            NamedTensors::read(bytes).is_ok_and(|named| {
                named.encode().expect("what was read can be written");
                true
            })
        },
        |bytes| Scores::decode(bytes).is_ok_and(|scores| scores.encode().is_ok()),
        |bytes| {
            Trajectories::decode(&Blob::from(bytes.to_vec())).is_ok_and(|nets| {
                let epochs = nets.epochs().iter().chain([&u64::MAX]);
                let read = |epoch: &u64| nets.snapshot(0, *epoch).is_ok();
                epochs.filter(|epoch| read(epoch)).count() == nets.epochs().len()
            })
        },
        |bytes| {
            NetWeights::decode(&Blob::from(bytes.to_vec())).is_ok_and(|nets| {
                let last = nets.info().count - 1;
                assert_eq!(nets.net(last).is_ok(), nets.fresh().is_none());
                assert!(nets.net(nets.info().count).is_err());
                true
            })
        },
    ]
}

fn whole(data: &Dataset) -> bool {
    for side in [Side::Train, Side::HeldOut, Side::Test] {
        let rows: Vec<usize> = (0..data.rows(side)).collect();
        let taken = data.take(side, &rows);
        assert_eq!(taken.pixels.len(), rows.len() * data.size().elements());
        assert!(data.class_rows(side).iter().flatten().count() == rows.len());
    }
    let _ = (data.preprocessing_digest(), data.train_digest());
    true
}

/// Files of other programs: the pickle of a `.pt` in a sound archive, or an array of NumPy as it is.
pub(crate) fn foreign_target() -> Target {
    Target {
        name: "foreign",
        corpus: pickles(),
        make: Box::new(bytes::damaged),
        check: Box::new(|input| {
            let found = if input.starts_with(b"\x93NUMPY") { read("it", input) } else { read("it", &torch(input)) };
            found.is_ok_and(|found| {
                visit(&found);
                true
            })
        }),
    }
}

/// Looks at all numbers.
fn visit(found: &Foreign) {
    match found {
        Foreign::Array(array) => assert_eq!(array.to_f64().len(), array.elements()),
        Foreign::List(items) => items.iter().for_each(visit),
        Foreign::Map(entries) => entries.iter().for_each(|(_, value)| visit(value)),
        Foreign::Number(_) | Foreign::Text(_) | Foreign::Nothing => {}
    }
}
