//! The two 256-bit identities: [`Digest`] (what bytes are) and [`Key`] (what would be computed).
//!
//! They have the same shape but are different types, so that one can never be used for the other: a key is known
//! *before* a node runs, a digest only once its artifact exists.

use std::fmt;
use std::str::FromStr;

/// Bytes of an identity.
pub(crate) const WIDTH: usize = 32;

/// Text that is no digest or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not of the form {prefix}<64 lower-case hexadecimal digits>")]
pub struct ParseIdentityError {
    text: String,
    prefix: &'static str,
}

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; WIDTH]);

        impl $name {
            /// What its text begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Takes the 32 bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; WIDTH]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; WIDTH] {
                &self.0
            }

            /// The 64 lower-case hexadecimal digits, without prefix: its file name in a store.
            #[must_use]
            pub fn hex(&self) -> String {
                to_hex(&self.0)
            }

            /// The first 12 hexadecimal digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                to_hex(&self.0[..6])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(&self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdentityError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .and_then(from_hex)
                    .map(Self)
                    .ok_or_else(|| ParseIdentityError { text: excerpt(text), prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!($prefix, " and 64 hexadecimal digits"))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

identity!(
    /// BLAKE3-256 of bytes: the name of an artifact. Text form: `b3:` and 64 hexadecimal digits.
    Digest,
    "b3:"
);

identity!(
    /// BLAKE3-256 of everything a node's result depends on: the name of a record. Text form: `k:` and 64
    /// hexadecimal digits. Made by [`crate::KeyBuilder`].
    Key,
    "k:"
);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

fn from_hex(text: &str) -> Option<[u8; WIDTH]> {
    let digits: &[u8; WIDTH * 2] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; WIDTH];
    let mut wrong = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        // Every wrong digit has a high bit set; looking once at the end keeps the loop free of branches.
        wrong |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    (wrong < 16).then_some(bytes)
}

/// Value of each digit, 255 for what is none. Upper-case digits are none: one identity has one spelling.
const NIBBLES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Error texts stay short whatever the input was.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_empty_bytes_is_the_published_blake3_value() {
        // Test vector for the empty input in the BLAKE3 reference repository.
        assert_eq!(Digest::of(b"").to_string(), "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(Digest::of(b"").short(), "af1349b9f5f9");
    }

    #[test]
    fn text_forms_round_trip_and_do_not_mix() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        assert!(digest.to_string().parse::<Key>().is_err());
        assert!(serde_json::from_str::<Key>(&json).is_err());
    }

    #[test]
    fn only_one_spelling_is_accepted() {
        let text = Digest::of(b"x").to_string();
        for wrong in [
            text.to_uppercase(),
            format!("{text}0"),
            text[..text.len() - 1].to_owned(),
            text.replace("b3:", ""),
            "b3:".to_owned() + &"é".repeat(32),
            String::new(),
            "y".repeat(500),
        ] {
            let error = wrong.parse::<Digest>().unwrap_err();
            assert!(error.to_string().len() < 200, "{error}");
        }
    }
}
