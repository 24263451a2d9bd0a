//! The event stream: a view at once, one after each tick, the newest to who was slow, and an end.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use foresail_server::api::{ControlPlane, ServerConfig};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::support::{Server, guarded, open, request, server};

async fn connect(server: &Server) -> Body {
    let response = server.router.clone().oneshot(request(&Method::GET, "/api/v1/events", "")).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body()
}

/// The view in the next chunk; none at the end.
async fn next(body: &mut Body) -> Option<Value> {
    let frame = timeout(Duration::from_secs(5), body.frame()).await.expect("news in time")?;
    let data = frame.expect("a frame").into_data().expect("data");
    let text = String::from_utf8(data.to_vec()).expect("UTF-8");
    assert!(text.starts_with("event: view\ndata: {") && text.ends_with("}\n\n"), "{text:.80}");
    assert_eq!(text.matches("event: view").count(), 1);
    Some(serde_json::from_str(text.lines().nth(1).expect("data").trim_start_matches("data: ")).expect("JSON"))
}

#[tokio::test]
async fn a_slow_client_gets_the_newest_and_no_queue() {
    let server = open();
    let mut body = connect(&server).await;
    let first = next(&mut body).await.expect("a view at once");
    for _ in 0..100 {
        server.plane.advance();
    }
    let second = next(&mut body).await.expect("a view");
    let newest = serde_json::to_value(server.plane.view("shop").expect("a view").as_ref()).expect("JSON");
    assert!(first["time"] != second["time"]);
    assert_eq!(second, newest);
    assert!(timeout(Duration::from_millis(100), body.frame()).await.is_err(), "nothing more until the next tick");
}

#[tokio::test]
async fn streams_are_bounded_freed_and_ended() {
    let server = server(&ServerConfig { max_streams: 1, ..ServerConfig::default() });
    let mut body = connect(&server).await;
    let (status, _) = server.get("/api/v1/events").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    next(&mut body).await.expect("a view");
    server.closing.send_replace(true);
    assert!(next(&mut body).await.is_none());
    drop(body);
    drop(connect(&server).await);
}

#[tokio::test]
async fn a_stream_needs_a_token_where_reading_does() {
    let (status, _) = guarded().get("/api/v1/events").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}
