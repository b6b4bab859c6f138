//! What can go wrong with another place: one sentence and one cause.

use crate::files::FailureKind;
use pddflow_cache::StoreError;
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
    /// The feature `cloud` was off when the program was built.
    #[error("this build of pddflow has no remotes at {scheme}:// addresses")]
    NotBuilt {
        /// How the address begins.
        scheme: String,
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
            Self::NotBuilt { .. } => "pddflow::remote::not_built",
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
            Self::NotBuilt { .. } => {
                "released programs have S3 and HTTP; from source build with `cargo dist`, or add `--features \
                 pddflow-cli/cloud` to your command; a folder works in every build"
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

    /// From what happened while doing `action` (a phrase such as "reading record k:..") at `url`.
    pub(crate) fn of(kind: FailureKind, action: &str, url: &str, cause: String) -> Self {
        let (action, url, cause) = (action.to_owned(), url.to_owned(), Cause(cause));
        match kind {
            FailureKind::Unreachable => Self::Unreachable { action, url, cause },
            FailureKind::NotFound => Self::NotFound { action, url, cause },
            FailureKind::Denied => Self::Denied { action, url, cause },
            FailureKind::Unsupported => Self::Unsupported { action, url, cause },
            FailureKind::Interrupted => Self::Interrupted { action, url, cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_s3_and_http_says_which_one_has_them() {
        let error = RemoteError::NotBuilt { scheme: "s3".to_owned() };
        assert_eq!(error.to_string(), "this build of pddflow has no remotes at s3:// addresses");
        assert!(error.help().contains("--features pddflow-cli/cloud"));
    }
}
