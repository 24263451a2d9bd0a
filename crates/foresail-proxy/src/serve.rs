//! The path of one request: checked, admitted, sent to an endpoint, answered.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::time::timeout;

use crate::admit::Lease;
use crate::answer::{Problem, held, problem};
use crate::body::{DownBody, UpBody, UpFate};
use crate::exchange::{Active, Exchange, Flight, Outcome};
use crate::patience::Patience;
use crate::pool::{Link, LocalEndpoint};
use crate::queue::{self, Rejection};
use crate::record::Record;
use crate::request::{Prepared, X_REQUEST_ID, prepare, strip_hop_by_hop};
use crate::router;
use crate::scan::Refusal;
use crate::sending::{Answered, Failure, Head, Sending, Times};
use crate::trace_context::{self, SpanContext};
use crate::tunnel::Tunnel;
use crate::watch::Watch;
use crate::worker::{Wish, Worker};
use crate::{ProxyConfig, clock};

/// Share of the requests that are sent although their client will hardly wait for the answer.
const SENT_ALL_THE_SAME: f64 = 0.05;

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
    let is_recorded = worker.outlets.log.is_some() || span.is_some();
    let record = is_recorded.then(|| Box::new(Record::new(&parts, version, prepared.client, span)));
    let kind = config.fingerprint.then(|| worker.observer.kind(&parts));
    let patience = if config.deadlines.from_client { Patience::of(&parts.headers) } else { None };
    let longest = patience.map(|patience| patience.time);
    let exchange = Exchange::begin(Rc::clone(worker), Rc::clone(&config), started, longest, record, kind);
    if config.limits.body_bytes > 0 && body.size_hint().lower() > config.limits.body_bytes {
        let flight = Flight::ours(Some(exchange), active, Outcome::Completed);
        return Begun::Answered(Box::new(ours(Refusal::BodyTooLarge.into(), &prepared.id, flight)));
    }
    worker.budget.borrow_mut().deposit();
    if let Some(hedges) = worker.hedges.borrow_mut().as_mut() {
        hedges.deposit();
    }
    let wish = worker.wish(&config, prepared.client, patience.is_some(), &parts);
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
        sending: Sending { request: Some(head.request(body)), spare, fate, patience },
        prepared,
        wish,
        exchange,
        active,
        tried: Vec::new(),
        attempts: 0,
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
    wish: Wish,
    exchange: Exchange,
    active: Active,
    sending: Sending,
    tried: Vec<Rc<LocalEndpoint>>,
    attempts: u32,
}

impl Forward {
    async fn run(mut self: Box<Self>) -> Response<DownBody> {
        loop {
            let lease = match self.lease().await {
                Ok(lease) => lease,
                Err(Rejection::QueueFull) => return self.end(Problem::QUEUE_FULL, Outcome::Rejected),
                Err(Rejection::TimedOut) if clock::now() >= self.exchange.total => {
                    return self.end(Problem::TIMEOUT, Outcome::Rejected);
                }
                Err(Rejection::TimedOut) => return self.end(Problem::NO_ENDPOINT, Outcome::Rejected),
            };
            if self.is_hopeless() {
                return self.end(Problem::TIMEOUT, Outcome::Rejected);
            }
            let (answered, mut lease) = self.attempt(lease).await;
            let failure = match answered {
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
            if let Some(fate) = &self.sending.fate
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
            if !may_go_on || clock::now() >= self.exchange.total {
                return self.end(what, Outcome::Failed);
            }
            self.tried.push(Rc::clone(&lease.endpoint));
        }
    }

    /// A place at an endpoint, at once if one is free and nobody waits before us.
    async fn lease(&mut self) -> Result<Lease, Rejection> {
        let at_once = if self.worker.queue.is_empty() { self.worker.try_lease(&self.tried, &self.wish) } else { None };
        let lease = match at_once {
            Some(lease) => lease,
            None => {
                let total = self.exchange.total;
                Box::pin(queue::wait(&self.worker, &self.tried, &self.wish, clock::now(), total)).await?
            }
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

    /// Whether the client will have gone before half of the answers to its like would have come. Now and then one is sent all
    /// the same, or nobody would learn that they come sooner by now.
    fn is_hopeless(&self) -> bool {
        let Some((class, _)) = self.wish.class.zip(self.sending.patience) else { return false };
        let left_ms = self.exchange.total.saturating_duration_since(clock::now()).as_secs_f64() * 1000.0;
        let usual_ms = self.worker.classes.borrow().quantile(class, 0.5);
        usual_ms.is_some_and(|usual_ms| left_ms < usual_ms) && !self.worker.chance(SENT_ALL_THE_SAME)
    }

    /// Sends the request, to a second endpoint too if the first is late and that is wanted. The answer, and the place that it is
    /// from.
    async fn attempt(&mut self, lease: Lease) -> (Answered, Lease) {
        let times = Times::of(&self.exchange);
        if let Some(late_after) = self.late_after() {
            return Box::pin(self.attempt_twice(lease, late_after, times)).await;
        }
        let answered = self.sending.attempt(&self.worker, Rc::clone(&lease.endpoint), times).await;
        (answered, lease)
    }

    /// After how long without an answer a second endpoint is asked, if that may be.
    fn late_after(&self) -> Option<Duration> {
        let hedge = self.exchange.config.retry.hedge?;
        let head = self.sending.spare.as_ref().filter(|head| matches!(head.method, Method::GET | Method::HEAD))?;
        let is_plain = !head.headers.contains_key(header::UPGRADE);
        let late_ms = self.worker.classes.borrow().quantile(self.wish.class?, hedge.quantile);
        late_ms.filter(|_| is_plain).map(|ms| Duration::from_secs_f64(ms / 1_000.0))
    }

    /// The one that has not answered first is given up, its connection with it.
    async fn attempt_twice(&mut self, mut lease: Lease, late_after: Duration, times: Times) -> (Answered, Lease) {
        let worker = Rc::clone(&self.worker);
        let mut again = self.sending.again();
        let mut first = pin!(self.sending.attempt(&worker, Rc::clone(&lease.endpoint), times));
        if let Ok(answered) = timeout(late_after, first.as_mut()).await {
            return (answered, lease);
        }
        let tried: Vec<_> = self.tried.iter().chain([&lease.endpoint]).cloned().collect();
        let may_be = again.request.is_some() && worker.queue.is_empty();
        let second = may_be.then(|| worker.lease_beyond(&tried, &self.wish)).flatten();
        let now_ms = worker.shared.ms_at(clock::now());
        let is_paid = || worker.hedges.borrow_mut().as_mut().is_some_and(|hedges| hedges.withdraw(now_ms));
        let Some(mut other) = second.filter(|_| is_paid()) else { return (first.await, lease) };
        worker.counters().hedges.increment();
        let mut second = pin!(again.attempt(&worker, Rc::clone(&other.endpoint), times));
        let mut failed = None;
        loop {
            tokio::select! {
                biased;
                answered = first.as_mut(), if failed.is_none() => match answered {
                    Ok(answer) => {
                        other.outpaced(clock::now());
                        return (Ok(answer), lease);
                    }
                    Err(failure) => {
                        lease.failed();
                        failed = Some(failure);
                    }
                },
                answered = second.as_mut() => {
                    if let Ok((response, link)) = answered
                        && (failed.is_some() || !response.status().is_server_error())
                    {
                        worker.counters().hedges_won.increment();
                        lease.outpaced(clock::now());
                        if let Some(record) = &mut self.exchange.record {
                            record.endpoint = Some(other.endpoint.slot.id.clone());
                        }
                        return (Ok((response, link)), other);
                    }
                    other.failed();
                    return match failed {
                        Some(failure) => (Err(failure), lease),
                        None => (first.await, lease),
                    };
                }
            }
        }
    }

    fn has_attempts(&self) -> bool {
        self.attempts <= self.exchange.config.retry.attempts
    }

    /// Takes a retry out of the budget and puts the request back, if that may be.
    fn may_repeat(&mut self) -> bool {
        self.has_attempts()
            && self.sending.spare.is_some()
            && self.worker.budget.borrow_mut().withdraw(self.worker.shared.ms_at(clock::now()))
            && self.sending.restore()
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
        if let Some(report) = router::take_report(&mut parts.headers) {
            lease.resource = report.resource;
            if let Some(in_flight) = report.in_flight {
                lease.hinted(in_flight, now);
            }
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
