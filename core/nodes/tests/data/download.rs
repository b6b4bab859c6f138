//! Fashion-MNIST from folders and from a server on this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pddflow_artifact::Side;
use serde_json::{Value, json};

use crate::bench::{Bench, text};
use crate::make;

const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The whole set as the system's package installs it.
fn system_folder() -> Option<PathBuf> {
    let folder = Path::new("/usr/share/datasets/fashion-mnist");
    if NAMES.iter().all(|name| folder.join(format!("{name}.gz")).is_file()) {
        return Some(folder.to_owned());
    }
    println!("SKIP: {} is not there (package dataset-fashion-mnist)", folder.display());
    None
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: &str| (format!("/{name}.gz"), fs_err::read(folder.join(format!("{name}.gz"))).unwrap());
    NAMES.iter().map(|name| read(name)).collect()
}

/// A server that gives files, with ranges, and may break off after some bytes of its first answers.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new(files: BTreeMap<String, Vec<u8>>, mut cuts: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let cut = if cuts.is_empty() { usize::MAX } else { cuts.remove(0) };
                answer(stream.unwrap(), &files, cut, &seen);
            }
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, Vec<u8>>, cut: usize, seen: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let lower = |line: &String| line.to_lowercase();
    let range = head.iter().map(lower).find_map(|line| line.strip_prefix("range: bytes=").map(str::to_owned));
    seen.lock().unwrap().push(format!("{path} {}", range.as_deref().unwrap_or("all")));
    let Some(bytes) = files.get(path) else {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        return;
    };
    let start: usize = range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
    let body = &bytes[start.min(bytes.len())..];
    let (total, last) = (bytes.len(), bytes.len().saturating_sub(1));
    let status = match start {
        0 => "200 OK\r\n".to_owned(),
        start if start >= total => "416 Range Not Satisfiable\r\n".to_owned(),
        start => format!("206 Partial Content\r\nContent-Range: bytes {start}-{last}/{total}\r\n"),
    };
    let _ = write!(stream, "HTTP/1.1 {status}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(&body[..cut.min(body.len())]);
}

fn from(server: &str) -> Value {
    json!({ "source": { "fashion-mnist": { "mirror": server } }, "train_per_class": 1 })
}

#[test]
fn the_whole_set_from_a_folder() {
    let Some(folder) = system_folder() else { return };
    let with = json!({ "source": { "fashion-mnist": { "path": text(&folder) } } });
    let data = Bench::new().dataset(&with).unwrap();
    assert_eq!((data.rows(Side::Train), data.rows(Side::Test)), (60_000, 10_000));
    assert!(data.class_rows(Side::Test).iter().all(|rows| rows.len() == 1000));
}

#[test]
fn the_published_mean_and_deviation_are_those_of_the_whole_set() {
    let Some(folder) = system_folder() else { return };
    let with = json!({ "source": { "fashion-mnist": { "path": text(&folder) } }, "normalize": "computed" });
    let (mean, std) = Bench::new().dataset(&with).unwrap().preprocessing().mean_std();
    // methods.md 0.1, printed with four digits.
    assert!((mean[0] - 0.2861).abs() < 1e-4 && (std[0] - 0.3530).abs() < 1e-4, "{mean:?} {std:?}");
}

#[test]
fn a_file_that_is_another_one_is_refused() {
    let bench = Bench::new();
    for name in NAMES {
        bench.write(&format!("f/{name}"), make::idx_labels(&[0]));
    }
    let refusal = bench.refusal(&json!({ "source": { "fashion-mnist": { "path": text(&bench.path("f")) } } }));
    assert!(refusal.contains("is not Fashion-MNIST's file") && refusal.contains("idx"), "{refusal}");
    let refusal = bench.refusal(&json!({ "source": { "fashion-mnist": { "path": text(&bench.path("")) } } }));
    assert!(refusal.contains("data_missing") && refusal.contains("train-images-idx3-ubyte"), "{refusal}");
}

#[test]
fn a_download_is_kept_and_not_repeated() {
    let Some(folder) = system_folder() else { return };
    let server = Server::new(files(&folder), Vec::new());
    let bench = Bench::new();
    let first = bench.dataset_digest(&from(&server.address)).unwrap();
    assert_eq!(server.requests().len(), 4);
    assert_eq!(bench.dataset_digest(&from(&server.address)).unwrap(), first);
    assert_eq!(server.requests(), [""; 0]);
    let left: Vec<_> =
        fs_err::read_dir(bench.path("downloads/fashion-mnist")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
    // A file that is damaged later is fetched again.
    let labels = "downloads/fashion-mnist/t10k-labels-idx1-ubyte.gz";
    bench.write(labels, "damaged");
    assert_eq!(bench.dataset_digest(&from(&server.address)).unwrap(), first);
    assert_eq!(server.requests(), ["/t10k-labels-idx1-ubyte.gz all"]);
}

#[test]
fn a_connection_that_breaks_off_is_continued() {
    let Some(folder) = system_folder() else { return };
    let server = Server::new(files(&folder), vec![1_000_000, 2_000_000]);
    let bench = Bench::new();
    bench.dataset_digest(&from(&server.address)).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 6, "{requests:?}");
    assert_eq!(requests[0], "/train-images-idx3-ubyte.gz all");
    assert_eq!(requests[1], "/train-images-idx3-ubyte.gz 1000000-");
    assert_eq!(requests[2], "/train-images-idx3-ubyte.gz 3000000-");
}

#[test]
fn what_an_earlier_process_left_is_continued() {
    let Some(folder) = system_folder() else { return };
    let files = files(&folder);
    let bench = Bench::new();
    let images = &files["/train-images-idx3-ubyte.gz"];
    let part = "downloads/fashion-mnist/train-images-idx3-ubyte.gz.part";
    bench.write(part, &images[..images.len() - 10]);
    let whole = "downloads/fashion-mnist/train-labels-idx1-ubyte.gz.part";
    bench.write(whole, &files["/train-labels-idx1-ubyte.gz"]);
    let server = Server::new(files.clone(), Vec::new());
    bench.dataset_digest(&from(&server.address)).unwrap();
    assert_eq!(server.requests()[0], format!("/train-images-idx3-ubyte.gz {}-", images.len() - 10));
}

#[test]
fn content_that_is_not_the_pinned_one_is_never_kept() {
    let wrong: BTreeMap<String, Vec<u8>> =
        NAMES.iter().map(|name| (format!("/{name}.gz"), make::gzip(&make::idx_labels(&[1, 2])))).collect();
    let server = Server::new(wrong, Vec::new());
    let bench = Bench::new();
    let refusal = bench.refusal(&from(&server.address));
    assert!(
        refusal.starts_with("pddflow::nodes::download_wrong") && refusal.contains("not the expected file"),
        "{refusal}"
    );
    assert_eq!(fs_err::read_dir(bench.path("downloads/fashion-mnist")).unwrap().count(), 0);
}

#[test]
fn a_server_that_refuses_or_is_away_is_told() {
    let server = Server::new(BTreeMap::new(), Vec::new());
    let refusal = Bench::new().refusal(&from(&server.address));
    assert!(
        refusal.contains("download_refused") && refusal.contains("status 404") && refusal.contains("path"),
        "{refusal}"
    );
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusal = Bench::new().refusal(&from(&format!("http://{gone}")));
    assert!(refusal.contains("download_failed") && refusal.contains("dataset-fashion-mnist"), "{refusal}");
}

#[test]
fn a_download_that_is_stopped_keeps_what_it_has() {
    let Some(folder) = system_folder() else { return };
    let server = Server::new(files(&folder), Vec::new());
    let bench = Bench::new();
    bench.cancel.stop();
    let error = bench.dataset(&from(&server.address)).unwrap_err();
    assert!(error.cancelled);
    assert!(bench.path("downloads/fashion-mnist/train-images-idx3-ubyte.gz.part").exists());
}

#[test]
fn two_processes_at_once_end_with_one_good_file() {
    let Some(folder) = system_folder() else { return };
    let server = Server::new(files(&folder), Vec::new());
    let bench = Bench::new();
    let with = from(&server.address);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| bench.dataset_digest(&with).unwrap())).collect();
        let digests: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        assert!(digests.iter().all(|digest| *digest == digests[0]));
    });
    assert_eq!(server.requests().len(), 4);
}
