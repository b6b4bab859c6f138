//! S3 and HTTP clients from addresses.

use super::client::{Cloud, Protocol, Server};
use crate::error::RemoteError;
use crate::percent::percent_decoded;
use crate::place::Place;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientOptions, HeaderMap, HeaderValue, RetryConfig};
use reqwest::Url;
use std::time::Duration;
use tokio::runtime::Builder;

/// A host that is there answers within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A request that failed for a passing reason is sent so often again: about four seconds in all.
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// What HTTP knows people by.
const AUTHORIZATION: &str = "authorization";

/// The remote at an address that begins with `s3://`, `http://` or `https://`.
pub(crate) fn open(text: &str, variables: &[(String, String)]) -> Result<Place, RemoteError> {
    provide_cryptography();
    let wrong = |why: String| RemoteError::Address { url: text.to_owned(), why };
    let mut url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(RemoteError::System)?;
    // Clients are made inside the runtime that drives them.
    let (url, server) =
        runtime.block_on(async { if url.scheme() == "s3" { s3(&url, variables) } else { http(&mut url) } })?;
    Ok(Place { url, files: Box::new(Cloud { server, runtime }) })
}

/// The address as it is shown, and what answers there.
fn s3(url: &Url, variables: &[(String, String)]) -> Result<(String, Server), RemoteError> {
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
    Ok((shown.trim_end_matches('/').to_owned(), Server { store: Box::new(store), prefix, protocol: Protocol::S3 }))
}

/// As [`s3`].
fn http(url: &mut Url) -> Result<(String, Server), RemoteError> {
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
    Ok((shown, Server { store: Box::new(store), prefix, protocol: Protocol::Http }))
}

/// The header that says who asks, if the address does.
fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let name = [percent_decoded(url.username()), percent_decoded(url.password().unwrap_or_default())].join(&b':');
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(name))).ok()?;
    value.set_sensitive(true);
    Some(value)
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

/// Gives TLS its cryptography: the library that downloads use too. A program that gave another one keeps it.
fn provide_cryptography() {
    // Fails only if there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        open(text, &[]).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_no_place_is_said() {
        assert!(refused("s3:///prefix").contains("bucket"), "{}", refused("s3:///prefix"));
        assert!(refused("http://").contains("empty host"), "{}", refused("http://"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let place = open("http://me:s%20cret@localhost:1/base/", &[]).unwrap();
        assert_eq!(place.url, "http://localhost:1/base");
        let url = Url::parse("http://me:s%20cret@localhost/").unwrap();
        // printf 'me:s cret' | base64
        assert_eq!(authorization(&url).unwrap().to_str().unwrap(), "Basic bWU6cyBjcmV0");
    }
}
