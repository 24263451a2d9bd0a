//! Bodies on their way through: requests to an endpoint, answers to the client.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::exchange::Flight;
use crate::scan::Refusal;
use crate::watch::Watch;

/// A body that ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The client broke a rule, stalled or went away.
    ByClient,
    /// The endpoint broke off or stalled.
    ByEndpoint,
    /// The time for the whole request is over.
    TotalDeadline,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByClient => "request body broken off",
            Self::ByEndpoint => "answer broken off by the endpoint",
            Self::TotalDeadline => "answer took too long",
        })
    }
}

impl std::error::Error for Broken {}

/// What became of a request's body, for the handler to see.
#[derive(Debug, Default)]
pub(crate) struct UpFate {
    pub(crate) refusal: Cell<Option<Refusal>>,
    pub(crate) broken: Cell<bool>,
    /// It has been handed over to its end.
    pub(crate) is_whole: Cell<bool>,
    pub(crate) bytes: Cell<u64>,
}

/// A request's body on its way to an endpoint.
pub(crate) struct UpBody(Option<Box<Streaming>>);

struct Streaming {
    body: Incoming,
    fate: Rc<UpFate>,
    watch: Rc<Watch>,
    /// Bytes that may still come.
    left: u64,
}

impl UpBody {
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    /// `most` is the limit in bytes; 0 is none.
    pub(crate) fn streaming(body: Incoming, fate: Rc<UpFate>, watch: Rc<Watch>, most: u64) -> Self {
        let left = if most == 0 { u64::MAX } else { most };
        Self(Some(Box::new(Streaming { body, fate, watch, left })))
    }
}

impl Streaming {
    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Broken> {
        if let Some(data) = frame.data_ref() {
            let size = data.len() as u64;
            self.fate.bytes.set(self.fate.bytes.get() + size);
            let Some(left) = self.left.checked_sub(size) else {
                self.fate.refusal.set(Some(Refusal::BodyTooLarge));
                self.fate.broken.set(true);
                return Err(Broken::ByClient);
            };
            self.left = left;
        }
        Ok(frame)
    }
}

impl Body for UpBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(streaming) = &mut self.0 else { return Poll::Ready(None) };
        let polled = Pin::new(&mut streaming.body).poll_frame(cx).map(|frame| {
            frame.map(|frame| match frame {
                Ok(frame) => streaming.take(frame),
                Err(_) => {
                    streaming.fate.broken.set(true);
                    streaming.fate.refusal.set(streaming.watch.body_refusal.get());
                    Err(Broken::ByClient)
                }
            })
        });
        if matches!(polled, Poll::Ready(None)) || streaming.body.is_end_stream() {
            streaming.fate.is_whole.set(true);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|streaming| streaming.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |streaming| streaming.body.size_hint())
    }
}

/// An answer's body on its way to the client.
pub(crate) struct DownBody {
    source: Source,
    flight: Option<Flight>,
    /// Set the first time that the endpoint keeps us waiting.
    sleep: Option<Pin<Box<Sleep>>>,
    frames: u64,
    frames_when_set: u64,
}

enum Source {
    Whole(Option<Bytes>),
    Endpoint(Incoming),
}

impl DownBody {
    /// A short answer of our own.
    pub(crate) fn whole(bytes: Bytes, flight: Option<Flight>) -> Self {
        Self::new(Source::Whole(Some(bytes).filter(|b| !b.is_empty())), flight)
    }

    /// What an endpoint answers.
    pub(crate) fn endpoint(body: Incoming, flight: Flight) -> Self {
        Self::new(Source::Endpoint(body), Some(flight))
    }

    fn new(source: Source, flight: Option<Flight>) -> Self {
        let mut body = Self { source, flight, sleep: None, frames: 0, frames_when_set: 0 };
        if body.is_end_stream() {
            body.complete();
        }
        body
    }

    fn complete(&mut self) {
        if let Some(flight) = self.flight.take() {
            flight.complete();
        }
    }

    fn broken(&mut self, how: Broken) -> Broken {
        if let Some(flight) = self.flight.take() {
            flight.broken();
        }
        how
    }

    /// Whether the endpoint has kept us waiting too long.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        let Some(flight) = &self.flight else { return Poll::Pending };
        let (stall, total) = (flight.stall(), Instant::from_std(flight.total_deadline()));
        loop {
            let frames = self.frames;
            let sleep = self.sleep.get_or_insert_with(|| {
                self.frames_when_set = frames;
                Box::pin(sleep_until((Instant::now() + stall).min(total)))
            });
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if now >= total {
                return Poll::Ready(Broken::TotalDeadline);
            }
            if frames == self.frames_when_set {
                return Poll::Ready(Broken::ByEndpoint);
            }
            self.frames_when_set = frames;
            sleep.as_mut().reset((now + stall).min(total));
        }
    }
}

impl Body for DownBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let polled = match &mut this.source {
            Source::Whole(bytes) => {
                let frame = bytes.take().map(|bytes| Ok(Frame::data(bytes)));
                Poll::Ready(frame)
            }
            Source::Endpoint(body) => Pin::new(body).poll_frame(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.frames += 1;
                if let (Some(flight), Some(data)) = (&mut this.flight, frame.data_ref()) {
                    flight.sent(data.len());
                }
                if this.is_end_stream() {
                    this.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(this.broken(Broken::ByEndpoint)))),
            Poll::Ready(None) => {
                this.complete();
                Poll::Ready(None)
            }
            Poll::Pending => {
                if let Some(flight) = &this.flight {
                    flight.waits_for_endpoint();
                }
                this.poll_deadlines(cx).map(|how| Some(Err(this.broken(how))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Endpoint(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Source::Endpoint(body) => body.size_hint(),
        }
    }
}
