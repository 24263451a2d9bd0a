//! `ExportTraceServiceRequest` in JSON: ids in hexadecimal, 64-bit integers as strings, enumerations as numbers. Names of
//! attributes are those of OpenTelemetry's semantic conventions for HTTP servers, where these have one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::record::{Record, Span};

const SCHEMA: &str = "https://opentelemetry.io/schemas/1.24.0";
/// `SPAN_KIND_SERVER`.
const SERVER: u32 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u32 = 2;
/// Flags beside those of the trace: it is known whether the parent is remote, and it is.
const KNOWS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
    schema_url: &'static str,
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<OtlpSpan<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    flags: u32,
    name: &'a str,
    kind: u32,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    status: Status,
}

#[derive(Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
enum Value<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "intValue")]
    Integer(String),
    #[serde(rename = "doubleValue")]
    Number(f64),
}

/// The body that carries these records; those without a span are left out.
pub(super) fn request(service_name: &str, records: &[Record]) -> Vec<u8> {
    let name = Attribute { key: "service.name", value: Value::Text(service_name.into()) };
    let scope = Scope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    let spans = records.iter().filter_map(|record| Some(span(record, record.span.as_deref()?))).collect();
    let request = Request {
        resource_spans: [ResourceSpans {
            resource: Resource { attributes: vec![name] },
            scope_spans: [ScopeSpans { scope, spans }],
            schema_url: SCHEMA,
        }],
    };
    serde_json::to_vec(&request).expect("strings and numbers always serialize")
}

fn span<'a>(record: &'a Record, span: &'a Span) -> OtlpSpan<'a> {
    let own = span.context.own;
    let start = u64::try_from(record.time.as_micros()).unwrap_or(0).saturating_mul(1000);
    let end = start.saturating_add((record.total_ms * 1e6) as u64);
    let remote = if span.context.parent.is_some() { IS_REMOTE } else { 0 };
    let error = error_type(record);
    OtlpSpan {
        trace_id: format!("{:032x}", own.trace),
        span_id: format!("{:016x}", own.span),
        parent_span_id: span.context.parent.map(|parent| format!("{parent:016x}")),
        flags: u32::from(own.flags) | KNOWS_REMOTE | remote,
        name: method(record).unwrap_or("HTTP"),
        kind: SERVER,
        start_time_unix_nano: start.to_string(),
        end_time_unix_nano: end.to_string(),
        status: Status { code: error.is_some().then_some(ERROR) },
        attributes: attributes(record, span, error),
    }
}

fn attributes<'a>(record: &'a Record, span: &'a Span, error: Option<Cow<'static, str>>) -> Vec<Attribute<'a>> {
    let mut all = Vec::with_capacity(16);
    let mut text = |key, text: Cow<'a, str>| {
        if !text.is_empty() {
            all.push(Attribute { key, value: Value::Text(text) });
        }
    };
    let known = method(record);
    text("http.request.method", known.unwrap_or("_OTHER").into());
    if known.is_none() {
        text("http.request.method_original", record.method.as_str().into());
    }
    text("url.scheme", span.scheme.as_str().into());
    text("url.path", record.target.split('?').next().unwrap_or_default().into());
    let (host, port) = host_and_port(&record.host);
    text("server.address", host.into());
    text("client.address", record.client.to_string().into());
    text("network.protocol.version", protocol_version(record.version).into());
    text("user_agent.original", record.user_agent.as_str().into());
    text("error.type", error.unwrap_or_default());
    text("foresail.endpoint", record.endpoint.as_deref().unwrap_or_default().into());
    text("foresail.outcome", record.outcome.into());
    text("foresail.request_id", record.request_id.as_str().into());
    let mut number = |key, number: Option<u64>| {
        all.extend(number.map(|n| Attribute { key, value: Value::Integer(n.to_string()) }));
    };
    number("server.port", port.map(u64::from));
    number("http.response.status_code", (record.status > 0).then_some(u64::from(record.status)));
    number("http.response.body.size", (record.status > 0).then_some(record.sent_bytes));
    number("foresail.retries", Some(u64::from(record.attempts.saturating_sub(1))));
    let mut time = |key, ms: f64| all.push(Attribute { key, value: Value::Number(ms) });
    time("foresail.queued_ms", record.queued_ms);
    if record.first_byte_ms > 0.0 {
        // From the last attempt, as the endpoint would measure it.
        time("foresail.upstream_first_byte_ms", (record.first_byte_ms - record.queued_ms).max(0.0));
    }
    all
}

/// Methods that the conventions name; anything else a client makes up would be a name of its own.
fn method(record: &Record) -> Option<&str> {
    const KNOWN: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    KNOWN.contains(&record.method.as_str()).then_some(record.method.as_str())
}

/// Why the request is an error of the server's, if it is one: a status from 500 on, or an answer that was not whole.
fn error_type(record: &Record) -> Option<Cow<'static, str>> {
    match (record.outcome, record.status) {
        (_, status @ 500..) => Some(status.to_string().into()),
        ("failed", _) => Some("broken_answer".into()),
        ("aborted", _) => Some("client_gone".into()),
        _ => None,
    }
}

/// `a:80`, `[::1]:80`, `a`.
fn host_and_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') && (!name.contains(':') || name.ends_with(']')) => {
            (name.trim_matches(['[', ']']), port.parse().ok())
        }
        _ => (host.trim_matches(['[', ']']), None),
    }
}

fn protocol_version(version: &str) -> &str {
    match version {
        "HTTP/2.0" => "2",
        other => other.strip_prefix("HTTP/").unwrap_or(other),
    }
}

/// How many spans an answer says were rejected.
pub(super) fn rejected(answer: &[u8]) -> usize {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Answer {
        partial_success: Partial,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Partial {
        rejected_spans: Count,
    }
    /// A 64-bit integer, written as a text or a number.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Count {
        Number(u64),
        Text(String),
    }
    impl Default for Count {
        fn default() -> Self {
            Self::Number(0)
        }
    }
    let answer: Answer = serde_json::from_slice(answer).unwrap_or_default();
    let count = match answer.partial_success.rejected_spans {
        Count::Number(count) => count,
        Count::Text(text) => text.parse().unwrap_or(0),
    };
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foresail_core::Timestamp;
    use hyper::http::request::Builder;
    use hyper::{Method, Request, Version};
    use serde_json::{Value, json};

    use super::*;
    use crate::exchange::Outcome;
    use crate::trace_context::{SpanContext, Traceparent};

    fn record(request: Builder, parent: Option<u64>) -> Record {
        let (parts, ()) = request.header("host", "shop.example:8080").body(()).unwrap().into_parts();
        let own =
            Traceparent { trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, span: 0xb7ad_6b71_6920_3331, flags: 1 };
        let context = SpanContext { own, parent };
        let mut record = Record::new(&parts, Version::HTTP_2, "192.0.2.7".parse().unwrap(), Some(context));
        record.time = Timestamp::from_micros(1_772_366_400_000_001);
        record
    }

    fn exported(record: &Record) -> Value {
        serde_json::from_slice(&request("shop", std::slice::from_ref(record))).unwrap()
    }

    /// The attribute of this name, if the span has it.
    fn attribute(record: &Record, key: &str) -> Option<Value> {
        let all = &exported(record)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"];
        let found = all.as_array().unwrap().iter().find(|a| a["key"] == key);
        found.map(|a| a["value"].as_object().unwrap().values().next().unwrap().clone())
    }

    /// As `opentelemetry-proto` defines the message and its specification the JSON encoding.
    #[test]
    fn a_span_is_written_as_the_protocol_has_it() {
        let request = Request::builder()
            .uri("/cart?token=secret")
            .header("user-agent", "curl/8")
            .header("x-forwarded-proto", "https")
            .header("x-request-id", "id1");
        let mut record = record(request, Some(0x00f0_67aa_0ba9_02b7));
        (record.status, record.sent_bytes, record.attempts) = (200, 1 << 40, 2);
        (record.queued_ms, record.first_byte_ms) = (1.5, 4.0);
        record.endpoint = Some("web-1".to_owned());
        record.end(Outcome::Completed, Duration::from_millis(5));
        let string = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let integer = |key: &str, value: &str| json!({"key": key, "value": {"intValue": value}});
        let double = |key: &str, value: f64| json!({"key": key, "value": {"doubleValue": value}});
        let expected = json!({"resourceSpans": [{
            "resource": {"attributes": [string("service.name", "shop")]},
            "scopeSpans": [{
                "scope": {"name": "foresail-proxy", "version": env!("CARGO_PKG_VERSION")},
                "spans": [{
                    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "spanId": "b7ad6b7169203331",
                    "parentSpanId": "00f067aa0ba902b7",
                    "flags": 0x301,
                    "name": "GET",
                    "kind": 2,
                    "startTimeUnixNano": "1772366400000001000",
                    "endTimeUnixNano": "1772366400005001000",
                    "attributes": [
                        string("http.request.method", "GET"),
                        string("url.scheme", "https"),
                        string("url.path", "/cart"),
                        string("server.address", "shop.example"),
                        string("client.address", "192.0.2.7"),
                        string("network.protocol.version", "2"),
                        string("user_agent.original", "curl/8"),
                        string("foresail.endpoint", "web-1"),
                        string("foresail.outcome", "completed"),
                        string("foresail.request_id", "id1"),
                        integer("server.port", "8080"),
                        integer("http.response.status_code", "200"),
                        integer("http.response.body.size", "1099511627776"),
                        integer("foresail.retries", "1"),
                        double("foresail.queued_ms", 1.5),
                        double("foresail.upstream_first_byte_ms", 2.5),
                    ],
                    "status": {},
                }],
            }],
            "schemaUrl": "https://opentelemetry.io/schemas/1.24.0",
        }]});
        assert_eq!(exported(&record), expected);
    }

    #[test]
    fn errors_are_those_of_the_server() {
        for (status, outcome, expected) in [
            (200, Outcome::Completed, None),
            (404, Outcome::Completed, None),
            (503, Outcome::Rejected, Some("503")),
            (500, Outcome::Failed, Some("500")),
            (200, Outcome::Failed, Some("broken_answer")),
            (0, Outcome::Aborted, Some("client_gone")),
        ] {
            let mut record = record(Request::builder().method("BREW"), None);
            record.status = status;
            record.end(outcome, Duration::ZERO);
            assert_eq!(attribute(&record, "error.type"), expected.map(Value::from), "{status}");
            let span = &exported(&record)["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
            assert_eq!(span["status"]["code"] == 2, expected.is_some());
            assert!(span.get("parentSpanId").is_none() && span["flags"] == 0x101 && span["name"] == "HTTP");
            assert_eq!(attribute(&record, "http.request.method"), Some("_OTHER".into()));
            assert_eq!(attribute(&record, "http.request.method_original"), Some("BREW".into()));
            assert_eq!(attribute(&record, "http.response.status_code").is_some(), status > 0);
        }
        let record = record(Request::builder().method(Method::PATCH), None);
        assert_eq!(attribute(&record, "http.request.method"), Some("PATCH".into()));
    }

    #[test]
    fn hosts_are_taken_apart() {
        for (host, expected) in [
            ("a:80", ("a", Some(80))),
            ("a", ("a", None)),
            ("[::1]:80", ("::1", Some(80))),
            ("[::1]", ("::1", None)),
            ("a:x", ("a", None)),
            ("", ("", None)),
        ] {
            assert_eq!(host_and_port(host), expected, "{host}");
        }
    }

    #[test]
    fn a_partial_success_is_understood() {
        for (answer, expected) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":4}}"#, 4),
            (r#"{"partialSuccess":{"rejectedSpans":"many"}}"#, 0),
            ("<html>", 0),
        ] {
            assert_eq!(rejected(answer.as_bytes()), expected, "{answer}");
        }
    }
}
