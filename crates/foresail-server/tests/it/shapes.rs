//! Answers have the shapes that the document promises, and errors and metrics read as they should.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::document::mismatch;
use crate::support::{filled, open, operations, request};

#[tokio::test]
async fn every_json_answer_fits_its_schema() {
    let server = open();
    let (_, document) = server.get("/api/v1/openapi.json").await;
    server.write(Method::PUT, "/mode", r#"{"mode": "act"}"#).await;
    server.write(Method::PUT, "/api/v1/services/shop/override", r#"{"replicas": 4, "seconds": 600}"#).await;
    server.write(Method::POST, "/pause", r#"{"seconds": 600}"#).await;
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let reads = operation["x-role"] == "read" || path.ends_with("/revive");
        if schema.is_null() || !reads {
            continue;
        }
        let (status, text) = server.send(request(&method, &filled(&path, 500), "")).await;
        if status == StatusCode::CONFLICT {
            continue;
        }
        assert_eq!(status, StatusCode::OK, "{method} {path}: {text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(mismatch(&document, schema, &value, "answer"), None, "{method} {path}");
        checked += 1;
    }
    assert!(checked > 25, "{checked}");
}

#[tokio::test]
async fn refusals_say_what_is_accepted() {
    let server = open();
    let service = "/api/v1/services/shop";
    let asks = [
        (Method::GET, "/api/v1/services/unknown".to_owned(), ""),
        (Method::GET, format!("{service}/series?max=0"), ""),
        (Method::GET, format!("{service}/series?from=noon"), ""),
        (Method::GET, format!("{service}/series?from=2026-03-05T00:00:00Z&to=2026-03-04T00:00:00Z"), ""),
        (Method::GET, format!("{service}/predict?horizon=-5"), ""),
        (Method::GET, format!("{service}/decisions?page=2"), ""),
        (Method::GET, format!("{service}/decisions/first"), ""),
        (Method::GET, format!("{service}/decisions/999999"), ""),
        (Method::PUT, format!("{service}/mode"), r#"{"mode": "manual"}"#),
        (Method::PUT, format!("{service}/override"), r#"{"replicas": 3}"#),
        (Method::POST, format!("{service}/pause"), "seconds=5"),
        (Method::POST, format!("{service}/resume"), "{}"),
        (Method::POST, format!("{service}/recommendations/1/approve"), "{}"),
        (Method::POST, "/decide".to_owned(), r#"{"load_rps": -1}"#),
        (Method::POST, "/decide".to_owned(), r#"{"load": 1}"#),
        (Method::DELETE, format!("{service}/mode"), ""),
        (Method::GET, "/nowhere".to_owned(), ""),
    ];
    let mut lines = Vec::new();
    for (method, path, body) in asks {
        let (status, text) = server.send(request(&method, &path, body)).await;
        lines.push(format!("{method} {path} {body}\n  {} {text}", status.as_u16()));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn metrics_are_complete_and_bounded() {
    let server = open();
    server.get("/api/v1/services").await;
    let (status, text) = server.send(request(&Method::GET, "/metrics", "")).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_decision_explains_itself_in_words() {
    let (status, text) = open().send(request(&Method::GET, "/explain?id=540&format=text", "")).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn asking_what_if_changes_nothing() {
    let server = open();
    let (_, before) = server.get("/api/v1/services/shop").await;
    let (status, answer) = server.write(Method::POST, "/decide", r#"{"load_rps": 1000}"#).await;
    assert_eq!((status, &answer["answer"]["decision"]["desired"]), (StatusCode::OK, &29.into()));
    let (_, after) = server.get("/api/v1/services/shop").await;
    assert_eq!(before, after);
}
