//! The script of a batch: the same for all its tasks, which differ by their number alone.

use std::path::Path;

/// The text of the script. `setup` are lines of the user, such as `module load cuda`. The program takes the place of the shell,
/// so that it gets the signals that Slurm sends.
pub(crate) fn script(program: &Path, jobs: &Path, setup: &[String]) -> String {
    let mut text = String::from("#!/bin/bash\n");
    for line in setup {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!(
        "exec {} work {} --task \"$SLURM_ARRAY_TASK_ID\"\n",
        quoted(&program.to_string_lossy()),
        quoted(&jobs.to_string_lossy())
    ));
    text
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Numbers of tasks as Slurm writes them: `1-3,5`.
pub(crate) fn ranges(tasks: impl IntoIterator<Item = u32>) -> String {
    let mut tasks: Vec<u32> = tasks.into_iter().collect();
    tasks.sort_unstable();
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for task in tasks {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == task => *last = task,
            _ => spans.push((task, task)),
        }
    }
    let text = |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    spans.into_iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_takes_the_place_of_the_shell() {
        let text = script(Path::new("/opt/it's/pddflow"), Path::new("/s/jobs"), &["module load cuda".to_owned()]);
        assert_eq!(
            text,
            "#!/bin/bash\nmodule load cuda\nexec '/opt/it'\\''s/pddflow' work '/s/jobs' --task \"$SLURM_ARRAY_TASK_ID\"\n"
        );
    }

    #[test]
    fn neighbours_become_ranges() {
        assert_eq!(ranges([5, 1, 2, 3, 9, 8]), "1-3,5,8-9");
        assert_eq!(ranges([4]), "4");
        assert_eq!(ranges([]), "");
    }
}
