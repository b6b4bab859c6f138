//! The report of a run in a real browser, a headless Chromium. Without one the tests say that they were skipped.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a failing test should panic")
)]

mod chromium;
mod pictures;

use chromium::Chromium;
use pddflow_tests::Place;
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

/// Text that would do harm if it became part of the page.
const HOSTILE: &str = "<script>window.harm=1</script><img src=x onerror=window.harm=2>]]>\"'";

/// A place with a run of a fixture, and its report.
fn reported(file: &str, pipeline: &str) -> (Place, PathBuf) {
    let place = Place::new();
    let _ = place.run(&["run", file, "--quiet"]).succeeds();
    let report = place.path(format!("results/{pipeline}/report.html"));
    (place, report)
}

/// Whether nothing is wider than the window.
const FITS: &str = "document.documentElement.scrollWidth <= innerWidth";

#[test]
fn tables_sort_and_copy_and_images_slide() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_place, report) = reported("progressive.yaml", "progressive");
    browser.window(1600, 1000, false);
    browser.open_file(&report);

    // One set at a time, chosen by the slider.
    let stage = "[...document.querySelectorAll('figure.slides')[0].querySelectorAll('.frame')]\
                 .filter(frame => !frame.hidden).map(frame => frame.dataset.stage).join()";
    assert_eq!(browser.text(stage), "1");
    let slide = "(() => { const input = document.querySelector('.slider input'); input.value = 2; \
                 input.dispatchEvent(new Event('input')); })()";
    browser.value(slide);
    assert_eq!(browser.text(stage), "3");
    let said = browser.text("document.querySelector('.slider output').textContent");
    assert_eq!(said, "stage 3 of 3");
    // The keyboard moves it too.
    browser.value("document.querySelector('.slider input').focus()");
    browser.press("ArrowLeft", 37);
    assert_eq!(browser.text(stage), "2");
    let sharp = browser.text("getComputedStyle(document.querySelector('.sharp')).imageRendering");
    assert_eq!(sharp, "pixelated");

    // A click on a head sorts by its column, the best first; another one turns the order.
    let values = "[...document.querySelectorAll('table.results tbody tr')].map(row => row.cells[1].dataset.v).join()";
    let click = "document.querySelectorAll('table.results thead th button')[1].click()";
    let number = |text: &str| text.split(',').map(|value| value.parse::<f64>().unwrap()).collect::<Vec<_>>();
    browser.value(click);
    assert!(number(&browser.text(values)).is_sorted_by(|a, b| a >= b));
    browser.value(click);
    assert!(number(&browser.text(values)).is_sorted());

    // Each form has a line for the head and each row.
    let copied = |browser: &mut Chromium, form: &str| {
        browser.value(&format!(
            "[...document.querySelectorAll('.tools .button')].find(one => one.textContent === '{form}').click()"
        ));
        browser.wait_for("document.querySelector('.copied')?.value.length > 0");
        browser.text("document.querySelector('.copied').value")
    };
    let markdown = copied(&mut browser, "Markdown");
    assert!(markdown.starts_with("| method |") && markdown.lines().count() == 4, "{markdown}");
    assert!(markdown.contains("**"), "the best is marked: {markdown}");
    let latex = copied(&mut browser, "LaTeX");
    assert!(
        latex.contains("\\begin{tabular}{lrl}") && latex.contains("\\textbf{") && latex.contains("$\\pm$"),
        "{latex}"
    );
    let csv = copied(&mut browser, "CSV");
    assert_eq!(csv.lines().next(), Some("method,accuracy,accuracy std,reading"));

    // A box of the graph leads to its panel and opens it.
    browser.value("document.querySelector('svg.network a').dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))");
    browser.wait_for("document.querySelector('details.family[open]') !== null");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.requests(), [format!("file://{}", report.display())]);
}

#[test]
fn the_keyboard_does_what_the_mouse_does() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_place, report) = reported("progressive.yaml", "progressive");
    browser.window(1600, 1000, false);
    browser.open_file(&report);

    // The first stop skips the head, and every control and every part that scrolls is a stop.
    browser.press("Tab", 9);
    assert_eq!(browser.text("document.activeElement.className"), "skip");
    let stops = "[...document.querySelectorAll('a[href], button, input, summary, .scroll, svg.lines')]\
                 .filter(one => one.checkVisibility() && one.tabIndex < 0).map(one => one.outerHTML.slice(0, 80)).join()";
    assert_eq!(browser.text(stops), "");

    let values = "[...document.querySelectorAll('table.results tbody tr')].map(row => row.cells[1].dataset.v).join()";
    browser.value("document.querySelectorAll('table.results thead th button')[1].focus()");
    browser.press("Enter", 13);
    let sorted: Vec<f64> = browser.text(values).split(',').map(|value| value.parse().unwrap()).collect();
    assert!(sorted.is_sorted_by(|a, b| a >= b), "{sorted:?}");

    let said = "document.activeElement.parentElement.querySelector('.under').textContent";
    browser.value("document.querySelector('svg.lines').focus()");
    browser.press("ArrowRight", 39);
    let first = browser.text(said);
    browser.press("ArrowRight", 39);
    assert!(!first.is_empty() && browser.text(said) != first, "{first}");

    browser.value("document.querySelector('svg.network a').focus()");
    browser.press("Enter", 13);
    browser.wait_for("document.querySelector('details.family[open]') !== null");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn nothing_is_wider_than_a_small_or_a_large_window() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_place, report) = reported("smoke.yaml", "smoke");
    for (width, dark) in [(360, false), (360, true), (1600, false), (1600, true)] {
        browser.window(width, 900, dark);
        browser.open_file(&report);
        browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; })");
        assert_eq!(browser.value(FITS), true, "at {width} pixels");
    }
}

#[test]
fn text_reaches_its_contrast_in_light_and_dark() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_place, report) = reported("smoke.yaml", "smoke");
    // WCAG 2: the relative luminances of a text and of what is behind it.
    let worst = "(() => {
        const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
        const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (element) => {
            for (let one = element; one; one = one.parentElement) {
                const found = rgb(getComputedStyle(one).backgroundColor);
                if (found.length < 4 || found[3] > 0.9) return found;
            }
            return [255, 255, 255];
        };
        let worst = [99, ''];
        for (const element of document.querySelectorAll('main *')) {
            if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || element.closest('svg')) continue;
            const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))];
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (contrast < worst[0]) worst = [contrast, element.outerHTML.slice(0, 200)];
        }
        return worst;
    })()";
    for dark in [false, true] {
        browser.window(1200, 900, dark);
        browser.open_file(&report);
        browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; })");
        let found = browser.value(worst);
        assert!(found[0].as_f64().unwrap() >= 4.5, "dark: {dark}: {found}");
    }
}

#[test]
fn the_essentials_are_there_without_a_script() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_place, report) = reported("progressive.yaml", "progressive");
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open_file_without_script(&report);
    let page = browser.document();
    for part in [
        "<table class=\"results\">",
        "data:image/png;base64,",
        "class=\"network\"",
        "class=\"spans\"",
        "<dl class=\"facts\">",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("class=\"slider\""), "a script ran");
}

#[test]
fn hostile_names_and_logs_do_nothing() {
    let Some(mut browser) = Chromium::start() else { return };
    let place = Place::new();
    let quoted = serde_json::to_string(HOSTILE).unwrap();
    let smoke = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    let smoke = smoke.replace("method: DM", &format!("method: {quoted}"));
    let say = format!(
        "  say:\n    kind: command\n    with: {{ run: [sh, -c, 'echo \"$0\"; echo > out.txt', {quoted}], outputs: [out.txt] }}\n"
    );
    place.write("hostile.yaml", smoke + &say);
    let ran = place.run(&["run", "hostile.yaml", "--quiet", "--keep-going"]);
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.err);
    browser.open_file(&place.path("results/smoke/report.html"));
    assert_eq!(browser.value("window.harm === undefined"), true);
    let shown = browser.value(&format!("document.body.textContent.includes({quoted})"));
    assert_eq!(shown, true, "the name is there as text");
    assert_eq!(browser.number("document.querySelectorAll('script').length"), 1.0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn five_megabytes_open_within_a_second() {
    let Some(mut browser) = Chromium::start() else { return };
    let place = Place::new();
    // Logs of 190 lines of 390 letters each.
    place.write(
        "long.yaml",
        "format: 1\nname: long\nnodes:\n  say:\n    for: { n: 0..62 }\n    kind: command\n    with:\n      \
         run: [sh, -c, \"for i in $(seq 190); do printf '%0390d\\n' $i; done; echo ${n} > out.txt\"]\n      outputs: [out.txt]\n",
    );
    let _ = place.run(&["run", "long.yaml", "--quiet"]).succeeds();
    let report = place.path("results/long/report.html");
    let size = fs_err::metadata(&report).unwrap().len();
    assert!((4_000_000..=5_000_000).contains(&size), "{size} bytes");
    browser.open_file(&report);
    let seconds = (0..3).map(|_| browser.open_file(&report)).fold(f64::INFINITY, f64::min);
    println!("{size} bytes open in {seconds:.2} s");
    // Machines that run this are shared.
    let slowness: f64 = std::env::var("PDDFLOW_SLOWNESS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    assert!(seconds < slowness, "{seconds} s");
}

#[test]
fn a_page_that_is_served_follows_the_run() {
    let Some(mut browser) = Chromium::start() else { return };
    let (place, _) = reported("smoke.yaml", "smoke");
    let mut server = place.command(&["report", "--live"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    browser.open(&address);
    let run = "document.querySelector('#provenance dd').textContent";
    let first = browser.text(run);
    browser.value("document.querySelector('details.family').open = true");
    let opened = browser.text("document.querySelector('details.family').id");
    let _ = place.run(&["run", "smoke.yaml", "--quiet", "--force=table"]).succeeds();
    browser.wait_for(&format!("{run} !== {}", serde_json::to_string(&first).unwrap()));
    browser.wait_for(&format!("document.getElementById('{opened}').open"));
    let own = |asked: &String| asked.starts_with(&address);
    assert!(browser.requests().iter().all(own), "{:?}", browser.requests());
    assert_eq!(browser.complaints(), Vec::<String>::new());
    server.kill().unwrap();
    server.wait().unwrap();
}
