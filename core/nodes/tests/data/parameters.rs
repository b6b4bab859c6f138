//! Parameters of the kinds: short forms, defaults, problems.

use serde_json::{Value, json};

use crate::bench::Bench;

fn problems(kind: &str, with: &Value) -> Vec<(String, String)> {
    let found = Bench::new().check(kind, with).expect_err("it was accepted");
    found
        .into_iter()
        .map(|found| (found.pointer, format!("{} | {}", found.message, found.help.unwrap_or_default())))
        .collect()
}

#[test]
fn short_and_long_forms_are_one() {
    let bench = Bench::new();
    let check = |with: Value| bench.check("dataset", &with).unwrap();
    let short = check(json!({ "source": "fashion-mnist", "normalize": "zca" }));
    let long = json!({ "source": { "fashion-mnist": { "path": null } }, "normalize": { "zca": { "epsilon": 0.1 } } });
    assert_eq!(short, check(long));
    assert_eq!(check(short.clone()), short);
    assert_eq!(check(json!({ "source": "fashion-mini" }))["normalize"], "standard");
}

#[test]
fn problems_of_a_data_set_are_told_together_and_in_place() {
    let found = problems(
        "dataset",
        &json!({ "source": { "image-folder": { "path": "x", "test_fraction": 1.5 } }, "classes": [], "train_per_class": 0 }),
    );
    let places: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(places, ["/source/image-folder/test_fraction", "/classes", "/train_per_class"]);
}

#[test]
fn each_mistake_has_its_place_and_advice() {
    let check = |with: Value, pointer: &str, expected: &str| {
        let found = problems("dataset", &with);
        assert_eq!(found[0].0, pointer, "{found:?}");
        assert!(found[0].1.contains(expected), "{found:?}");
    };
    check(json!({}), "", "source");
    check(json!({ "source": "fashion-mnits" }), "/source", "did you mean `fashion-mnist`?");
    check(json!({ "source": "image-folder" }), "/source", "write `source: { image-folder: { ... } }`");
    check(json!({ "source": { "cifar10": { "pth": "x" } } }), "/source/cifar10/pth", "did you mean `path`?");
    check(json!({ "source": { "idx": {}, "cifar10": {} } }), "/source", "side by side");
    check(json!({ "source": 3 }), "/source", "a source's name");
    let idx = json!({ "train_images": "a", "train_labels": "b", "test_images": "c" });
    check(json!({ "source": { "idx": idx } }), "/source/idx/test_images", "without `test_labels`");
    check(json!({ "source": { "parquet": {} } }), "/source", "give `path`");
    let mini = |normalize: Value| json!({ "source": "fashion-mini", "normalize": normalize });
    check(mini(json!("standrad")), "/normalize", "`standard`, `computed`, `none`, `zca`");
    check(mini(json!({ "standard": { "mean": [0.5], "std": [0] } })), "/normalize/standard", "greater than 0");
    check(mini(json!({ "standard": { "mean": [0.5], "std": [1, 1] } })), "/normalize/standard", "1 number (grey) or 3");
    check(mini(json!({ "zca": { "epsilon": 0 } })), "/normalize", "epsilon must be greater than 0");
    check(json!({ "source": "fashion-mini", "clases": [1] }), "/clases", "did you mean `classes`?");
    check(json!({ "source": "fashion-mini", "classes": [-1] }), "/classes/0", "class numbers begin at 0");
}

#[test]
fn the_other_kinds_check_theirs() {
    assert_eq!(problems("images", &json!({ "scale": 0 }))[0].0, "/scale");
    assert_eq!(problems("images", &json!({ "scale": 33, "columns": 0 })).len(), 2);
    assert_eq!(problems("table", &json!({ "digits": 7 }))[0].0, "/digits");
    assert_eq!(problems("table", &json!({ "row": "method" }))[0].0, "/row");
    assert_eq!(problems("export", &json!({ "picture": true }))[0].0, "/picture");
}

#[test]
fn every_kind_has_a_schema_with_its_parameters() {
    use pddflow_runner::pipeline::Catalog;
    let bench = Bench::new();
    for (kind, parameter) in
        [("dataset", "source"), ("table", "published"), ("images", "scale"), ("export", "pictures")]
    {
        let schema = (bench.library.kind(kind).unwrap().parameters)();
        assert!(schema["properties"][parameter].is_object(), "{kind}: {schema}");
    }
}

#[test]
fn published_means_have_names() {
    let bench = Bench::new();
    let check = |normalize: Value| bench.check("dataset", &json!({ "source": "cifar100", "normalize": normalize }));
    let named = check(json!({ "standard": "cifar10" })).unwrap();
    let given = json!({ "mean": [0.4914, 0.4822, 0.4465], "std": [0.2023, 0.1994, 0.2010] });
    assert_eq!(named, check(json!({ "standard": given })).unwrap(), "both have one key");
    assert!(check(json!({ "standard": "cifar100-continual" })).is_ok());
    let problems = format!("{:?}", check(json!({ "standard": "cifar11" })).unwrap_err());
    assert!(problems.contains("did you mean `cifar10`?"), "{problems}");
    let problems = format!("{:?}", check(json!({ "standard": { "mean": [0.5] } })).unwrap_err());
    assert!(problems.contains("missing field `std`"), "{problems}");
}
