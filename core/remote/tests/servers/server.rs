//! A small server on this machine that keeps files in memory and speaks as much WebDAV or S3 as transfers need.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The bucket that there is.
const BUCKET: &str = "bucket/";
const WHEN: &str = "Sat, 21 Nov 2026 10:00:00 GMT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// GET and HEAD alone, as a server of files does.
    Files,
    WebDav,
    S3,
}

/// Decides from method and path which status a request gets instead of an answer.
type Refuse = Box<dyn Fn(&str, &str) -> Option<u16> + Send>;

struct State {
    speaks: Speaks,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: Mutex<Vec<String>>,
    refuse: Mutex<Refuse>,
    /// Bytes after which bodies of artifacts break off.
    cut: Mutex<Option<usize>>,
    parts: Mutex<BTreeMap<usize, Vec<u8>>>,
}

pub(crate) struct Server {
    /// `http://127.0.0.1:<port>`
    pub(crate) address: String,
    state: Arc<State>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Server {
    pub(crate) fn new(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            speaks,
            files: Mutex::default(),
            requests: Mutex::default(),
            refuse: Mutex::new(Box::new(|_, _| None)),
            cut: Mutex::default(),
            parts: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { address, state }
    }

    /// Requests since the last call: method and path.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.requests.lock().unwrap())
    }

    /// Refuses what is told so from now on.
    pub(crate) fn refuse(&self, refuse: impl Fn(&str, &str) -> Option<u16> + Send + 'static) {
        *self.state.refuse.lock().unwrap() = Box::new(refuse);
    }

    /// Breaks bodies of artifacts off after so many bytes from now on.
    pub(crate) fn cut(&self, after: Option<usize>) {
        *self.state.cut.lock().unwrap() = after;
    }

    /// Files whose path has such a part, with their bytes.
    pub(crate) fn files(&self, part: &str) -> BTreeMap<String, Vec<u8>> {
        let files = self.state.files.lock().unwrap();
        files
            .iter()
            .filter(|(path, _)| path.contains(part))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect()
    }

    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.state.files.lock().unwrap().insert(path.to_owned(), bytes);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state.files.lock().unwrap().remove(path);
    }
}

fn serve(stream: &TcpStream, state: &State) {
    // A client that goes away ends its thread.
    let Some(request) = read(stream) else { return };
    state.requests.lock().unwrap().push(format!("{} {}", request.method, request.path));
    let refused = (state.refuse.lock().unwrap())(&request.method, &request.path);
    let response = match refused {
        Some(status) => Response { status, headers: Vec::new(), body: Vec::new() },
        None if state.speaks == Speaks::S3 => s3(&request, state),
        None => http(&request, state),
    };
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\nLast-Modified: {WHEN}\r\n", response.status);
    for (name, value) in &response.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "Content-Length: {}\r\n\r\n", response.body.len()).unwrap();
    let cut = state.cut.lock().unwrap().filter(|_| request.path.contains("/artifacts/")).unwrap_or(usize::MAX);
    let body = if request.method == "HEAD" { &[] } else { &response.body[..cut.min(response.body.len())] };
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path: path.trim_matches('/').to_owned(), query: query.to_owned(), headers, body })
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: Vec::new(), body: body.into() }
}

fn http(request: &Request, state: &State) -> Response {
    match request.method.as_str() {
        "GET" | "HEAD" => get(request, state),
        _ if state.speaks == Speaks::Files => answer(405, ""),
        "PUT" => put(request, state),
        "MKCOL" => answer(201, ""),
        "PROPFIND" => propfind(request, state),
        _ => answer(405, ""),
    }
}

fn get(request: &Request, state: &State) -> Response {
    let files = state.files.lock().unwrap();
    let Some(bytes) = files.get(&request.path) else { return answer(404, "") };
    let mut response = answer(200, bytes.clone());
    response.headers.push(("ETag", format!("\"{}\"", bytes.len())));
    if let Some(range) = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")) {
        let (from, to) = range.split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        response.status = 206;
        response.headers.push(("Content-Range", format!("bytes {from}-{to}/{}", bytes.len())));
        response.body = bytes[from..=to].to_vec();
    }
    response
}

fn put(request: &Request, state: &State) -> Response {
    state.files.lock().unwrap().insert(request.path.clone(), request.body.clone());
    Response { status: 201, headers: vec![("ETag", "\"e\"".to_owned())], body: Vec::new() }
}

/// The folder itself and what is directly in it.
fn propfind(request: &Request, state: &State) -> Response {
    assert_eq!(request.headers.get("depth").map(String::as_str), Some("1"), "servers refuse more");
    let below = format!("{}/", request.path);
    let mut inner: BTreeMap<String, Option<usize>> = BTreeMap::from([(format!("/{below}"), None)]);
    for (path, bytes) in state.files.lock().unwrap().iter() {
        let Some(rest) = path.strip_prefix(&below) else { continue };
        match rest.split_once('/') {
            Some((folder, _)) => inner.insert(format!("/{below}{folder}/"), None),
            None => inner.insert(format!("/{path}"), Some(bytes.len())),
        };
    }
    if inner.len() == 1 {
        return answer(404, "");
    }
    let mut xml = "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">".to_owned();
    for (href, length) in inner {
        let what = match length {
            Some(length) => format!("<D:resourcetype/><D:getcontentlength>{length}</D:getcontentlength>"),
            None => "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(),
        };
        write!(
            xml,
            "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{what}<D:getlastmodified>{WHEN}</D:getlastmodified>\
             </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        )
        .unwrap();
    }
    answer(207, xml + "</D:multistatus>")
}

fn s3(request: &Request, state: &State) -> Response {
    let error = |status, code: &str| answer(status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>"));
    if !request.headers.get("authorization").is_some_and(|header| header.contains("AWS4-HMAC-SHA256 Credential=name/"))
    {
        return error(403, "AccessDenied");
    }
    if !format!("{}/", request.path).starts_with(BUCKET) {
        return error(404, "NoSuchBucket");
    }
    let value = |name: &str| {
        let mut pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value.replace("%2F", "/"))
    };
    match request.method.as_str() {
        "GET" if request.query.contains("list-type=2") => list(&value("prefix").unwrap_or_default(), state),
        "GET" | "HEAD" => match get(request, state) {
            Response { status: 404, .. } => error(404, "NoSuchKey"),
            found => found,
        },
        "PUT" => match value("partNumber") {
            Some(number) => {
                state.parts.lock().unwrap().insert(number.parse().unwrap(), request.body.clone());
                Response { status: 200, headers: vec![("ETag", format!("\"{number}\""))], body: Vec::new() }
            }
            None => put(request, state),
        },
        "POST" if request.query.starts_with("uploads") => {
            answer(200, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        }
        "POST" => {
            let whole = std::mem::take(&mut *state.parts.lock().unwrap()).into_values().flatten().collect();
            state.files.lock().unwrap().insert(request.path.clone(), whole);
            answer(200, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
        }
        "DELETE" => answer(204, ""),
        _ => error(405, "MethodNotAllowed"),
    }
}

fn list(prefix: &str, state: &State) -> Response {
    let mut xml = "<ListBucketResult>".to_owned();
    for (path, bytes) in state.files.lock().unwrap().iter() {
        let Some(key) = path.strip_prefix(BUCKET).filter(|key| key.starts_with(prefix)) else { continue };
        let size = bytes.len();
        write!(xml, "<Contents><Key>{key}</Key><Size>{size}</Size>").unwrap();
        xml.push_str("<LastModified>2026-11-21T10:00:00.000Z</LastModified></Contents>");
    }
    answer(200, xml + "</ListBucketResult>")
}
