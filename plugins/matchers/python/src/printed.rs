//! What the process prints, on its way into the node's log.

use pddflow_sdk::Iteration;

/// Longer lines are cut, so many bytes from their beginning.
const MOST_LINE_BYTES: usize = 2000;
/// Lines of one iteration that are kept, from the beginning and from the end.
const MOST_LINES: (usize, usize) = (200, 200);

/// Hands lines on to the node's log, without those in the middle where they are many.
pub(crate) fn log(run: &Iteration<'_>, bytes: &[u8]) {
    for line in shown(bytes) {
        // A log that is refused (the run was cancelled) must not hide why there is something to log.
        let _ = run.log(&line);
    }
}

/// The lines to be shown.
fn shown(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = MOST_LINES;
    if lines.len() <= first + last {
        return lines.into_iter().map(cut).collect();
    }
    let between = format!("... {} lines are left out ...", lines.len() - first - last);
    let begin = lines[..first].iter().copied().map(cut);
    begin.chain([between]).chain(lines[lines.len() - last..].iter().copied().map(cut)).collect()
}

fn cut(line: &str) -> String {
    if line.len() <= MOST_LINE_BYTES {
        return line.to_owned();
    }
    let end = (0..=MOST_LINE_BYTES).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    format!("{} ...", &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lines_lose_their_middle_and_long_ones_their_end() {
        let many: String = (0..1000).map(|number| format!("{number}\n")).collect();
        let lines = shown(many.as_bytes());
        assert_eq!(lines.len(), 401);
        assert_eq!((lines[199].as_str(), lines[400].as_str()), ("199", "999"));
        assert!(lines[200].contains("600 lines"));
        let long = shown("ä".repeat(3000).as_bytes());
        assert!(long.len() == 1 && long[0].len() < MOST_LINE_BYTES + 8, "{}", long[0].len());
        assert_eq!(shown(b"a\nb"), ["a", "b"]);
    }
}
