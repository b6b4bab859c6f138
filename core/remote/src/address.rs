//! From what the user writes to a place that can be asked.
//!
//! | text | place |
//! |---|---|
//! | a path, `file://` and a path | a folder, laid out as a store |
//! | `s3://bucket/prefix` | S3 or what speaks it; who asks, and whom, is said by variables as for any S3 client |
//! | `http://`, `https://` | a server; reading needs GET and HEAD, listing PROPFIND, writing PUT |

use crate::error::RemoteError;
use crate::place::{Place, Protocol};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientOptions, HeaderMap, HeaderValue, RetryConfig};
use reqwest::Url;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A host that is there answers within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A request that failed for a passing reason is sent so often again: about four seconds in all.
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// What HTTP knows people by.
const AUTHORIZATION: &str = "authorization";

/// The place that a text names. `variables` are those of the environment that concern S3.
pub(crate) fn open(text: &str, variables: &[(String, String)]) -> Result<Place, RemoteError> {
    let wrong = |why: &str| RemoteError::Address { url: text.to_owned(), why: why.to_owned() };
    let Some((scheme, _)) = text.split_once("://") else {
        return if text.is_empty() { Err(wrong("it is empty")) } else { folder(Path::new(text)) };
    };
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    match scheme {
        "file" => folder(&url.to_file_path().map_err(|()| wrong("it names no folder of this machine"))?),
        "s3" => s3(&url, variables),
        "http" | "https" => http(&mut url),
        _ => Err(wrong(&format!("`{scheme}` is not a scheme that is known"))),
    }
}

fn folder(path: &Path) -> Result<Place, RemoteError> {
    let path: PathBuf = std::path::absolute(path).map_err(RemoteError::System)?;
    let url = path.display().to_string();
    // Opened when it is known for what; see `Place::ready`.
    let store = Arc::new(InMemory::new());
    Ok(Place { store, prefix: ObjectPath::default(), url, protocol: Protocol::Folder(path) })
}

fn s3(url: &Url, variables: &[(String, String)]) -> Result<Place, RemoteError> {
    let shown = url.to_string();
    let wrong = |why: String| RemoteError::Address { url: shown.clone(), why };
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| wrong("it names no bucket".to_owned()))?;
    let prefix = ObjectPath::from_url_path(url.path()).map_err(|error| wrong(error.to_string()))?;
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables {
        // Variables of other programs that begin alike say nothing to this one.
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let builder = builder.with_bucket_name(bucket).with_client_options(client()).with_retry(retry());
    let store = builder.build().map_err(|error| wrong(error.to_string()))?;
    Ok(Place { store: Arc::new(store), prefix, url: shown.trim_end_matches('/').to_owned(), protocol: Protocol::S3 })
}

fn http(url: &mut Url) -> Result<Place, RemoteError> {
    let mut options = client();
    if let Some(value) = authorization(url) {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        options = options.with_default_headers(headers);
    }
    // Neither can fail for a scheme that has a host. What is shown must not tell a password.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    let shown = url.as_str().trim_end_matches('/').to_owned();
    let wrong = |why: String| RemoteError::Address { url: shown.clone(), why };
    let prefix = ObjectPath::from_url_path(url.path()).map_err(|error| wrong(error.to_string()))?;
    // What the library lists begins at the root of the server, so that is where it must begin to ask too.
    let root = url.origin().ascii_serialization();
    let builder = HttpBuilder::new().with_url(root).with_client_options(options).with_retry(retry());
    let store = builder.build().map_err(|error| wrong(error.to_string()))?;
    Ok(Place { store: Arc::new(store), prefix, url: shown, protocol: Protocol::Http })
}

/// The header that says who asks, if the address does.
fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decoded(text);
    let name = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(name))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Text as it was before it was made fit for an address.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn client() -> ClientOptions {
    // Without a limit for whole requests, nor until the answer begins: a large artifact over a slow line takes as long
    // as it takes. `Place` has limits for all that is small, and for a download in which nothing moves.
    ClientOptions::new().with_timeout_disabled().with_connect_timeout(CONNECT_TIMEOUT).with_allow_http(true)
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(200), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        open(text, &[]).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_no_place_is_said() {
        assert_eq!(refused(""), "`` is no place for results: it is empty");
        assert!(refused("ftp://host/x").contains("`ftp` is not a scheme"), "{}", refused("ftp://host/x"));
        assert!(refused("s3:///prefix").contains("bucket"), "{}", refused("s3:///prefix"));
        assert!(refused("http://").contains("empty host"), "{}", refused("http://"));
    }

    #[test]
    fn a_password_is_never_shown() {
        crate::remote::provide_cryptography();
        let place = open("http://me:s%20cret@localhost:1/base/", &[]).unwrap();
        assert_eq!(place.url, "http://localhost:1/base");
        let url = Url::parse("http://me:s%20cret@localhost/").unwrap();
        // printf 'me:s cret' | base64
        assert_eq!(authorization(&url).unwrap().to_str().unwrap(), "Basic bWU6cyBjcmV0");
    }
}
