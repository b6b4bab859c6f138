//! Transfers with folders and with servers on this machine.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod server;

use pddflow_cache::{Digest, Key, KeyBuilder, Record, RecordHead, Store};
use pddflow_remote::{Options, Pulled, Pushed, Remote, RemoteError};
use server::{Server, Speaks};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

/// A store in a folder of its own.
struct Here {
    _folder: TempDir,
    store: Store,
}

impl Here {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { _folder: folder, store }
    }

    /// With three records; two of them share an artifact.
    fn full() -> Self {
        let here = Self::empty();
        let [data, set, net] = [&b"images"[..], b"a set", b"weights"].map(|bytes| here.store.put(bytes).unwrap());
        here.record("dataset", &[("data", data)]);
        here.record("distill", &[("set", set), ("data", data)]);
        here.record("train", &[("net", net)]);
        here
    }

    fn record(&self, kind: &str, outputs: &[(&str, Digest)]) -> Key {
        let record = record(kind, outputs);
        self.store.put_record(&record).unwrap();
        record.key
    }

    fn keys(&self) -> Vec<Key> {
        self.store.record_keys().unwrap()
    }

    fn push(&self, remote: &Remote) -> Result<Pushed, RemoteError> {
        remote.push(&self.store, &self.keys(), &Options::default(), &|_| {})
    }

    fn pull(&self, remote: &Remote, keys: &[Key]) -> Result<Pulled, RemoteError> {
        remote.pull(&self.store, keys, &Options::default(), &|_| {})
    }

    /// That it has what a full one has, all of it right.
    #[track_caller]
    fn is_like(&self, other: &Self) {
        assert_eq!(self.keys(), other.keys());
        for key in self.keys() {
            let record = self.store.record(&key).unwrap().unwrap();
            assert_eq!(Some(&record), other.store.record(&key).unwrap().as_ref());
            record.outputs.values().for_each(|digest| drop(self.store.get(digest).unwrap()));
        }
        let verified = self.store.verify(1).unwrap();
        assert_eq!(verified.damaged, [""; 0]);
    }
}

fn record(kind: &str, outputs: &[(&str, Digest)]) -> Record {
    let (key, parts) = KeyBuilder::new().part("kind", kind.into()).finish().unwrap();
    let outputs = outputs.iter().map(|(port, digest)| ((*port).to_owned(), *digest)).collect();
    let metrics = BTreeMap::from([("accuracy".to_owned(), 0.5)]);
    let (log, program) = (vec!["said".to_owned()], "test".to_owned());
    Record {
        parts,
        made_on: None,
        head: RecordHead { key, outputs, lengths: std::iter::empty().collect(), metrics, seconds: 1.0, log, program },
    }
}

fn credentials(server: &Server) -> Vec<(String, String)> {
    let pairs = [("AWS_ACCESS_KEY_ID", "name"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_UNKNOWN", "x")];
    let pairs = pairs.into_iter().chain([("AWS_ENDPOINT_URL", server.address.as_str())]);
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn http(server: &Server) -> Remote {
    Remote::open(&format!("{}/base/of results/", server.address), &[]).unwrap()
}

fn s3(server: &Server) -> Remote {
    Remote::open("s3://bucket/some/prefix", &credentials(server)).unwrap()
}

fn folder(path: &Path) -> Remote {
    Remote::open(&path.display().to_string(), &[]).unwrap()
}

/// What holds for every place.
#[track_caller]
fn check_round_trip(remote: &Remote) {
    let here = Here::full();
    let dry =
        remote.push(&here.store, &here.keys(), &Options { dry_run: true, ..Options::default() }, &|_| {}).unwrap();
    let first = here.push(remote).unwrap();
    assert_eq!((first.records, first.artifacts, first.bytes, first.there), (3, 3, 18, 0));
    assert_eq!(dry, first);
    let second = here.push(remote).unwrap();
    assert_eq!((second.records, second.artifacts, second.bytes, second.there), (0, 0, 0, 3));

    let there = Here::empty();
    let keys = remote.record_keys().unwrap();
    assert_eq!(keys, here.keys());
    let dry = remote.pull(&there.store, &keys, &Options { dry_run: true, ..Options::default() }, &|_| {}).unwrap();
    assert_eq!((there.keys(), dry.records.len(), dry.bytes), (Vec::new(), 3, 18));
    let pulled = there.pull(remote, &keys).unwrap();
    assert_eq!((pulled.records.len(), pulled.artifacts, pulled.bytes, pulled.absent), (3, 3, 18, 0));
    there.is_like(&here);
    let unknown = record("nowhere", &[]).key;
    let pulled = there.pull(remote, &[keys[0], unknown]).unwrap();
    assert_eq!((pulled.records.len(), pulled.artifacts, pulled.there, pulled.absent), (0, 0, 1, 1));
}

#[test]
fn a_folder_keeps_results_and_is_a_store() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new/results");
    assert!(matches!(folder(&path).record_keys(), Err(RemoteError::NotFound { .. })));
    check_round_trip(&Remote::open(&format!("file://{}", path.display()), &[]).unwrap());
    assert_eq!(Store::open(&path).unwrap().verify(1).unwrap().records, 3);
    check_damage(&folder(&path), &|name, bytes| fs_err::write(path.join(name), bytes).unwrap());
}

#[test]
fn an_http_server_keeps_results() {
    let server = Server::new(Speaks::WebDav);
    check_round_trip(&http(&server));
    check_damage(&http(&server), &|name, bytes| server.put(&format!("base/of%20results/{name}"), bytes.to_vec()));
}

#[test]
fn s3_keeps_results() {
    let server = Server::new(Speaks::S3);
    check_round_trip(&s3(&server));
    check_damage(&s3(&server), &|name, bytes| server.put(&format!("bucket/some/prefix/{name}"), bytes.to_vec()));
}

/// Damages an artifact, then a record, of a place that a full store was pushed to.
#[track_caller]
fn check_damage(remote: &Remote, put: &dyn Fn(&str, &[u8])) {
    let (set, key) = (Digest::of(b"a set").hex(), record("train", &[]).key.hex());
    let artifact = format!("v1/artifacts/{}/{set}", &set[..2]);
    put(&artifact, b"A set");
    let file = format!("v1/records/{}/{key}.json", &key[..2]);
    put(&file, b"{\"format\":1}");
    let there = Here::empty();
    let pulled = there.pull(remote, &remote.record_keys().unwrap()).unwrap();
    assert_eq!(pulled.records, [record("dataset", &[]).key]);
    assert_eq!(pulled.damaged.len(), 2, "{:?}", pulled.damaged);
    assert!(pulled.damaged[0].contains(&file) && pulled.damaged[0].contains("digest"), "{:?}", pulled.damaged);
    assert!(pulled.damaged[1].contains(&artifact) && pulled.damaged[1].contains("digest"), "{:?}", pulled.damaged);
    assert!(!there.store.contains(&Digest::of(b"a set")));
    assert_eq!(there.keys(), [record("dataset", &[]).key]);
    // A push mends a record; and an artifact of another length, such as an empty one.
    put(&artifact, b"");
    let here = Here::full();
    let pushed = here.push(remote).unwrap();
    assert_eq!((pushed.records, pushed.artifacts, pushed.there), (1, 1, 2));
    assert_eq!(there.pull(remote, &here.keys()).unwrap().records.len(), 2);
    there.is_like(&here);
}

#[test]
fn a_push_that_breaks_off_leaves_no_record_without_its_artifacts() {
    let here = Here::full();
    for speaks in [Speaks::WebDav, Speaks::S3] {
        for broken in ["a set", "weights", "images"] {
            let server = Server::new(speaks);
            let remote = if speaks == Speaks::S3 { s3(&server) } else { http(&server) };
            let hex = Digest::of(broken.as_bytes()).hex();
            server.refuse(move |method, path| (method == "PUT" && path.contains(&hex)).then_some(403));
            let error = here.push(&remote).unwrap_err();
            assert!(matches!(error, RemoteError::Denied { .. }), "{error}");
            assert!(error.to_string().contains("writing artifact b3:"), "{error}");
            assert_eq!(server.files("/records/").len(), 0);
            server.refuse(|_, _| None);
            let again = here.push(&remote).unwrap();
            assert_eq!((again.records, server.files("/artifacts/").len()), (3, 3));
            // What had arrived is not sent again; requests that were under way may have, or not.
            assert!((1..=3).contains(&again.artifacts), "{}", again.artifacts);
        }
    }
}

#[test]
fn a_pull_that_breaks_off_is_repeated() {
    let (here, there) = (Here::full(), Here::empty());
    let server = Server::new(Speaks::WebDav);
    let remote = http(&server);
    here.push(&remote).unwrap();
    server.cut(Some(3));
    // Artifacts come piece by piece as long as each request brings some of it.
    server.refuse(|method, path| (method == "GET" && path.contains("/artifacts/")).then_some(503));
    let error = there.pull(&remote, &here.keys()).unwrap_err();
    assert!(matches!(error, RemoteError::Interrupted { .. }), "{error}");
    assert!(error.help().contains("again"));
    assert_eq!(there.keys(), []);
    server.refuse(|_, _| None);
    assert_eq!(there.pull(&remote, &here.keys()).unwrap().records.len(), 3);
    there.is_like(&here);
}

#[test]
fn a_pushed_record_stays_as_it_is_while_it_is_whole() {
    let server = Server::new(Speaks::WebDav);
    let remote = http(&server);
    let (one, other) = (Here::empty(), Here::empty());
    one.record("command", &[("out", one.store.put(b"one").unwrap())]);
    other.record("command", &[("out", other.store.put(b"other").unwrap())]);
    one.push(&remote).unwrap();
    let pushed = other.push(&remote).unwrap();
    assert_eq!((pushed.records, pushed.artifacts, pushed.there), (0, 0, 1));
    // Once its artifact is gone there, it is of no use.
    let path = server.files("/artifacts/").into_keys().next().unwrap();
    server.remove(&path);
    let pushed = other.push(&remote).unwrap();
    assert_eq!((pushed.records, pushed.artifacts, pushed.there), (1, 1, 0));
}

#[test]
fn what_is_damaged_or_gone_here_is_not_pushed() {
    let here = Here::full();
    let server = Server::new(Speaks::S3);
    fs_err::remove_file(here.store.artifact_path(&Digest::of(b"weights"))).unwrap();
    let set = here.store.artifact_path(&Digest::of(b"a set"));
    fs_err::remove_file(&set).unwrap();
    fs_err::write(&set, "A set").unwrap();
    let pushed = here.push(&s3(&server)).unwrap();
    assert_eq!((pushed.records, pushed.artifacts, pushed.incomplete), (1, 1, 1));
    assert!(pushed.damaged.len() == 1 && pushed.damaged[0].contains("damaged"), "{:?}", pushed.damaged);
    assert_eq!(server.files("/records/").len(), 1);
    assert_eq!(server.files("/artifacts/").len(), 1);
}

#[test]
fn large_artifacts_go_in_parts_and_come_back() {
    let (here, there) = (Here::empty(), Here::empty());
    let bytes: Vec<u8> = (0..(65 << 20) + 3_u32).map(|at| (at >> 7) as u8).collect();
    let key = here.record("train", &[("net", here.store.put(&bytes).unwrap())]);
    let server = Server::new(Speaks::S3);
    let seen = Mutex::new(Vec::new());
    let note = |progress: pddflow_remote::Progress| seen.lock().unwrap().push(progress.bytes);
    s3(&server).push(&here.store, &[key], &Options::default(), &note).unwrap();
    let requests = server.requests();
    assert_eq!(requests.iter().filter(|request| request.starts_with("POST")).count(), 2, "{requests:?}");
    assert!(seen.into_inner().unwrap().windows(2).filter(|pair| pair[1] > pair[0]).count() >= 5);
    assert_eq!(there.pull(&s3(&server), &[key]).unwrap().bytes, bytes.len() as u64);
    there.is_like(&here);
}

#[test]
fn a_server_of_files_can_be_pulled_from_by_key() {
    let here = Here::full();
    let server = Server::new(Speaks::Files);
    let root = here.store.root();
    here.store.commit().unwrap();
    for key in here.keys() {
        let record = here.store.record(&key).unwrap().unwrap();
        let paths = record.outputs.values().map(|digest| here.store.artifact_path(digest));
        for path in paths.chain([here.store.record_path(&key)]) {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            server.put(&format!("base/of%20results/{name}"), fs_err::read(path).unwrap());
        }
    }
    let (remote, there) = (http(&server), Here::empty());
    assert_eq!(there.pull(&remote, &here.keys()).unwrap().records.len(), 3);
    there.is_like(&here);
    let error = remote.record_keys().unwrap_err();
    assert!(matches!(error, RemoteError::Unsupported { .. }), "{error}");
    assert!(error.help().contains("cache pull URL FILE"));
    here.record("new", &[("out", here.store.put(b"new").unwrap())]);
    let error = here.push(&remote).unwrap_err();
    assert!(matches!(error, RemoteError::Unsupported { .. }), "{error}");
}

/// Error and its causes.
fn told(error: &RemoteError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn errors_say_what_is_wrong() {
    let server = Server::new(Speaks::S3);
    let missing = Remote::open("s3://nobody/x", &credentials(&server)).unwrap();
    let here = Here::full();
    for error in [missing.record_keys().unwrap_err(), here.push(&missing).unwrap_err()] {
        assert!(matches!(error, RemoteError::NotFound { .. }), "{}", told(&error));
        assert!(told(&error).contains("s3://nobody/x is not there: the server answered 404"), "{}", told(&error));
        assert!(told(&error).contains("NoSuchBucket: no"), "{}", told(&error));
    }
    let mut stranger = credentials(&server);
    stranger[0].1 = "stranger".to_owned();
    let error = Remote::open("s3://bucket/x", &stranger).unwrap().record_keys().unwrap_err();
    assert!(matches!(error, RemoteError::Denied { .. }), "{}", told(&error));
    assert!(told(&error).contains("AccessDenied") && error.help().contains("AWS_ACCESS_KEY_ID"), "{}", told(&error));

    // Nobody listens at the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Remote::open(&format!("http://u:secret@{gone}/x"), &[]).unwrap().record_keys().unwrap_err();
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{}", told(&error));
    assert!(told(&error).contains("cannot be reached") && !told(&error).contains("secret"), "{}", told(&error));
}

#[test]
fn a_name_and_a_password_are_sent_and_not_shown() {
    let server = Server::new(Speaks::WebDav);
    let address = server.address.replace("http://", "http://me:secret@");
    let remote = Remote::open(&address, &[]).unwrap();
    assert_eq!(remote.url(), server.address);
    check_round_trip(&remote);
}
