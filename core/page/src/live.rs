//! The page served on this machine while a run goes on: over HTTP/1.1, one thread for each connection, news as
//! server-sent events.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page as it is now |
//! | `/events` | an event `change` whenever there is news |
//!
//! Only programs of this machine are served, and of these only such as asked for it by an address of this machine: a page
//! from elsewhere that a browser takes for one of here (DNS rebinding) is refused.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The news is asked for so often.
const PULSE: Duration = Duration::from_millis(500);
/// Without news, a sign of life is sent so often: so a connection that is gone is noticed.
const SILENCE: Duration = Duration::from_secs(15);
/// A client that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer requests are refused.
const MOST_BYTES: u64 = 16 * 1024;
/// Connections at the same time.
const MOST_CONNECTIONS: usize = 64;

/// What is served.
pub trait Source: Send + Sync + 'static {
    /// The page as it is now.
    fn page(&self) -> String;

    /// A number that changes when the page does; cheap.
    fn version(&self) -> u64;
}

/// Binds a port of this machine (0 for a free one), says the address to `ready` and serves until the process ends.
///
/// # Errors
/// The port cannot be bound.
pub fn serve(source: &Arc<dyn Source>, port: u16, ready: impl FnOnce(&str)) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let port = listener.local_addr()?.port();
    ready(&format!("http://127.0.0.1:{port}/"));
    let connections = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        if connections.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
            connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (source, connections) = (Arc::clone(source), Arc::clone(&connections));
        std::thread::spawn(move || {
            // A client that went away is no failure.
            let _ = answer(&stream, source.as_ref(), port);
            connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(())
}

fn answer(stream: &TcpStream, source: &dyn Source, port: u16) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(request) = Request::read(stream)? else { return respond(stream, "400 Bad Request", "text/plain", "") };
    if !request.is_for(port) {
        return respond(stream, "403 Forbidden", "text/plain", "this server answers to 127.0.0.1 and localhost only\n");
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => respond(stream, "200 OK", "text/html; charset=utf-8", &source.page()),
        ("GET", "/events") => events(stream, source),
        ("GET", _) => respond(stream, "404 Not Found", "text/plain", "there is `/` only\n"),
        _ => respond(stream, "405 Method Not Allowed", "text/plain", "only GET is answered\n"),
    }
}

/// What of a request matters.
struct Request {
    method: String,
    path: String,
    host: String,
}

impl Request {
    /// None for what is no request.
    fn read(stream: &TcpStream) -> io::Result<Option<Self>> {
        let mut lines = BufReader::new(stream.take(MOST_BYTES)).lines();
        let Some(first) = lines.next().transpose()? else { return Ok(None) };
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        let path = target.split('?').next().unwrap_or_default();
        let mut request = Self { method: method.to_owned(), path: path.to_owned(), host: String::new() };
        for line in lines {
            let line = line?;
            if line.is_empty() {
                return Ok(Some(request));
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("host")
            {
                request.host = value.trim().to_owned();
            }
        }
        Ok(None)
    }

    fn is_for(&self, port: u16) -> bool {
        ["127.0.0.1", "localhost"].into_iter().any(|name| self.host == format!("{name}:{port}"))
    }
}

fn respond(mut stream: &TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    )?;
    stream.flush()
}

fn events(mut stream: &TcpStream, source: &dyn Source) -> io::Result<()> {
    // Before the answer begins: whoever has it must miss nothing from then on.
    let (mut known, mut said) = (source.version(), Instant::now());
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
    )?;
    loop {
        let now = source.version();
        if now != known {
            (known, said) = (now, Instant::now());
            write!(stream, "event: change\ndata: {now}\n\n")?;
            stream.flush()?;
        } else if said.elapsed() > SILENCE {
            said = Instant::now();
            stream.write_all(b": still here\n\n")?;
            stream.flush()?;
        }
        std::thread::sleep(PULSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc::channel;

    struct Counter(AtomicU64, Mutex<&'static str>);

    impl Source for Counter {
        fn page(&self) -> String {
            self.1.lock().unwrap().to_owned()
        }
        fn version(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn served() -> (Arc<Counter>, u16) {
        let source = Arc::new(Counter(AtomicU64::new(0), Mutex::new("<p>page</p>")));
        let (told, address) = channel();
        let given: Arc<dyn Source> = source.clone();
        std::thread::spawn(move || serve(&given, 0, |address| told.send(address.to_owned()).unwrap()));
        let address = address.recv().unwrap();
        let port = address.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
        (source, port)
    }

    fn ask(port: u16, head: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let (_, port) = served();
        let with_host = |host: &str| ask(port, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(with_host(&format!("127.0.0.1:{port}")).ends_with("<p>page</p>"));
        assert!(with_host(&format!("localhost:{port}")).contains("200 OK"));
        for other in ["evil.example", "127.0.0.1", "127.0.0.1.evil.example:80", ""] {
            assert!(with_host(other).contains("403"), "{other}");
        }
        assert!(ask(port, &format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).contains("405"));
        assert!(ask(port, &format!("GET /etc/passwd HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).contains("404"));
        assert!(ask(port, "nonsense\r\n\r\n").contains("400"));
    }

    #[test]
    fn news_is_told() {
        let (source, port) = served();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        while !lines.next().unwrap().unwrap().is_empty() {}
        source.0.store(7, Ordering::Relaxed);
        assert_eq!(lines.next().unwrap().unwrap(), "event: change");
        assert_eq!(lines.next().unwrap().unwrap(), "data: 7");
    }
}
