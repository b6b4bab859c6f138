//! What can go wrong with another place, from the many layers of its errors to one sentence and one cause.

use object_store::client::{HttpError, HttpErrorKind};
use pddflow_cache::StoreError;
use std::error::Error;
use std::io;

/// A transfer that could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The text is no place where results can be kept.
    #[error("`{url}` is no place for results: {why}")]
    Address {
        /// What was written, without a password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody answers there.
    #[error("{action}: {url} cannot be reached")]
    Unreachable {
        /// What was attempted.
        action: String,
        /// Where.
        url: String,
        /// What the network said.
        #[source]
        cause: Cause,
    },
    /// There is no such folder, bucket or server path.
    #[error("{action}: {url} is not there")]
    NotFound {
        /// What was attempted.
        action: String,
        /// Where.
        url: String,
        /// What the other side said.
        #[source]
        cause: Cause,
    },
    /// The other side refuses.
    #[error("{action}: {url} does not allow it")]
    Denied {
        /// What was attempted.
        action: String,
        /// Where.
        url: String,
        /// What the other side said.
        #[source]
        cause: Cause,
    },
    /// The server does not know this kind of request.
    #[error("{action}: the server of {url} cannot do that")]
    Unsupported {
        /// What was attempted.
        action: String,
        /// Where.
        url: String,
        /// What the other side said.
        #[source]
        cause: Cause,
    },
    /// It began and did not end.
    #[error("{action}: the transfer with {url} broke off")]
    Interrupted {
        /// What was attempted.
        action: String,
        /// Where.
        url: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
    /// The store of this machine.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no means to transfer anything.
    #[error("transfers cannot begin")]
    System(#[source] io::Error),
}

/// What the other side or the network said, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl RemoteError {
    /// Stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "pddflow::remote::address",
            Self::Unreachable { .. } => "pddflow::remote::unreachable",
            Self::NotFound { .. } => "pddflow::remote::not_found",
            Self::Denied { .. } => "pddflow::remote::denied",
            Self::Unsupported { .. } => "pddflow::remote::unsupported",
            Self::Interrupted { .. } => "pddflow::remote::interrupted",
            Self::Store(error) => error.code(),
            Self::System(_) => "pddflow::remote::system",
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Address { .. } => {
                "a folder or file://FOLDER, s3://BUCKET/PREFIX, http://HOST/PATH or https://HOST/PATH"
            }
            Self::Unreachable { .. } => {
                "check the address and the network; for S3 also AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY"
            }
            Self::NotFound { .. } => "check the address: folders to pull from, buckets and servers must be there",
            Self::Denied { .. } => {
                "check who may read or write there; S3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, HTTP takes \
                 https://NAME:PASSWORD@HOST/PATH"
            }
            Self::Unsupported { .. } => {
                "listing needs WebDAV (PROPFIND), pushing needs PUT; from any web server `cache pull URL FILE` fetches \
                 what a pipeline needs"
            }
            Self::Interrupted { .. } => "do it again: what was copied is not copied again",
            Self::Store(error) => error.help(),
            Self::System(_) => "check the limits of the system: open files, threads, memory",
        }
    }

    /// From what the library says while doing `action` (a phrase such as "reading record k:..") at `url`.
    pub(crate) fn from_library(action: &str, url: &str, error: &object_store::Error) -> Self {
        let (action, url) = (action.to_owned(), url.to_owned());
        let (class, cause) = classify(error);
        let cause = Cause(cause);
        match class {
            Class::Unreachable => Self::Unreachable { action, url, cause },
            Class::NotFound => Self::NotFound { action, url, cause },
            Class::Denied => Self::Denied { action, url, cause },
            Class::Unsupported => Self::Unsupported { action, url, cause },
            Class::Interrupted => Self::Interrupted { action, url, cause },
        }
    }
}

/// How the library begins the text of what a server answered; the status follows, then a colon and the body.
const ANSWERED: &str = "Server returned non-2xx status code: ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Unreachable,
    NotFound,
    Denied,
    Unsupported,
    Interrupted,
}

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
pub(crate) fn is_absent(error: &object_store::Error) -> bool {
    let no_bucket = || answered(error).is_some_and(|answer| answer.contains("NoSuchBucket"));
    matches!(error, object_store::Error::NotFound { .. }) && !no_bucket()
}

fn classify(error: &object_store::Error) -> (Class, String) {
    // The last layer says what happened; those above it repeat it with more words.
    let last = chain(error).last().map(ToString::to_string).unwrap_or_default();
    if let Some((status, body)) = answered(error).as_deref().and_then(|answer| answer.split_once(": ")) {
        let number = status.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        return (class_of_status(number), answer(status, body));
    }
    if let Some(http) = chain(error).find_map(|error| error.downcast_ref::<HttpError>()) {
        let class = match http.kind() {
            HttpErrorKind::Connect | HttpErrorKind::Timeout => Class::Unreachable,
            _ => Class::Interrupted,
        };
        return (class, last);
    }
    let system = chain(error).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
    (class_of_system(error, system), last)
}

fn class_of_system(error: &object_store::Error, system: Option<io::ErrorKind>) -> Class {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    match (error, system) {
        (object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }, _) => {
            Class::Unsupported
        }
        (object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }, _)
        | (_, Some(PermissionDenied | ReadOnlyFilesystem)) => Class::Denied,
        (object_store::Error::NotFound { .. }, _) | (_, Some(NotFound)) => Class::NotFound,
        _ => Class::Interrupted,
    }
}

fn class_of_status(status: u16) -> Class {
    match status {
        401 | 403 | 407 => Class::Denied,
        404 | 410 => Class::NotFound,
        405 | 501 => Class::Unsupported,
        _ => Class::Interrupted,
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
    fn statuses_have_their_class() {
        let check = |status, class| assert_eq!(class_of_status(status), class, "{status}");
        check(401, Class::Denied);
        check(404, Class::NotFound);
        check(405, Class::Unsupported);
        check(503, Class::Interrupted);
    }
}
