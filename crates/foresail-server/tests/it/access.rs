//! Who may do what: roles, other sites, other names, and what is audited.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::support::{OPERATOR, READER, filled, guarded, open, operations, request};

/// A body that each write accepts.
fn body_for(id: &str) -> &'static str {
    match id.trim_end_matches("_one") {
        "set_mode" => r#"{"mode": "act"}"#,
        "pause" => r#"{"seconds": 60}"#,
        "set_override" => r#"{"replicas": 5, "seconds": 60}"#,
        "announce" => r#"{"from": "2026-03-02T12:00:00Z", "to": "2026-03-02T13:00:00Z", "label": "sale"}"#,
        _ => "{}",
    }
}

#[tokio::test]
async fn every_operation_needs_its_role() {
    let server = guarded();
    let document = server.with(READER, Method::GET, "/api/v1/openapi.json", "").await.1;
    let document = serde_json::from_str(&document).expect("JSON");
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        if id == "events" {
            continue; // never ends; its role is checked in `stream`
        }
        let query = if id == "withdraw" { "?label=sale" } else { "" };
        let path = filled(&path, 1) + query;
        let role = operation.get("x-role").and_then(|r| r.as_str());
        let body = body_for(id);
        let refused = |status| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let nobody = server.send(request(&method, &path, body)).await.0;
        let stranger = server.with("stranger-token-0123456789", method.clone(), &path, body).await.0;
        let reader = server.with(READER, method.clone(), &path, body).await.0;
        let operator = server.with(OPERATOR, method.clone(), &path, body).await.0;
        match role {
            None => assert!(!refused(nobody), "{method} {path}"),
            Some(role) => {
                assert_eq!((nobody, stranger), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED), "{method} {path}");
                assert_eq!(reader == StatusCode::FORBIDDEN, role == "operate", "{method} {path}: {reader}");
                assert!(!refused(operator) && !operator.is_server_error(), "{method} {path}: {operator}");
            }
        }
        checked += 1;
    }
    assert!(checked > 40);
}

#[tokio::test]
async fn other_sites_cannot_write() {
    let server = open();
    let send = |headers: &'static [(&'static str, &'static str)]| {
        let mut request = Request::builder().method("POST").uri("/api/v1/services/shop/kill");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        server.send(request.body(Body::from("{}")).expect("a request"))
    };
    let json = ("content-type", "application/json");
    let host = ("host", "localhost:8390");
    for (headers, expected) in [
        (&[host, json] as &[_], StatusCode::OK),
        (&[host, ("content-type", "application/json; charset=utf-8")], StatusCode::OK),
        (&[host, json, ("origin", "http://localhost:8390"), ("sec-fetch-site", "same-origin")], StatusCode::OK),
        (&[host], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (&[host, ("content-type", "text/plain")], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (&[host, json, ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (&[host, json, ("origin", "http://localhost:9999")], StatusCode::FORBIDDEN),
        (&[host, json, ("origin", "null")], StatusCode::FORBIDDEN),
        (&[host, json, ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        (&[host, json, ("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
        (&[("host", "rebound.example:8390"), json], StatusCode::BAD_REQUEST),
        (&[host, ("host", "rebound.example"), json], StatusCode::BAD_REQUEST),
        (&[json], StatusCode::BAD_REQUEST),
    ] {
        let headers: &'static [(&str, &str)] = Box::leak(headers.to_vec().into_boxed_slice());
        assert_eq!(send(headers).await.0, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn reading_under_a_foreign_name_is_refused_too() {
    let server = open();
    for (host, expected) in [
        ("127.0.0.1:8390", StatusCode::OK),
        ("[::1]:8390", StatusCode::OK),
        ("shop.localhost", StatusCode::OK),
        ("rebound.example", StatusCode::BAD_REQUEST),
    ] {
        for path in ["/api/v1/services", "/", "/healthz"] {
            let request = Request::builder().uri(path).header("host", host).body(Body::empty()).expect("a request");
            assert_eq!(server.send(request).await.0, expected, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn writes_take_effect_and_are_audited() {
    let server = open();
    let path = "/api/v1/services/shop";
    let (status, answer) = server.write(Method::PUT, &format!("{path}/mode"), r#"{"mode": "act"}"#).await;
    assert_eq!((status, &answer["status"]["mode"]), (StatusCode::OK, &"act".into()));
    let (status, answer) =
        server.write(Method::POST, &format!("{path}/pause"), r#"{"seconds": 600, "direction": "down"}"#).await;
    assert_eq!((status, &answer["status"]["paused"]["direction"]), (StatusCode::OK, &"down".into()));
    let (status, _) =
        server.write(Method::PUT, &format!("{path}/override"), r#"{"replicas": 900, "seconds": 60}"#).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, audit) = server.get("/api/v1/audit?limit=2").await;
    let entries = audit["entries"].as_array().expect("entries");
    assert_eq!(entries[0]["outcome"], "2 to 40 replicas are accepted");
    assert_eq!((&entries[1]["word"]["kind"], &entries[1]["actor"]["name"]), (&"pause".into(), &"loopback".into()));
    assert_eq!(audit["next_before"], 2);
}

#[tokio::test]
async fn answers_carry_the_headers_that_pages_need() {
    let server = open();
    for path in ["/", "/api", "/assets/app.js", "/api/v1/services", "/nowhere"] {
        let response = tower::ServiceExt::oneshot(server.router.clone(), request(&Method::GET, path, "")).await;
        let response = response.expect("a router never fails");
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert_eq!((header("x-frame-options"), header("x-content-type-options")), ("DENY".into(), "nosniff".into()));
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
}

impl crate::support::Server {
    pub(crate) async fn with(&self, token: &str, method: Method, path: &str, body: &str) -> (StatusCode, String) {
        let mut request = request(&method, path, body);
        let value = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", value);
        self.send(request).await
    }
}
