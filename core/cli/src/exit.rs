//! Exit codes: part of the program's promise to scripts. Changing a number is a breaking change.

use std::process::ExitCode;

/// How the program ends.
///
/// | code | meaning |
/// |---|---|
/// | 0 | all that was asked for is done |
/// | 1 | a node failed; with `plan --check`, a node is stale |
/// | 2 | the command line is wrong |
/// | 3 | the pipeline file has errors; nothing ran |
/// | 4 | a plugin could not be found or loaded; nothing ran |
/// | 5 | the store or a remote could not be read or written, or holds damage; finished work is kept |
/// | 6 | `work`: the task would be computed under another key here; nothing was computed |
/// | 70 | an error inside pddflow; please report it |
/// | 75 | `work`: the task stopped and goes on from its checkpoint |
/// | 130 | interrupted; finished work is kept |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    NodeFailed = 1,
    Usage = 2,
    Pipeline = 3,
    Plugin = 4,
    Store = 5,
    Refused = 6,
    Internal = 70,
    Continue = 75,
    Interrupted = 130,
}

/// The same, as shown by `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a node failed, or plan --check found a stale node
  2    the command line is wrong
  3    the pipeline file has errors
  4    a plugin could not be found or loaded
  5    the store could not be read or written
  6    work: the task is refused, because its result would have another key here
  70   an error inside pddflow; please report it
  75   work: the task stopped and goes on from its checkpoint
  130  interrupted; finished work is kept";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_code() {
        use Exit::*;
        for exit in [Ok, NodeFailed, Usage, Pipeline, Plugin, Store, Refused, Internal, Continue, Interrupted] {
            let code = format!("\n  {:<5}", exit as u8);
            assert!(EXIT_CODES.contains(&code), "{exit:?}");
        }
        assert_eq!(EXIT_CODES.lines().count(), 11, "a code in the help that does not exist");
    }
}
