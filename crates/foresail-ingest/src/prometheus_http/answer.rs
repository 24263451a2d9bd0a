//! The envelope of every answer, and the body of an instant one.

use std::collections::BTreeMap;

use foresail_http::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::At;
use crate::Error;
use crate::cell::Number;
use crate::prometheus::{Reading, bad_json};
use crate::read::Input;

/// Longest message that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

/// What every answer has, good or bad.
#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default, rename = "errorType")]
    kind: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

/// Refuses an answer that says no; gives what a good one warns of.
pub(super) fn check(url: &str, response: &Response) -> Result<Vec<String>, Error> {
    let envelope = serde_json::from_slice::<Envelope>(&response.body).ok();
    let refused = |kind: String, message: String| Error::Refused {
        url: url.to_owned(),
        status: response.status,
        kind,
        message: message.chars().take(MAX_MESSAGE).collect(),
        retry_after: response.retry_after,
    };
    match envelope {
        Some(envelope) if response.is_success() && envelope.status == "success" => Ok(envelope.warnings),
        Some(envelope) if !envelope.error.is_empty() => Err(refused(envelope.kind, envelope.error)),
        // No answer of Prometheus: that of a proxy, or of something else. A good status is left to the parser, which
        // says what it expected.
        _ if response.is_success() => Ok(Vec::new()),
        _ => Err(refused(String::new(), response.excerpt(MAX_MESSAGE))),
    }
}

#[derive(Deserialize)]
struct Kind {
    data: KindData,
}

#[derive(Deserialize)]
struct KindData {
    #[serde(rename = "resultType")]
    result_type: String,
}

#[derive(Deserialize)]
struct Vector {
    data: VectorData,
}

#[derive(Deserialize)]
struct VectorData {
    result: Vec<VectorSeries>,
}

#[derive(Deserialize)]
struct VectorSeries {
    #[serde(default, rename = "metric")]
    _labels: BTreeMap<String, IgnoredAny>,
    value: Reading<false>,
}

#[derive(Deserialize)]
struct Scalar {
    data: ScalarData,
}

#[derive(Deserialize)]
struct ScalarData {
    result: Reading<false>,
}

/// The readings of an instant answer: one a series, or one alone.
pub(super) fn instant(input: &Input<'_>, body: &[u8]) -> Result<Vec<(Option<i64>, Number)>, Error> {
    let wrong = |found: String| Error::BadFormat {
        place: input.place(At::Whole, None),
        found,
        expected: "a successful query answer of result type \"vector\" or \"scalar\"",
    };
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong(format!("the answer begins {:?}", crate::error::shown(&body[..body.len().min(20)]))));
    }
    let json = |e: serde_json::Error| bad_json(input, &e);
    let kind: Kind = serde_json::from_slice(body).map_err(json)?;
    match kind.data.result_type.as_str() {
        "vector" => {
            let vector: Vector = serde_json::from_slice(body).map_err(json)?;
            Ok(vector.data.result.iter().map(|s| s.value.parts()).collect())
        }
        "scalar" => {
            let scalar: Scalar = serde_json::from_slice(body).map_err(json)?;
            Ok(vec![scalar.data.result.parts()])
        }
        other => Err(wrong(format!("the result is a {:?}", crate::error::shown(other.as_bytes())))),
    }
}
