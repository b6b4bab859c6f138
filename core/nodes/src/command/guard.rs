//! The guard of a program: a shell beside it that outlives this process when that is killed.
//!
//! It waits on its input, whose other end is held here and nowhere else. At a line, or when the input ends because this
//! process is gone, it ends the program's process group, politely first. Then it waits for a second line, which says that
//! the work folder is removed; when there is none, it removes the folder itself.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Arguments: the process group, the work folder, the file that says that the group has ended.
const GUARD: &str = r#"read -r asked
if kill -s TERM -- "-$1" 2>/dev/null; then
  for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; kill -s 0 -- "-$1" 2>/dev/null || break; done
  kill -s KILL -- "-$1" 2>/dev/null
fi
[ -n "$asked" ] && { true > "$3"; read -r removed; }
[ -n "$removed" ] || rm -rf -- "$2""#;
/// The file that it makes when the group has ended.
const ENDED: &str = "ended";

/// Starts the guard of a process group and its work folder.
pub(super) fn start(group: u32, folder: &Path) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "sh", &group.to_string()]).arg(folder).arg(folder.join(ENDED));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    grouped(&mut command).spawn()
}

/// In a process group of its own: Ctrl-C on the terminal is for pddflow, which passes it on in its way.
#[cfg(unix)]
pub(super) fn grouped(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0)
}

#[cfg(not(unix))]
pub(super) fn grouped(command: &mut Command) -> &mut Command {
    command
}

/// Asks the guard to end the group.
pub(super) fn end(guard: &mut Child) {
    tell(guard);
}

/// Whether the group has ended, or its guard has.
pub(super) fn has_ended(guard: &mut Child, folder: &Path) -> bool {
    folder.join(ENDED).exists() || !matches!(guard.try_wait(), Ok(None))
}

/// Tells the guard that the folder is removed, and waits for its end.
pub(super) fn dismiss(guard: &mut Child) {
    tell(guard);
    drop(guard.stdin.take());
    let _ = guard.wait();
}

fn tell(guard: &mut Child) {
    if let Some(input) = &mut guard.stdin {
        // A guard that is gone needs to be told nothing.
        let _ = input.write_all(b"go on\n");
    }
}
