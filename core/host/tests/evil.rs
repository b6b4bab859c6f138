//! Misbehaving plugins, one for each way to misbehave: each must be told by its own diagnostic, and the program must live.
//!
//! The sources are `tests/abi/evil/*.c`; each changes one thing in `base.h`, which is a correct plugin. A source without a row here
//! fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use pddflow_host::{InputShape, Mode, PluginError};
use pddflow_tensor::{Backend, DType, Device, RandomKey};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use support::{Bench, c_plugin, open};

/// When the fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Load,
    Create,
    Describe,
    Iterate,
    /// In the second iteration of the same instance.
    Again,
    /// Of a model.
    Forward,
}

use When::{Again, Create, Describe, Forward, Iterate, Load};

/// Source, when, code, part of the message.
const EVIL: &[(&str, When, &str, &str)] = &[
    ("bad_magic", Load, "plugin::not_pddflow", "NOTFLOW"),
    ("short_header", Load, "plugin::not_pddflow", "40 bytes"),
    ("other_major", Load, "plugin::abi_major", "99"),
    ("minor_too_new", Load, "plugin::abi_minor", "999"),
    ("minor_too_old", Load, "plugin::abi_minor", "lowest accepted"),
    ("no_entry", Load, "plugin::no_entry", "pddflow_plugin"),
    ("unresolved", Load, "plugin::unresolved", "nobody_defines_this"),
    ("null_function", Load, "plugin::null_function", "`iterate` is NULL"),
    ("foreign_function", Load, "plugin::null_function", "`iterate` is not code of this library"),
    ("data_as_function", Load, "plugin::null_function", "`iterate` is not code of this library"),
    ("short_table", Load, "plugin::table_size", "16 bytes"),
    ("short_model_table", Load, "plugin::table_size", "32 bytes"),
    ("null_table", Load, "plugin::descriptor", "NULL"),
    ("short_descriptor", Load, "plugin::table_size", "24 bytes"),
    ("no_descriptors", Load, "plugin::descriptor", "0 descriptors"),
    ("many_descriptors", Load, "plugin::descriptor", "1000000 descriptors"),
    ("two_of_a_name", Load, "plugin::descriptor", "two plugins"),
    ("unknown_role", Load, "plugin::descriptor", "role 77"),
    ("bad_id", Load, "plugin::descriptor", "`Evil one`"),
    ("empty_id", Load, "plugin::descriptor", "malformed"),
    ("long_id", Load, "plugin::descriptor", "65 bytes"),
    ("not_utf8", Load, "plugin::descriptor", "UTF-8"),
    ("wild_text", Load, "plugin::descriptor", "readable"),
    ("endless_text", Load, "plugin::descriptor", "4294967296 bytes"),
    ("bad_schema", Load, "plugin::schema", "`evil`"),
    ("schema_not_json", Load, "plugin::schema", "not JSON"),
    ("no_schema", Load, "plugin::null_function", "schema_text"),
    ("missing_capability", Load, "plugin::capability", "teleport/1"),
    ("big_endian", Load, "plugin::build", "byte order"),
    ("small_pointers", Load, "plugin::build", "pointer width"),
    ("aborts", Load, "plugin::build", "panic"),
    ("open_refuses", Load, "plugin::refused", "not on a Sunday"),
    ("open_panics", Load, "plugin::panicked", "lost my head"),
    ("create_refuses", Create, "plugin::refused", "no reason"),
    ("no_learnable", Describe, "plugin::contract", "no learnable"),
    ("iterates_early", Describe, "plugin::unsupported", "only available in `iterate`"),
    ("recipe_not_json", Describe, "plugin::invalid_argument", "not JSON"),
    ("zero_handle", Iterate, "plugin::bad_handle", "none"),
    ("stale_handle", Iterate, "plugin::bad_handle", "stale"),
    ("double_release", Iterate, "plugin::bad_handle", "stale"),
    ("foreign_handle", Again, "plugin::bad_handle", "foreign"),
    ("made_up_handle", Iterate, "plugin::bad_handle", "foreign"),
    ("kept_call", Again, "plugin::wrong_thread", "no reason"),
    ("closed_scope", Iterate, "plugin::bad_handle", "stale"),
    ("wrong_scope", Iterate, "plugin::invalid_argument", "scope 5"),
    ("wrong_thread", Iterate, "plugin::wrong_thread", "no reason"),
    ("wrong_shape", Iterate, "plugin::shape", "[3]"),
    ("shapes_differ", Iterate, "plugin::shape", "[3]"),
    ("wrong_dtype", Iterate, "plugin::dtype", "map.unary"),
    ("not_scalar", Iterate, "plugin::shape", "not a scalar"),
    ("reads_taped", Iterate, "plugin::invalid_argument", "detach it first"),
    ("nan_gradient", Iterate, "plugin::numeric", "gradient of `images` is not finite"),
    ("nan_loss", Iterate, "plugin::numeric", "`loss`"),
    ("hoards", Iterate, "plugin::out_of_memory", "live tensors"),
    ("not_square", Iterate, "plugin::shape", "[3, 2]"),
    ("not_definite", Iterate, "plugin::numeric", "pivot 1 of its Cholesky decomposition is -3e0"),
    ("huge_system", Iterate, "plugin::shape", "at most 8192 rows"),
    ("huge_broadcast", Iterate, "plugin::out_of_memory", "elements"),
    ("huge_padding", Iterate, "plugin::out_of_memory", "elements"),
    ("huge_permutation", Iterate, "plugin::out_of_memory", "elements"),
    ("huge_noise", Iterate, "plugin::out_of_memory", "elements"),
    ("null_result", Iterate, "plugin::invalid_argument", "NULL"),
    ("unknown_op", Iterate, "plugin::unsupported", "99"),
    ("no_reason", Iterate, "plugin::numeric", "no reason"),
    ("unknown_status", Iterate, "plugin::failed", "777"),
    ("says_panic", Iterate, "plugin::panicked", "lost my head"),
    ("swallows_first", Iterate, "plugin::bad_handle", "then second"),
    ("asks_environment", Iterate, "pddflow::test::none", "none of these"),
    ("short_request", Iterate, "plugin::invalid_argument", "size 0"),
    ("no_such_class", Iterate, "plugin::invalid_argument", "class 99"),
    ("negative_row", Iterate, "plugin::invalid_argument", "no real image of number -1"),
    ("no_groups", Iterate, "plugin::shape", "0 groups must divide"),
    ("no_such_model", Iterate, "plugin::invalid_argument", "there is no model 1: the node has"),
    ("declares_late", Iterate, "plugin::unsupported", "only allowed in `describe`"),
    ("starts_from_nothing", Describe, "plugin::bad_handle", "declare.learnable"),
    ("starts_misshapen", Describe, "plugin::shape", "`latents` has shape [2], but starts as [3]"),
    ("asks_beyond", Describe, "plugin::invalid_argument", "tensor 0 was asked for, and 0 are wired"),
    ("asks_late", Iterate, "plugin::unsupported", "only allowed in `describe`"),
    ("decodes_nothing", Iterate, "plugin::contract", "both images and labels"),
    ("decodes_bad_labels", Iterate, "plugin::contract", "there are 3 classes"),
    ("decodes_off_tape", Iterate, "plugin::contract", "off the tape"),
    ("model_gives_nothing", Forward, "plugin::contract", "no logits"),
    ("model_off_tape", Forward, "plugin::contract", "off the tape"),
    ("model_wrong_rows", Forward, "plugin::contract", "one row for each image"),
    ("model_wants_data", Forward, "plugin::unsupported", "only available in `iterate`"),
];

const SHAPE: InputShape = InputShape { channels: 1, height: 4, width: 4 };
const CLASSES: usize = 3;

fn bench() -> Bench {
    Bench::new(support::problem(CLASSES, SHAPE, 2)).with_random_images()
}

/// The error at the stage where one is due; none before.
fn provoke(file: &Path, when: When) -> Option<PluginError> {
    if when == Load {
        return open(file).err();
    }
    let registry = open(file).unwrap();
    if when == Forward {
        let model = registry.model("evil", &json!({})).unwrap();
        let specs = model.weights(SHAPE, CLASSES).unwrap();
        let weights: Vec<_> = specs.iter().map(|spec| support::noise(&spec.shape, RandomKey::new(1), 1.0)).collect();
        let weights: Vec<_> = weights.iter().map(|weight| weight.variable().unwrap()).collect();
        let x = support::noise(&[2, 1, 4, 4], RandomKey::new(2), 1.0);
        return model.forward(&weights, &x, Mode::Train, RandomKey::new(0)).err();
    }
    let created = registry.matcher("evil", &json!({}));
    if when == Create {
        return created.err();
    }
    let matcher = created.unwrap();
    let mut bench = bench();
    let described = matcher.describe(&bench.problem);
    if when == Describe {
        return described.err();
    }
    described.unwrap();
    let first = matcher.iterate(&mut bench, 0);
    if when == Iterate {
        // The host lives on and says the same again, unless the plugin panicked.
        let second = matcher.iterate(&mut bench, 1).unwrap_err();
        assert_eq!(first.as_ref().map_err(PluginError::code), Err(second.code()));
        return first.err();
    }
    first.unwrap();
    matcher.iterate(&mut bench, 1).err()
}

#[test]
fn each_misbehaving_plugin_is_told_by_its_own_diagnostic() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, when, code, part) in EVIL {
        let Some(file) = c_plugin(&format!("evil/{name}"), folder.path()) else {
            return;
        };
        // Also where numbers are read from a device, later than they are made. Some plugins know that they were called before.
        let devices = [Device::Cpu, Device::Burn(Backend::Flex, 0)];
        for device in devices.into_iter().take(if *when == Iterate { 2 } else { 1 }) {
            support::use_device(device.clone());
            match provoke(&file, *when) {
                None => wrong.push(format!("{name}: nothing was found on {device}")),
                Some(error) => {
                    println!("{name:<22} {:<26} {error}", error.code());
                    let said = error.to_string().contains(part) && error.code() == *code;
                    if !said || error.help().is_none() && !error.message().contains("failed") {
                        wrong.push(format!("{name} on {device}: {} {error}", error.code()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_source_has_a_row() {
    let sources = fs_err::read_dir(support::root().join("tests/abi/evil")).unwrap();
    let sources = sources.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "c"));
    let sources: BTreeSet<String> =
        sources.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let rows: BTreeSet<String> = EVIL.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(sources, rows);
}

#[test]
fn files_that_are_no_libraries_are_refused_before_the_loader() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join(format!("text{}", std::env::consts::DLL_SUFFIX));
    fs_err::write(&text, "not a library, but it mentions pddflow_plugin\0").unwrap();
    assert_eq!(open(&text).unwrap_err().code(), "plugin::not_a_library");
    assert_eq!(open(&folder.path().join("nothing.so")).unwrap_err().code(), "plugin::not_found");
    assert_eq!(open(folder.path()).unwrap_err().code(), "plugin::not_found");
    let Some(whole) = c_plugin("good/linear_mean", folder.path()) else {
        return;
    };
    let bytes = fs_err::read(&whole).unwrap();
    for part in [0, 3, 63, 64, 1000, bytes.len() / 2, bytes.len() - 1] {
        let cut = folder.path().join(format!("cut{part}{}", std::env::consts::DLL_SUFFIX));
        fs_err::write(&cut, &bytes[..part]).unwrap();
        assert_eq!(open(&cut).unwrap_err().code(), "plugin::not_a_library", "{part} bytes");
    }
}

#[test]
fn a_panic_in_rust_is_an_error_with_its_place() {
    let registry = open(&support::plugin("misbehaves")).unwrap();
    let error = registry.matcher("misbehaves", &json!({"at": "create"})).unwrap_err();
    assert_eq!(error.code(), "plugin::panicked");
    let error = registry.matcher("misbehaves", &json!({"at": "refuse"})).unwrap_err();
    assert_eq!(error.code(), "plugin::refused");
    assert!(error.to_string().contains("so it refuses"), "{error}");
    let mut bench = bench();
    let describes = registry.matcher("misbehaves", &json!({"at": "describe"})).unwrap();
    assert_eq!(describes.describe(&bench.problem).unwrap_err().code(), "plugin::panicked");
    let iterates = registry.matcher("misbehaves", &json!({"at": "iterate"})).unwrap();
    let error = iterates.iterate(&mut bench, 0).unwrap_err();
    assert_eq!(error.code(), "plugin::panicked");
    assert!(error.to_string().contains("misbehaving in iterate"), "{error}");
    assert!(error.to_string().contains("misbehaves.rs:"), "{error}");
    assert!(iterates.iterate(&mut bench, 1).unwrap_err().to_string().contains("not used again"));
    let fails = registry.matcher("misbehaves", &json!({"at": "error"})).unwrap();
    let error = fails.iterate(&mut bench, 0).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("of the plugin's own")), ("plugin::failed", true));
    // A destructor that panics must not take the program with it, and other instances work on.
    drop(registry.matcher("misbehaves", &json!({"at": "destroy"})).unwrap());
    let works = registry.matcher("misbehaves", &json!({})).unwrap();
    works.iterate(&mut bench, 0).unwrap();
    assert_eq!(bench.metrics["live"], 1.0);
}

#[test]
fn a_cancelled_run_ends_in_the_next_host_call() {
    let registry = open(&support::plugin("misbehaves")).unwrap();
    let matcher = registry.matcher("misbehaves", &json!({})).unwrap();
    let mut bench = bench();
    bench.cancelled = true;
    let error = matcher.iterate(&mut bench, 0).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(bench.problem.dtype, DType::F64);
}
