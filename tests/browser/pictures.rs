//! Pictures of reports, for the docs: `PDDFLOW_PICTURES=FOLDER PDDFLOW_REPORTS=NAME=FILE,NAME=FILE`.

use crate::chromium::Chromium;
use std::path::{Path, PathBuf};

/// Widths and heights of the windows, and whether they are dark.
const WINDOWS: [(&str, u32, u32, bool); 3] =
    [("small", 360, 1400, false), ("wide", 1600, 1250, false), ("dark", 1600, 1250, true)];

#[test]
fn pictures_are_taken_where_they_are_asked_for() {
    let (Some(folder), Ok(reports)) = (std::env::var_os("PDDFLOW_PICTURES"), std::env::var("PDDFLOW_REPORTS")) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let Some(mut browser) = Chromium::start() else { return };
    for (name, file) in reports.split(',').filter_map(|report| report.split_once('=')) {
        for (window, width, height, dark) in WINDOWS {
            browser.window(width, height, dark);
            browser.open_file(&Path::new(file).canonicalize().unwrap());
            fs_err::write(folder.join(format!("{name}-{window}.png")), browser.picture()).unwrap();
        }
    }
}
