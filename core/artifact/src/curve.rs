//! What a matcher measured while it distilled: the second artifact of `distill`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::container::read_note;
use super::error::ArtifactError;

const ARTIFACT: &str = "curve";
/// Version of the artifact's form; a change of any field needs a new one.
const VERSION: u32 = 1;

/// Metrics over the iterations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Points `(iteration, value)` by the metric's name, in the order of the iterations.
    pub series: BTreeMap<String, Vec<(u64, f64)>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurveWire {
    artifact: String,
    version: u32,
    series: BTreeMap<String, Vec<(u64, f64)>>,
}

impl Curve {
    /// The bytes of the artifact: JSON.
    ///
    /// # Errors
    /// Never for numbers that are finite.
    pub fn encode(self) -> Result<Vec<u8>, ArtifactError> {
        let wire = CurveWire { artifact: ARTIFACT.to_owned(), version: VERSION, series: self.series };
        serde_json::to_vec(&wire).map_err(|source| ArtifactError::Note { artifact: ARTIFACT, source })
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, or of another artifact or version.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ArtifactError::content(ARTIFACT, "it is not text"))?;
        let wire: CurveWire = read_note(ARTIFACT, VERSION, text)?;
        Ok(Self { series: wire.series })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_comes_back_and_keeps_its_form() {
        let curve = Curve { series: BTreeMap::from([("loss".to_owned(), vec![(0, 0.5), (1, 0.25)])]) };
        let bytes = curve.clone().encode().unwrap();
        assert_eq!(bytes, br#"{"artifact":"curve","version":1,"series":{"loss":[[0,0.5],[1,0.25]]}}"#);
        assert_eq!(Curve::decode(&bytes).unwrap(), curve);
        assert!(Curve::decode(br#"{"artifact":"curve","version":2,"series":{}}"#).is_err());
    }
}
