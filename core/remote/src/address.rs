//! From what the user writes to a remote.
//!
//! | text | remote |
//! |---|---|
//! | a path, `file://` and a path | a folder, laid out as a store |
//! | `s3://bucket/prefix` | S3 or what speaks it; who asks, and whom, is said by variables as for any S3 client |
//! | `http://`, `https://` | a server; reading needs GET and HEAD, listing PROPFIND, writing PUT |

use crate::error::RemoteError;
use crate::folder::Folder;
use crate::percent::percent_decoded;
use crate::place::Place;
use std::path::Path;

/// The remote that a text names. `variables` are those of the environment that concern S3.
pub(crate) fn open(text: &str, variables: &[(String, String)]) -> Result<Place, RemoteError> {
    let wrong = |why: &str| RemoteError::Address { url: text.to_owned(), why: why.to_owned() };
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text.is_empty() { Err(wrong("it is empty")) } else { folder(Path::new(text)) };
    };
    match scheme {
        "file" => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            let path = if path.starts_with('/') { String::from_utf8(percent_decoded(path)).ok() } else { None };
            folder(Path::new(&path.ok_or_else(|| wrong("it names no folder of this machine"))?))
        }
        "s3" | "http" | "https" => cloud(scheme, text, variables),
        _ => Err(wrong(&format!("`{scheme}` is not a scheme that is known"))),
    }
}

#[cfg(feature = "cloud")]
fn cloud(_scheme: &str, text: &str, variables: &[(String, String)]) -> Result<Place, RemoteError> {
    crate::cloud::open(text, variables)
}

#[cfg(not(feature = "cloud"))]
fn cloud(scheme: &str, _text: &str, _variables: &[(String, String)]) -> Result<Place, RemoteError> {
    Err(RemoteError::NotBuilt { scheme: scheme.to_owned() })
}

fn folder(path: &Path) -> Result<Place, RemoteError> {
    let path = std::path::absolute(path).map_err(RemoteError::System)?;
    Ok(Place { url: path.display().to_string(), files: Box::new(Folder::new(path)) })
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
        assert!(refused("file://host/x").contains("no folder of this machine"), "{}", refused("file://host/x"));
    }

    #[test]
    fn folders_are_named_by_paths_and_addresses() {
        for text in ["/a b", "file:///a%20b", "file://localhost/a%20b"] {
            assert_eq!(open(text, &[]).unwrap().url, "/a b");
        }
    }
}
