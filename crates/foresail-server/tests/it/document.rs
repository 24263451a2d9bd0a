//! The OpenAPI document and the routes are one.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::support::{READER, filled, guarded, open, operations, request};

#[tokio::test]
async fn every_documented_operation_is_routed_and_no_other() {
    let server = open();
    let (_, document) = server.get("/api/v1/openapi.json").await;
    let all = operations(&document);
    for (method, path, _) in &all {
        if path == "/api/v1/events" {
            continue;
        }
        let status = server.send(request(method, &filled(path, 1), "{}")).await.0;
        assert!(status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        let (other, _) = server.send(request(method, &format!("{}/no/where/else", filled(path, 1)), "{}")).await;
        assert_eq!(other, StatusCode::NOT_FOUND, "{method} {path}");
    }
    for (_, path, _) in &all {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            let documented = all.iter().any(|(m, p, _)| p == path && *m == method);
            if !documented {
                let status = server.send(request(&method, &filled(path, 1), "{}")).await.0;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            }
        }
    }
    let mut ids: Vec<&str> = all.iter().filter_map(|(_, _, op)| op["operationId"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
}

#[tokio::test]
async fn what_the_table_of_operations_looks_like() {
    let (_, document) = open().get("/api/v1/openapi.json").await;
    let lines: Vec<String> = operations(&document)
        .iter()
        .map(|(method, path, op)| format!("{method} {path} ({})", op["x-role"].as_str().unwrap_or("open")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn the_document_says_where_a_token_and_a_body_are_needed() {
    let (_, of_open) = open().get("/api/v1/openapi.json").await;
    let (_, of_guarded) = guarded().with(READER, Method::GET, "/api/v1/openapi.json", "").await;
    let of_guarded: Value = serde_json::from_str(&of_guarded).expect("JSON");
    for (document, goes_without) in [(of_open, true), (of_guarded, false)] {
        for (method, path, operation) in operations(&document) {
            let security = operation["security"].as_array().expect("a list");
            let free = security.is_empty() || security.iter().any(|s| s.as_object().is_some_and(|s| s.is_empty()));
            assert_eq!(free, goes_without || operation.get("x-role").is_none(), "{method} {path}");
            let needs_body = operation.get("requestBody").is_some_and(|b| b["required"] == true);
            assert_eq!(needs_body, matches!(method, Method::POST | Method::PUT), "{method} {path}");
        }
    }
}

/// Whether `value` is what `schema` says; the first thing that is not.
pub(crate) fn mismatch(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return mismatch(document, &document["components"]["schemas"][name], value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let tries: Vec<Option<String>> = any.iter().map(|s| mismatch(document, s, value, at)).collect();
        return if tries.iter().any(Option::is_none) { None } else { tries.into_iter().next().flatten() };
    }
    let fits = match schema["type"].as_str().unwrap_or_default() {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if !fits {
        return Some(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        return Some(format!("{at}: {value} is none of {words:?}"));
    }
    if let Some(items) = value.as_array() {
        let of = |i: usize| if schema["prefixItems"].is_array() { &schema["prefixItems"][i] } else { &schema["items"] };
        return items.iter().enumerate().find_map(|(i, item)| mismatch(document, of(i), item, &format!("{at}[{i}]")));
    }
    let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) else { return None };
    if let Some(missing) = known.keys().find(|name| !fields.contains_key(*name)) {
        return Some(format!("{at}: {missing} is missing"));
    }
    fields.iter().find_map(|(name, field)| match known.get(name) {
        Some(schema) => mismatch(document, schema, field, &format!("{at}.{name}")),
        // An operator's word has further fields by kind; a document has what OpenAPI says.
        None if at.ends_with(".word") || known.is_empty() => None,
        None => Some(format!("{at}: {name} is not documented")),
    })
}
