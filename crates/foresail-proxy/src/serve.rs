//! The path of one request: checked, admitted, sent to an endpoint, answered.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::time::timeout_at;

use crate::admit::Lease;
use crate::answer::{Problem, held, problem};
use crate::body::{DownBody, UpBody, UpFate};
use crate::exchange::{Active, Exchange, Flight, Outcome};
use crate::pool::{Link, LocalEndpoint};
use crate::queue::{self, Rejection};
use crate::record::Record;
use crate::request::{Prepared, X_REQUEST_ID, prepare, strip_hop_by_hop};
use crate::scan::Refusal;
use crate::trace_context::{self, SpanContext};
use crate::tunnel::Tunnel;
use crate::watch::Watch;
use crate::worker::Worker;
use crate::{ProxyConfig, clock};

/// Answers one request of HTTP/1. Never an error: what goes wrong becomes a status. What needs no waiting is done at once,
/// so that the future, of which there is one a request, does not carry the request around.
pub(crate) fn serve_http1(
    worker: &Rc<Worker>,
    watch: &Rc<Watch>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<DownBody>, Infallible>> + use<> {
    let number = watch.begin_request();
    let begun = begin(worker, watch, number, request);
    let (worker, watch) = (Rc::clone(worker), Rc::clone(watch));
    async move {
        let mut response = begun.finish().await;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            watch.resume.set(true);
            let most = worker.config().limits.requests_per_connection;
            if watch.is_blind.get() || worker.is_draining() || (most > 0 && number >= most) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        Ok(response)
    }
}

/// Answers one request of HTTP/2, all of it within its stream.
pub(crate) async fn serve_http2(
    worker: Rc<Worker>,
    watch: Rc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<DownBody>, Infallible> {
    let number = watch.begin_request();
    Ok(begin(&worker, &watch, number, request).finish().await)
}

enum Begun {
    Answered(Box<Response<DownBody>>),
    Forward(Box<Forward>),
}

impl Begun {
    async fn finish(self) -> Response<DownBody> {
        match self {
            Self::Answered(response) => *response,
            Self::Forward(forward) => forward.run().await,
        }
    }
}

/// What can be done without waiting: checks the request and prepares the one that the endpoint gets.
fn begin(worker: &Rc<Worker>, watch: &Rc<Watch>, number: u64, request: Request<Incoming>) -> Begun {
    let started = clock::now();
    let active = Active::new(Rc::clone(watch));
    let config = worker.config();
    let version = request.version();
    let (mut parts, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let refuse = |refusal: Refusal, id: &HeaderValue, active: Active| {
        worker.counters().refused.increment();
        Begun::Answered(Box::new(problem(refusal.into(), id, Flight::ours(None, active, Outcome::Completed))))
    };
    if let Some(refusal) = watch.refusal_of(number) {
        return refuse(refusal, &worker.fresh_id(), active);
    }
    // As the client wrote it, before anything is changed.
    let fingerprint = worker.sentry.as_ref().map(|sentry| sentry.fingerprint(&parts));
    let prepared = match prepare(&mut parts, watch, &config.trusted_proxies, has_body, || worker.fresh_id()) {
        Ok(prepared) => prepared,
        Err((refusal, id)) => return refuse(refusal, &id, active),
    };
    if let Some((sentry, fingerprint)) = worker.sentry.as_ref().zip(fingerprint)
        && let Some(answer) = sentry.judge(&config, &parts, prepared.client, fingerprint, watch, started)
    {
        worker.counters().held.increment();
        let flight = Flight::ours(None, active, Outcome::Completed);
        return Begun::Answered(Box::new(held(answer, &prepared.id, flight)));
    }
    let span = trace(worker, &config, &mut parts.headers);
    let is_recorded = worker.log.is_some() || span.is_some();
    let record = is_recorded.then(|| Box::new(Record::new(&parts, version, prepared.client, span)));
    let kind = config.fingerprint.then(|| worker.observer.kind(&parts));
    let exchange = Exchange::begin(Rc::clone(worker), Rc::clone(&config), started, record, kind);
    if config.limits.body_bytes > 0 && body.size_hint().lower() > config.limits.body_bytes {
        let flight = Flight::ours(Some(exchange), active, Outcome::Completed);
        return Begun::Answered(Box::new(ours(Refusal::BodyTooLarge.into(), &prepared.id, flight)));
    }
    worker.budget.borrow_mut().deposit();
    let hash = worker.hash(&config, prepared.client, &parts);
    let head = Head { method: parts.method, uri: parts.uri, headers: parts.headers };
    let spare = if prepared.idempotent && !has_body { Some(head.clone()) } else { None };
    let fate = if has_body { Some(Rc::new(UpFate::default())) } else { None };
    let body = match &fate {
        Some(fate) => UpBody::streaming(body, Rc::clone(fate), Rc::clone(watch), config.limits.body_bytes),
        None => UpBody::empty(),
    };
    Begun::Forward(Box::new(Forward {
        worker: Rc::clone(worker),
        watch: Rc::clone(watch),
        total: started + config.deadlines.total,
        request: Some(head.request(body)),
        prepared,
        hash,
        exchange,
        active,
        tried: Vec::new(),
        attempts: 0,
        spare,
        fate,
    }))
}

/// Says in the head which trace it belongs to; the span that is to be exported, if any.
fn trace(worker: &Worker, config: &ProxyConfig, headers: &mut HeaderMap) -> Option<SpanContext> {
    let Some(otlp) = &config.otlp else {
        trace_context::pass_on(headers, || worker.random());
        return None;
    };
    let context = trace_context::begin_span(headers, otlp.sample, || worker.random());
    context.own.is_sampled().then_some(context)
}

/// An answer of our own to a request that had arrived.
fn ours(what: Problem, id: &HeaderValue, mut flight: Flight) -> Response<DownBody> {
    if let Some(record) = flight.exchange.as_mut().and_then(|e| e.record.as_mut()) {
        record.status = what.status().as_u16();
    }
    problem(what, id, flight)
}

/// A request on its way to an endpoint. Held in one place on the heap, so that the futures around it stay small.
struct Forward {
    worker: Rc<Worker>,
    watch: Rc<Watch>,
    prepared: Prepared,
    hash: Option<u64>,
    exchange: Exchange,
    active: Active,
    /// What to send next; taken when it is sent.
    request: Option<Request<UpBody>>,
    /// To send the request again, where that does no harm.
    spare: Option<Head>,
    /// What becomes of the request's body, if it has one.
    fate: Option<Rc<UpFate>>,
    /// By when the last byte must be out.
    total: Instant,
    tried: Vec<Rc<LocalEndpoint>>,
    attempts: u32,
}

/// Why an attempt brought no answer. A request that was not sent at all is there again.
enum Failure {
    /// No connection; nothing was sent.
    Connect { is_timeout: bool },
    /// A kept connection turned out to be gone, and not a byte came back.
    Stale,
    /// The connection broke off.
    Broken,
    /// No answer in time.
    TimedOut,
}

/// A head that can be sent again.
#[derive(Clone)]
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    fn request(self, body: UpBody) -> Request<UpBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

impl Forward {
    async fn run(mut self: Box<Self>) -> Response<DownBody> {
        loop {
            let mut lease = match self.lease().await {
                Ok(lease) => lease,
                Err(Rejection::QueueFull) => return self.end(Problem::QUEUE_FULL, Outcome::Rejected),
                Err(Rejection::TimedOut) => return self.end(Problem::NO_ENDPOINT, Outcome::Rejected),
            };
            let failure = match self.attempt(&lease).await {
                Ok((response, link)) => {
                    if !self.should_retry(&response) || !self.may_repeat() {
                        return self.respond(response, lease, link);
                    }
                    lease.failed();
                    self.tried.push(Rc::clone(&lease.endpoint));
                    continue;
                }
                Err(failure) => failure,
            };
            if let Some(fate) = &self.fate
                && fate.broken.get()
            {
                // The client's fault, so the endpoint is not blamed.
                let refusal = fate.refusal.get().unwrap_or(Refusal::Malformed);
                return self.end(refusal.into(), Outcome::Completed);
            }
            lease.failed();
            let (may_go_on, what) = match failure {
                Failure::Connect { is_timeout: true } => (self.has_attempts(), Problem::TIMEOUT),
                Failure::Connect { is_timeout: false } => (self.has_attempts(), Problem::UNREACHABLE),
                Failure::TimedOut => (false, Problem::TIMEOUT),
                Failure::Stale | Failure::Broken => (self.may_repeat(), Problem::BAD_GATEWAY),
            };
            if !may_go_on || clock::now() >= self.total {
                return self.end(what, Outcome::Failed);
            }
            self.tried.push(Rc::clone(&lease.endpoint));
        }
    }

    /// A place at an endpoint, at once if one is free and nobody waits before us.
    async fn lease(&mut self) -> Result<Lease, Rejection> {
        let at_once = if self.worker.queue.is_empty() { self.worker.try_lease(&self.tried, self.hash) } else { None };
        let lease = match at_once {
            Some(lease) => lease,
            None => Box::pin(queue::wait(&self.worker, &self.tried, self.hash, clock::now())).await?,
        };
        self.exchange.admitted();
        self.attempts += 1;
        if self.attempts > 1 {
            self.worker.counters().retries.increment();
        }
        if let Some(record) = &mut self.exchange.record {
            record.attempts = self.attempts;
            record.queued_ms = self.exchange.started.elapsed().as_secs_f64() * 1000.0;
            record.endpoint = Some(lease.endpoint.slot.id.clone());
        }
        Ok(lease)
    }

    /// Sends the request, over a kept connection if there is one; if that turns out to be gone, over a new one.
    async fn attempt(&mut self, lease: &Lease) -> Result<(Response<Incoming>, Link), Failure> {
        self.name_host(lease);
        if let Some(link) = lease.endpoint.take_idle() {
            match self.send(link, true).await {
                // Safe to send again: not a byte went out, or it may be repeated and not a byte came back.
                Err(Failure::Stale) if self.request.is_some() || self.restore() => {
                    self.worker.counters().retries.increment();
                }
                other => return other,
            }
        }
        Box::pin(self.connect_and_send(lease)).await
    }

    /// A client of HTTP/1.0 may leave the host out, an endpoint of 1.1 may insist on it.
    fn name_host(&mut self, lease: &Lease) {
        if let Some(request) = &mut self.request
            && !request.headers().contains_key(header::HOST)
            && let Ok(host) = HeaderValue::from_str(&lease.endpoint.slot.address.to_string())
        {
            request.headers_mut().insert(header::HOST, host);
        }
    }

    async fn connect_and_send(&mut self, lease: &Lease) -> Result<(Response<Incoming>, Link), Failure> {
        let deadline = (clock::now() + self.exchange.config.deadlines.connect).min(self.total);
        let link = lease.endpoint.connect(deadline).await;
        let link = link.map_err(|e| Failure::Connect { is_timeout: e.kind() == io::ErrorKind::TimedOut })?;
        self.send(link, false).await
    }

    /// Waits for the head of the answer. The time for that runs anew as long as the client is still sending its body.
    async fn send(&mut self, mut link: Link, is_kept: bool) -> Result<(Response<Incoming>, Link), Failure> {
        let Some(request) = self.request.take() else { return Err(Failure::Broken) };
        let before = link.meter.read();
        let mut sent = 0;
        let mut answer = pin!(link.sender.try_send_request(request));
        let answered = loop {
            let deadline = (clock::now() + self.exchange.config.deadlines.first_byte).min(self.total);
            match timeout_at(deadline.into(), answer.as_mut()).await {
                Ok(answered) => break answered,
                Err(_) if clock::now() >= self.total => return Err(Failure::TimedOut),
                Err(_) => match &self.fate {
                    Some(fate) if !fate.is_whole.get() && fate.bytes.get() > sent => sent = fate.bytes.get(),
                    _ => return Err(Failure::TimedOut),
                },
            }
        };
        match answered {
            Ok(response) => Ok((response, link)),
            Err(mut error) => {
                self.request = error.take_message();
                let is_silent = link.meter.read() == before;
                Err(if is_kept && is_silent { Failure::Stale } else { Failure::Broken })
            }
        }
    }

    /// Puts the request back that has been sent, if it may be sent again.
    fn restore(&mut self) -> bool {
        self.request = self.spare.clone().map(|head| head.request(UpBody::empty()));
        self.request.is_some()
    }

    fn has_attempts(&self) -> bool {
        self.attempts <= self.exchange.config.retry.attempts
    }

    /// Takes a retry out of the budget and puts the request back, if that may be.
    fn may_repeat(&mut self) -> bool {
        self.has_attempts()
            && self.spare.is_some()
            && self.worker.budget.borrow_mut().withdraw(self.worker.shared.ms_at(clock::now()))
            && self.restore()
    }

    fn should_retry(&self, response: &Response<Incoming>) -> bool {
        let gateway_error = matches!(response.status().as_u16(), 502..=504);
        gateway_error && self.exchange.config.retry.on_gateway_errors
    }

    fn end(self: Box<Self>, what: Problem, outcome: Outcome) -> Response<DownBody> {
        let Self { prepared, exchange, active, .. } = *self;
        ours(what, &prepared.id, Flight::ours(Some(exchange), active, outcome))
    }

    /// Turns the endpoint's answer into ours.
    fn respond(
        mut self: Box<Self>,
        response: Response<Incoming>,
        mut lease: Lease,
        mut link: Link,
    ) -> Response<DownBody> {
        let now = clock::now();
        let (mut parts, body) = response.into_parts();
        let status = parts.status;
        if let Some(record) = &mut self.exchange.record {
            record.status = status.as_u16();
            record.first_byte_ms = now.saturating_duration_since(self.exchange.started).as_secs_f64() * 1000.0;
        }
        if let Some(sentry) = &self.worker.sentry {
            let taken = now.saturating_duration_since(lease.started());
            sentry.observe(self.prepared.client, status, taken);
        }
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        if switches && self.prepared.upgrade.is_none() {
            lease.failed();
            return self.end(Problem::BAD_GATEWAY, Outcome::Failed);
        }
        let outcome = if status.is_server_error() { Outcome::Failed } else { Outcome::Completed };
        if status.is_server_error() {
            lease.failed();
        } else {
            lease.answered(now);
        }
        let protocol = if switches { parts.headers.remove(header::UPGRADE) } else { None };
        strip_hop_by_hop(&mut parts.headers);
        parts.headers.insert(X_REQUEST_ID, self.prepared.id.clone());
        parts.version = Version::HTTP_11;
        let tunnel = link.tunnel.take().filter(|_| switches);
        let Self { watch, exchange, active, .. } = *self;
        let flight = Flight { exchange: Some(exchange), active, lease: Some(lease), link: None, outcome };
        if let Some(upstream) = tunnel {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            if let Some(protocol) = protocol {
                parts.headers.insert(header::UPGRADE, protocol);
            }
            // The sender must live until the endpoint's side has handed the connection over.
            *watch.tunnel.borrow_mut() = Some(Tunnel { upstream, sender: link.sender, flight });
            watch.is_raw.set(true);
            return Response::from_parts(parts, DownBody::whole(bytes::Bytes::new(), None));
        }
        Response::from_parts(parts, DownBody::endpoint(body, Flight { link: Some(link), ..flight }))
    }
}
