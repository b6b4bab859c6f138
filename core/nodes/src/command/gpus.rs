//! The graphics processors of a program: it sees its node's alone.

use std::ffi::OsStr;

/// What CUDA, and what is written for it, reads to find out which devices there are: numbers or names, separated by commas.
pub(super) const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";
/// The driver has a folder for each device here.
const DRIVER: &str = "/proc/driver/nvidia/gpus";

/// How many graphics processors programs may use on this machine, to be shared by nodes that run at once; at least one, so that
/// nodes that ask for one take turns where none is found.
#[must_use]
pub fn visible_gpus() -> usize {
    let named = std::env::var_os(VISIBLE).map(|list| names(&list).len());
    let found = || fs_err::read_dir(DRIVER).map_or(0, Iterator::count);
    named.unwrap_or_else(found).max(1)
}

/// What [`VISIBLE`] is for a program that has the devices with these numbers, of those that this process sees.
pub(super) fn shown(numbers: &[usize]) -> String {
    choice(numbers, &std::env::var_os(VISIBLE).map(|list| names(&list)).unwrap_or_default())
}

fn choice(numbers: &[usize], names: &[String]) -> String {
    let name = |number: &usize| names.get(*number).cloned().unwrap_or_else(|| number.to_string());
    numbers.iter().map(name).collect::<Vec<_>>().join(",")
}

/// Those of a list; what stands behind a name that is none is not read, as with CUDA.
fn names(list: &OsStr) -> Vec<String> {
    let list = list.to_string_lossy();
    list.split(',').map(str::trim).take_while(|name| !name.is_empty() && *name != "-1").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_what_this_process_sees() {
        assert_eq!(choice(&[1], &[]), "1");
        assert_eq!(choice(&[0, 2], &names(OsStr::new("4, GPU-7f,6"))), "4,6");
        assert_eq!(choice(&[1], &names(OsStr::new("4,GPU-7f,6"))), "GPU-7f");
    }

    #[test]
    fn a_list_ends_at_what_is_no_device() {
        assert!(names(OsStr::new("")).is_empty());
        assert_eq!(names(OsStr::new("3,-1,2")), ["3"]);
    }
}
