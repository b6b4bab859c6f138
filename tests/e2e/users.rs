//! Two users of one group on one store: what one made is fresh for the other, and nobody can spoil anything.

use pddflow_tests::{Place, Ran, program};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const TEAM: u32 = 40_000;
const USERS: [u32; 2] = [40_001, 40_002];
const PIPELINE: &str = "\
format: 1
params: { word: one }
nodes:
  a:
    kind: command
    with: { run: [sh, -c, 'echo a > out.txt'], outputs: [out.txt] }
  b:
    kind: command
    needs: { inputs: a }
    with: { run: [sh, -c, 'echo ${word} > out.txt'], outputs: [out.txt] }
";

/// A folder with a store that the group can write to, and a folder of results for each user; none without the right to
/// act as another user.
fn shared() -> Option<Place> {
    let place = Place::new();
    place.write("team.yaml", PIPELINE);
    if fs_err::metadata(place.path("team.yaml")).unwrap().uid() != 0 {
        println!("SKIP: only root can act as two users");
        return None;
    }
    // Others may look into neither a build folder nor a temporary one.
    fs_err::copy(program(), place.path("pddflow")).unwrap();
    fs_err::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    folder(&place, "store", (0, 0o2775));
    USERS.iter().for_each(|user| folder(&place, &user.to_string(), (*user, 0o755)));
    Some(place)
}

fn folder(place: &Place, name: &str, (owner, mode): (u32, u32)) {
    fs_err::create_dir(place.path(name)).unwrap();
    chown(place.path(name), Some(owner), Some(TEAM)).unwrap();
    fs_err::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
}

/// A run by one of the users, with the file permissions that `umask` leaves.
fn run_by(place: &Place, user: u32, umask: &str, word: &str) -> Ran {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!(
        "umask {umask}; exec ./pddflow run team.yaml --json --set word={word} --cache-dir store --results {user}"
    ));
    shell
        .current_dir(place.path(""))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place.path(user.to_string()));
    shell.uid(user).gid(TEAM).output().unwrap().into()
}

#[test]
fn two_users_of_a_group_share_a_store() {
    let Some(place) = shared() else { return };
    let [one, two] = USERS;
    assert_eq!(run_by(&place, one, "002", "one").succeeds().nodes("node_started"), ["a", "b"]);
    // Found, and added to.
    let again = run_by(&place, two, "002", "one").succeeds();
    assert_eq!((again.nodes("node_fresh"), again.nodes("node_started")), (vec!["a".into(), "b".into()], vec![]));
    assert_eq!(run_by(&place, two, "002", "two").succeeds().nodes("node_started"), ["b"]);
    assert_eq!(run_by(&place, one, "002", "two").succeeds().nodes("node_started"), Vec::<String>::new());
    // Both at the same time.
    std::thread::scope(|scope| {
        for user in USERS {
            let place = &place;
            scope.spawn(move || run_by(place, user, "002", "three").succeeds());
        }
    });
    let _ = place.run(&["cache", "verify", "--cache-dir", "store"]).succeeds();
}

#[test]
fn a_user_who_may_only_read_gets_what_is_there() {
    let Some(place) = shared() else { return };
    let [one, two] = USERS;
    let _ = run_by(&place, one, "022", "one").succeeds();
    let again = run_by(&place, two, "022", "one").succeeds();
    assert_eq!(again.nodes("node_started"), Vec::<String>::new());
    run_by(&place, two, "022", "two").ends_with(5).says(&["pddflow::cache::read_only"]);
    // The refusal left nothing behind that is in the way of the owner.
    assert_eq!(run_by(&place, one, "022", "two").succeeds().nodes("node_started"), ["b"]);
}
