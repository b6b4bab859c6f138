//! From nothing to an accuracy with a plugin of one's own.

use pddflow_tests::Place;

/// Makes, builds and runs a plugin as the program says it is done; the name is in the table.
fn walk(name: &str, more: &[&str]) {
    let place = Place::new();
    let made = place.run(&[&["plugin", "new", name][..], more].concat()).succeeds();
    assert!(made.out.contains("pddflow plugin build"), "{}", made.out);
    // A folder that is there is never written into.
    let again = place.run(&[&["plugin", "new", name][..], more].concat());
    again.ends_with(2).says(&["exists already", "nothing was changed"]);

    let plugins = place.path("plugins");
    let to = plugins.to_str().unwrap();
    let _ = place.run(&["plugin", "build", name, "--to", to]).succeeds();
    let listed = place.run(&["plugin", "list", "--plugin-dir", to]).succeeds().out;
    assert!(listed.contains(name), "{listed}");
    let file = format!("{name}/pipeline.yaml");
    let ran = place.run(&["run", &file, "--profile", "test", "--plugin-dir", to]).succeeds();
    assert!(ran.out.contains(name), "the table has no row of the plugin:\n{}", ran.out);
}

#[test]
fn a_matcher_in_rust() {
    walk("my-matcher", &[]);
}

#[test]
fn a_model_in_rust() {
    walk("my-net", &["--model"]);
}

#[test]
fn a_matcher_in_c() {
    if std::process::Command::new("cc").arg("--version").output().is_err() {
        println!("SKIPPED: there is no C compiler `cc`");
        return;
    }
    walk("my-c-matcher", &["--lang", "c"]);
}

/// What is made in Python runs without a build, and its test passes by itself; nothing needs this repository.
#[test]
fn a_matcher_in_python() {
    let Some(python) = crate::python_matcher::python() else { return };
    let place = Place::new();
    let made = place.run(&["plugin", "new", "my-loss", "--lang", "python"]).succeeds();
    assert!(made.out.contains("my-loss/matcher.py") && !made.out.contains("plugin build"), "{}", made.out);
    place.run(&["plugin", "new", "my-loss", "--lang", "python"]).ends_with(2).says(&["exists already"]);
    place.run(&["plugin", "new", "net", "--lang", "python", "--model"]).ends_with(2).says(&["no example of a model"]);
    place.run(&["plugin", "build", "my-loss"]).ends_with(2).says(&["a matcher in Python is not built"]);
    let mut test = std::process::Command::new(python);
    test.current_dir(place.path("my-loss")).args(["-m", "unittest", "-v"]).env("PDDFLOW", pddflow_tests::program());
    let test = test.output().unwrap();
    let said = String::from_utf8_lossy(&test.stderr);
    assert!(test.status.success() && said.contains("Ran 3 tests") && !said.contains("skipped"), "{said}");
}

/// What the host refuses of a plugin in C is told with the lines that passed it on, the innermost first.
#[test]
fn an_error_has_the_line_in_c_too() {
    if std::process::Command::new("cc").arg("--version").output().is_err() {
        println!("SKIPPED: there is no C compiler `cc`");
        return;
    }
    let place = Place::new();
    let _ = place.run(&["plugin", "new", "wrong", "--lang", "c"]).succeeds();
    let source = fs_err::read_to_string(place.path("wrong/plugin.c")).unwrap();
    let broken =
        source.replace("real_batch(call, (int64_t)class_index,", "real_batch(call, (int64_t)class_index + 77,");
    let line = |of: &str| broken.lines().position(|line| line.contains(of)).unwrap() + 1;
    let lines = [line("class_index + 77"), line("TRY(class_loss(")];
    place.write("wrong/plugin.c", &broken);
    let _ = place.run(&["plugin", "build", "wrong", "--to", "plugins"]).succeeds();
    let ran = place.run(&["run", "wrong/pipeline.yaml", "--profile", "test", "--plugin-dir", "plugins"]).ends_with(1);
    ran.says(&[
        "class 77 is not one of the 10 classes",
        &format!("; at plugin.c:{}; at plugin.c:{}", lines[0], lines[1]),
    ]);
}

#[test]
fn sources_that_do_not_compile_install_nothing() {
    let place = Place::new();
    let _ = place.run(&["plugin", "new", "broken", "--lang", "c"]).succeeds();
    place.write("broken/plugin.c", "int nothing(");
    place.run(&["plugin", "build", "broken", "--to", "plugins"]).ends_with(2).says(&["failed", "mend the sources"]);
    assert!(!place.path("plugins").exists());
    place.run(&["plugin", "build", ".", "--to", "plugins"]).ends_with(2).says(&["no folder of a plugin", "plugin new"]);
}
