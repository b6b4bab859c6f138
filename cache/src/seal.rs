//! Self-checking JSON text: the last member of the object is a digest of all bytes before it.
//!
//! ```text
//! {"a":1}   ->   {"a":1,"digest":"b3:<64 hex>"}\n
//! ```
//!
//! The check is on bytes and comes before any parsing, so that every flipped bit, also one in white space or in the
//! digest itself, is noticed. Lines of append-only files carry a short form, `"check":"<16 hex>"`, which may be chained:
//! it then also depends on the line before, so that a line that was removed or moved is noticed too.

use crate::digest::{Digest, to_hex};

/// Bytes of a line's check: 64 bits guard against damage, not against malice.
const CHECK_BYTES: usize = 8;

/// Bytes that [`seal_line`] puts in the place of a line's last brace.
pub(crate) const LINE_END: usize = r#","check":""#.len() + CHECK_BYTES * 2 + "\"}".len();

/// Check of the line before, or all zero at the start.
pub(crate) type Check = [u8; CHECK_BYTES];

/// Closes the JSON object `body` with its digest and ends the file with a line feed.
pub(crate) fn seal(body: &str) -> String {
    let open = without_brace(body);
    format!("{open}{}", file_end(open))
}

/// Whether the bytes are exactly what [`seal`] once returned.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    const END: usize = r#","digest":"b3:"#.len() + 64 + "\"}\n".len();
    let Some((open, end)) = bytes.len().checked_sub(END).map(|at| bytes.split_at(at)) else {
        return false;
    };
    end == format!(",\"digest\":\"{}\"}}\n", Digest::of(open)).as_bytes()
}

/// Closes the one-line JSON object `body` with a check over `before` and itself, and a line feed.
pub(crate) fn seal_line(body: &str, before: Check) -> (String, Check) {
    let open = without_brace(body);
    let check = check_of(open.as_bytes(), before);
    (format!("{open},\"check\":\"{}\"}}\n", to_hex(&check)), check)
}

/// The check of a line (without its line feed), if it is exactly what [`seal_line`] wrote after `before`.
pub(crate) fn line_check(line: &[u8], before: Check) -> Option<Check> {
    let (open, end) = line.split_at(line.len().checked_sub(LINE_END)?);
    let check = check_of(open, before);
    (end == format!(",\"check\":\"{}\"}}", to_hex(&check)).as_bytes()).then_some(check)
}

/// The check that a line (without its line feed) says it has.
pub(crate) fn stated_check(line: &[u8]) -> Option<Check> {
    let digits = line.strip_suffix(b"\"}")?;
    let digits = std::str::from_utf8(digits.get(digits.len().checked_sub(CHECK_BYTES * 2)?..)?).ok()?;
    u64::from_str_radix(digits, 16).ok().map(u64::to_be_bytes)
}

fn file_end(open: &str) -> String {
    format!(",\"digest\":\"{}\"}}\n", Digest::of(open.as_bytes()))
}

fn check_of(open: &[u8], before: Check) -> Check {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before);
    hasher.update(open);
    let mut check = Check::default();
    check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK_BYTES]);
    check
}

fn without_brace(body: &str) -> &str {
    debug_assert!(body.starts_with('{') && body.len() > 2, "a JSON object with a member");
    body.strip_suffix('}').unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_breaks_the_seal() {
        let sealed = seal(r#"{"a":[1,2],"b":"x"}"#).into_bytes();
        assert!(is_sealed(&sealed));
        serde_json::from_slice::<serde_json::Value>(&sealed).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sealed(&damaged), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(!is_sealed(&sealed[..length]), "truncated to {length}");
        }
    }

    #[test]
    fn a_chain_of_lines_notices_changes_and_moves() {
        let (one, first) = seal_line(r#"{"n":1}"#, Check::default());
        let (two, second) = seal_line(r#"{"n":2}"#, first);
        assert_eq!(line_check(one.trim_end().as_bytes(), Check::default()), Some(first));
        assert_eq!(line_check(two.trim_end().as_bytes(), first), Some(second));
        assert_eq!(line_check(two.trim_end().as_bytes(), Check::default()), None);
        assert_eq!(line_check(one.replace('1', "2").trim_end().as_bytes(), Check::default()), None);
        assert_eq!(line_check(b"", first), None);
    }
}
