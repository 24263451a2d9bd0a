//! Whatever comes in, the answer is an answer: never a panic, never a 5xx.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{open, operations};

/// JSON of any kind, with the names that fields have and others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        (0_u64..100).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![Just("act"), Just("both"), Just("2026-03-02T12:00:00Z"), Just("9999-12-31T23:59:59Z")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let name = prop_oneof![
            Just("mode"),
            Just("seconds"),
            Just("direction"),
            Just("replicas"),
            Just("from"),
            Just("to"),
            Just("factor"),
            Just("floor"),
            Just("label"),
            Just("load_rps"),
            Just("other")
        ];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..6).prop_map(|pairs| pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
        ]
    })
}

/// Text that may stand in a path or a query.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9%&=+.:-]{0,40}",
        any::<u64>().prop_map(|n| n.to_string()),
        vec(any::<u8>(), 0..12).prop_map(|bytes| bytes.iter().map(|b| format!("%{b:02X}")).collect()),
        Just("shop".to_owned()),
        Just("%".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn bad_input_is_refused_and_never_breaks(
        route in any::<prop::sample::Index>(),
        service in any_text(),
        id in any_text(),
        query in vec((prop_oneof!["from", "to", "max", "horizon", "before", "limit", "id", "format", "service", "label", "[a-z%]{0,5}"], any_text()), 0..3),
        body in prop_oneof![any_json().prop_map(|j| j.to_string().into_bytes()), vec(any::<u8>(), 0..60)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let server = open_once();
            let all = operations_once();
            let (method, path) = &all[route.index(all.len())];
            let path = path.replace("{service}", &service).replace("{id}", &id);
            let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let target = format!("{path}?{}", query.join("&"));
            let request = Request::builder()
                .method(method)
                .uri(&target)
                .header("host", "localhost")
                .header("content-type", "application/json")
                .body(Body::from(body));
            if let Ok(request) = request {
                let (status, text) = server.send(request).await;
                prop_assert!(!status.is_server_error(), "{method} {target}: {status} {text}");
                if status.is_client_error() {
                    let problem: Value = serde_json::from_str(&text).map_err(|e| TestCaseError::fail(e.to_string()))?;
                    prop_assert!(problem["error"].as_str().is_some_and(|e| !e.is_empty()));
                }
            }
            Ok(())
        })?;
    }
}

fn open_once() -> &'static crate::support::Server {
    static SERVER: std::sync::OnceLock<crate::support::Server> = std::sync::OnceLock::new();
    SERVER.get_or_init(open)
}

/// All but the event stream, which never ends.
fn operations_once() -> &'static Vec<(Method, String)> {
    static ALL: std::sync::OnceLock<Vec<(Method, String)>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        // A thread of its own: this is called from within a runtime.
        let ask = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            runtime.block_on(open_once().get("/api/v1/openapi.json")).1
        };
        let document = std::thread::spawn(ask).join().expect("a document");
        operations(&document).into_iter().map(|(m, p, _)| (m, p)).filter(|(_, p)| p != "/api/v1/events").collect()
    })
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let server = open();
    let of_size = |bytes: usize| String::from("{}") + &" ".repeat(bytes - 2);
    let (status, _) = server.write(Method::POST, "/decide", &of_size(64 * 1024)).await;
    assert_eq!(status, StatusCode::OK);
    let (status, answer) = server.write(Method::POST, "/decide", &of_size(64 * 1024 + 1)).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::PAYLOAD_TOO_LARGE, &"65536 bytes".into()));
}
