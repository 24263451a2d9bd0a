//! What every request meets: the host check, the token, the role, the same-site rule, the limits, and then its handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, watch};

use super::auth::{Hosts, Tokens, check_role, check_same_site};
use super::field::{Field, Values};
use super::plane::{Actor, ControlPlane, PlaneError, Role, ServiceView};
use super::problem::Problem;
use super::routes::{COUNT, IN_PATH, ROUTES, Route, Verb};
use super::views::Views;

/// Largest body, bytes.
pub(super) const BODY_LIMIT: usize = 64 * 1024;
/// Longest a request may take, its body included; event streams run on after it.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Requests handled at a time.
const CONCURRENT: usize = 256;

/// What the handlers share.
pub(super) struct App {
    pub(super) plane: Arc<dyn ControlPlane>,
    pub(super) views: Views,
    /// Event streams that may still be opened.
    pub(super) streams: Arc<Semaphore>,
    /// Turns true when the server is to end.
    pub(super) closing: watch::Receiver<bool>,
    /// Answers by route, and by first digit of the status.
    pub(super) answered: [[AtomicU64; 5]; COUNT],
    pub(super) tokens: Tokens,
    hosts: Hosts,
    places: Semaphore,
}

/// A request that passed every check.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) actor: Actor,
    pub(super) values: Values,
}

impl App {
    pub(super) fn new(
        plane: Arc<dyn ControlPlane>,
        tokens: Tokens,
        hosts: Hosts,
        streams: usize,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            plane,
            views: Views::default(),
            streams: Arc::new(Semaphore::new(streams)),
            closing,
            answered: std::array::from_fn(|_| Default::default()),
            tokens,
            hosts,
            places: Semaphore::new(CONCURRENT),
        }
    }

    /// Answers a request to `ROUTES[index]`.
    pub(super) async fn answer(self: Arc<Self>, index: usize, request: Request) -> Response {
        let route = &ROUTES[index];
        let app = Arc::clone(&self);
        let response = match tokio::time::timeout(TIME_LIMIT, app.handle(route, request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(problem)) => problem.into_response(),
            Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took longer than 10 s").into_response(),
        };
        let class = usize::from(response.status().as_u16() / 100).clamp(1, 5) - 1;
        self.answered[index][class].fetch_add(1, Ordering::Relaxed);
        response
    }

    async fn handle(self: Arc<Self>, route: &'static Route, request: Request) -> Result<Response, Problem> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at a time"));
        };
        let (mut parts, body) = request.into_parts();
        let own = self.hosts.check(&parts.uri, &parts.headers)?;
        let actor = match route.role {
            Some(role) => {
                let actor = self.tokens.actor(&parts.headers)?;
                check_role(&actor, role)?;
                actor
            }
            None => Actor { name: "anybody".to_owned(), role: Role::Read },
        };
        if route.verb != Verb::Get {
            check_same_site(&parts.method, &parts.headers, &own)?;
        }
        let mut values = Values::default();
        read_path(&mut parts, &mut values).await?;
        values.read_query(route.query, parts.uri.query().unwrap_or_default())?;
        if let Some(fields) = route.body {
            values.read_body(fields, &read_body(&parts, body).await?)?;
        }
        let call = Call { app: Arc::clone(&self), actor, values };
        (route.handler)(call).await
    }

    /// Checks only under which name a page was asked for: pages hold no data.
    pub(super) fn check_host(&self, request: &Request) -> Result<(), Problem> {
        self.hosts.check(request.uri(), request.headers()).map(|_| ())
    }
}

impl Call {
    /// The service it is about: named in the path or the query, else the first.
    pub(super) fn service(&self) -> Result<String, Problem> {
        let services = self.app.plane.services();
        match self.values.text("service") {
            Some(name) if services.iter().any(|s| s == name) => Ok(name.to_owned()),
            Some(name) => {
                let shown: String = name.chars().take(40).collect();
                let missing = PlaneError::NotFound { what: format!("service called {shown}") };
                Err(Problem::from(missing).accepting(services.join(", ")))
            }
            None => services
                .into_iter()
                .next()
                .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no service configured")),
        }
    }

    /// The newest view of that service.
    pub(super) fn view(&self) -> Result<Arc<ServiceView>, Problem> {
        let service = self.service()?;
        let early = || Problem::new(StatusCode::NOT_FOUND, format!("there is nothing to see of {service} yet"));
        self.app.plane.view(&service).ok_or_else(early)
    }
}

async fn read_path(parts: &mut Parts, values: &mut Values) -> Result<(), Problem> {
    let bad = || Problem::new(StatusCode::BAD_REQUEST, "the path is not UTF-8");
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| bad())?;
    let fields: &'static [Field] = &IN_PATH;
    for (name, value) in &params {
        values.read_text(fields, name, value)?;
    }
    Ok(())
}

async fn read_body(parts: &Parts, body: Body) -> Result<bytes::Bytes, Problem> {
    let large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").accepting(format!("{BODY_LIMIT} bytes"))
    };
    let said = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if said.is_some_and(|length: usize| length > BODY_LIMIT) {
        return Err(large());
    }
    to_bytes(body, BODY_LIMIT).await.map_err(|_| large())
}
