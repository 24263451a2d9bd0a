//! From the table of routes to a service: routes, pages, refusals for the rest, and headers on everything.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::on;
use tokio::sync::watch;

use super::app::App;
use super::auth::{Hosts, Tokens};
use super::config::ServerConfig;
use super::pages;
use super::plane::ControlPlane;
use super::problem::Problem;
use super::routes::ROUTES;
use crate::Error;

/// Everything the server answers, for a server bound to `bound`. The event streams end when `closing` turns true.
///
/// # Errors
/// [`Error::Config`] for a configuration that [`ServerConfig::check`] refuses, [`Error::Read`] for a token file.
pub fn router(
    config: &ServerConfig,
    bound: SocketAddr,
    plane: Arc<dyn ControlPlane>,
    closing: watch::Receiver<bool>,
) -> Result<Router, Error> {
    config.check()?;
    let (tokens, hosts) = (Tokens::read(config)?, Hosts::new(config, bound.ip()));
    let app = Arc::new(App::new(plane, tokens, hosts, config.max_streams, closing));
    let mut router = Router::new();
    for (index, route) in ROUTES.iter().enumerate() {
        let app = Arc::clone(&app);
        let handler = move |request: Request| Arc::clone(&app).answer(index, request);
        router = router.route(route.path, on(route.verb.filter(), handler));
    }
    for path in pages::paths() {
        let app = Arc::clone(&app);
        let handler = move |request: Request| pages::answer(Arc::clone(&app), path, request);
        router = router.route(path, axum::routing::get(handler));
    }
    let router = router
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not know that method")
        })
        .layer(map_response(guard));
    Ok(router)
}

/// Headers that keep an answer from being framed, sniffed, or made to load or run anything foreign.
async fn guard(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    let resources = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resources, HeaderValue::from_static("same-origin"));
    response
}
