//! A router over the synthetic day, and short ways to ask it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use foresail_server::api::{Role, ServerConfig, TokenConfig, router};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::plane::DemoPlane;

pub(crate) const READER: &str = "reader-token-0123456789";
pub(crate) const OPERATOR: &str = "operator-token-0123456789";

/// A server on loopback.
pub(crate) struct Server {
    pub(crate) plane: Arc<DemoPlane>,
    pub(crate) router: Router,
    pub(crate) closing: watch::Sender<bool>,
}

pub(crate) fn server(config: &ServerConfig) -> Server {
    let plane = Arc::new(DemoPlane::new(600));
    let (closing, closed) = watch::channel(false);
    let bound = SocketAddr::from(([127, 0, 0, 1], 8390));
    let router = router(config, bound, plane.clone(), closed).expect("an accepted configuration");
    Server { plane, router, closing }
}

pub(crate) fn open() -> Server {
    server(&ServerConfig::default())
}

/// With a token for each role.
pub(crate) fn guarded() -> Server {
    let token = |name: &str, role, secret: &str| TokenConfig {
        name: name.to_owned(),
        role,
        token: Some(secret.to_owned()),
        token_file: None,
    };
    let tokens = vec![token("reader", Role::Read, READER), token("operator", Role::Operate, OPERATOR)];
    server(&ServerConfig { tokens, ..ServerConfig::default() })
}

/// A request as a client on this machine sends it.
pub(crate) fn request(method: &Method, path: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8390");
    if *method != Method::GET && *method != Method::DELETE {
        request = request.header("content-type", "application/json");
    }
    request.body(Body::from(body.to_owned())).expect("a valid request")
}

impl Server {
    /// Status and text of the answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.expect("a router never fails");
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
        (status, String::from_utf8(bytes.to_vec()).expect("UTF-8"))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, text) = self.send(request(&Method::GET, path, "")).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn write(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        let (status, text) = self.send(request(&method, path, body)).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// Method, path as in the document, and operation of everything documented.
pub(crate) fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    for (path, verbs) in paths {
        for (verb, operation) in verbs.as_object().expect("operations") {
            let method = verb.to_ascii_uppercase().parse().expect("a method");
            all.push((method, path.clone(), operation.clone()));
        }
    }
    all
}

/// A path of the document with its parameters filled in.
pub(crate) fn filled(path: &str, id: u64) -> String {
    path.replace("{service}", "shop").replace("{id}", &id.to_string())
}
