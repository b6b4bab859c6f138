//! Why a request to S3 or to an HTTP server failed, from the many layers of its errors.

use crate::files::{Failure, FailureKind};
use object_store::client::{HttpError, HttpErrorKind};
use std::error::Error;
use std::io;

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        let (kind, cause) = classify(&error);
        Self::Remote(kind, cause)
    }
}

/// How the library begins the text of what a server answered; the status follows, then a colon and the body.
const ANSWERED: &str = "Server returned non-2xx status code: ";

fn chain(error: &object_store::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (**error).source())
}

/// What a server answered: the status, with the body behind it. The library keeps the type of this error to itself, so
/// that only its text can be asked; its version is pinned, and `tests/servers.rs` notices another text.
fn answered(error: &object_store::Error) -> Option<String> {
    let texts = chain(error).map(ToString::to_string);
    texts.filter_map(|text| text.strip_prefix(ANSWERED).map(str::to_owned)).next()
}

/// Whether an object is merely absent, and not the bucket that it would be in.
pub(super) fn is_absent(error: &object_store::Error) -> bool {
    let no_bucket = || answered(error).is_some_and(|answer| answer.contains("NoSuchBucket"));
    matches!(error, object_store::Error::NotFound { .. }) && !no_bucket()
}

fn classify(error: &object_store::Error) -> (FailureKind, String) {
    // The last layer says what happened; those above it repeat it with more words.
    let last = chain(error).last().map(ToString::to_string).unwrap_or_default();
    if let Some((status, body)) = answered(error).as_deref().and_then(|answer| answer.split_once(": ")) {
        let number = status.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        return (kind_of_status(number), answer(status, body));
    }
    if let Some(http) = chain(error).find_map(|error| error.downcast_ref::<HttpError>()) {
        let kind = match http.kind() {
            HttpErrorKind::Connect | HttpErrorKind::Timeout => FailureKind::Unreachable,
            _ => FailureKind::Interrupted,
        };
        return (kind, last);
    }
    let system = chain(error).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
    (kind_of(error, system), last)
}

fn kind_of(error: &object_store::Error, system: Option<io::ErrorKind>) -> FailureKind {
    match error {
        object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
            FailureKind::Unsupported
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            FailureKind::Denied
        }
        object_store::Error::NotFound { .. } => FailureKind::NotFound,
        _ => system.map_or(FailureKind::Interrupted, FailureKind::of_system),
    }
}

fn kind_of_status(status: u16) -> FailureKind {
    match status {
        401 | 403 | 407 => FailureKind::Denied,
        404 | 410 => FailureKind::NotFound,
        405 | 501 => FailureKind::Unsupported,
        _ => FailureKind::Interrupted,
    }
}

/// The status, and what S3 says besides.
fn answer(status: &str, body: &str) -> String {
    let said = |tag: &str| {
        let (_, rest) = body.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.trim().to_owned())
    };
    let words: Vec<String> = ["Code", "Message"].into_iter().filter_map(said).collect();
    let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join(": ")) };
    format!("the server answered {status}{words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_s3_says() {
        let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>It is gone</Message></Error>";
        assert_eq!(answer("404 Not Found", body), "the server answered 404 Not Found (NoSuchBucket: It is gone)");
        assert_eq!(answer("403 Forbidden", "<html>"), "the server answered 403 Forbidden");
    }

    #[test]
    fn statuses_have_their_kind() {
        let check = |status, kind| assert_eq!(kind_of_status(status), kind, "{status}");
        check(401, FailureKind::Denied);
        check(404, FailureKind::NotFound);
        check(405, FailureKind::Unsupported);
        check(503, FailureKind::Interrupted);
    }
}
