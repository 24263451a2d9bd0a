//! One request on one connection: sent, and its answer's head waited for.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use tokio::time::timeout_at;

use crate::body::{UpBody, UpFate};
use crate::clock;
use crate::exchange::Exchange;
use crate::patience::Patience;
use crate::pool::{Link, LocalEndpoint};
use crate::worker::Worker;

/// An endpoint's answer with the connection it is on, or why there is none.
pub(crate) type Answered = Result<(Response<Incoming>, Link), Failure>;

/// Why an attempt brought no answer. A request that was not sent at all is there again.
pub(crate) enum Failure {
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
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl Head {
    pub(crate) fn request(self, body: UpBody) -> Request<UpBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// What an attempt may take.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    connect: Duration,
    first_byte: Duration,
    total: Instant,
}

impl Times {
    pub(crate) fn of(exchange: &Exchange) -> Self {
        let deadlines = &exchange.config.deadlines;
        Self { connect: deadlines.connect, first_byte: deadlines.first_byte, total: exchange.total }
    }
}

/// What is sent.
pub(crate) struct Sending {
    /// What to send next; taken when it is sent.
    pub(crate) request: Option<Request<UpBody>>,
    /// To send the request again, where that does no harm.
    pub(crate) spare: Option<Head>,
    /// What becomes of the request's body, if it has one.
    pub(crate) fate: Option<Rc<UpFate>>,
    /// How long the client will wait, if it said so.
    pub(crate) patience: Option<Patience>,
}

impl Sending {
    /// The same once more, for another endpoint; nothing to send, if that would do harm.
    pub(crate) fn again(&self) -> Self {
        let mut again = Self { request: None, spare: self.spare.clone(), fate: None, patience: self.patience };
        again.restore();
        again
    }

    /// Sends the request, over a kept connection if there is one; if that turns out to be gone, over a new one.
    pub(crate) async fn attempt(&mut self, worker: &Worker, endpoint: Rc<LocalEndpoint>, times: Times) -> Answered {
        self.address(&endpoint, times);
        if let Some(link) = endpoint.take_idle() {
            match self.send(link, true, times).await {
                // Safe to send again: not a byte went out, or it may be repeated and not a byte came back.
                Err(Failure::Stale) if self.request.is_some() || self.restore() => {
                    self.address(&endpoint, times);
                    worker.counters().retries.increment();
                }
                other => return other,
            }
        }
        Box::pin(self.connect_and_send(endpoint, times)).await
    }

    /// A client of HTTP/1.0 may leave the host out, an endpoint of 1.1 may insist on it; and it is told how long the client
    /// will still wait.
    fn address(&mut self, endpoint: &LocalEndpoint, times: Times) {
        let Some(request) = &mut self.request else { return };
        if !request.headers().contains_key(header::HOST)
            && let Ok(host) = HeaderValue::from_str(&endpoint.slot.address.to_string())
        {
            request.headers_mut().insert(header::HOST, host);
        }
        if let Some(patience) = self.patience {
            patience.tell(times.total.saturating_duration_since(clock::now()), request.headers_mut());
        }
    }

    async fn connect_and_send(&mut self, endpoint: Rc<LocalEndpoint>, times: Times) -> Answered {
        let deadline = (clock::now() + times.connect).min(times.total);
        let link = endpoint.connect(deadline).await;
        let link = link.map_err(|e| Failure::Connect { is_timeout: e.kind() == io::ErrorKind::TimedOut })?;
        self.send(link, false, times).await
    }

    /// Waits for the head of the answer. The time for that runs anew as long as the client is still sending its body.
    async fn send(&mut self, mut link: Link, is_kept: bool, times: Times) -> Answered {
        let Some(request) = self.request.take() else { return Err(Failure::Broken) };
        let before = link.meter.read();
        let mut sent = 0;
        let mut answer = pin!(link.sender.try_send_request(request));
        let answered = loop {
            let deadline = (clock::now() + times.first_byte).min(times.total);
            match timeout_at(deadline.into(), answer.as_mut()).await {
                Ok(answered) => break answered,
                Err(_) if clock::now() >= times.total => return Err(Failure::TimedOut),
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
    pub(crate) fn restore(&mut self) -> bool {
        self.request = self.spare.clone().map(|head| head.request(UpBody::empty()));
        self.request.is_some()
    }
}
