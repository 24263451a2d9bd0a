//! HTTP/2 streams: run on this thread, and ended when their client does not take what is there for it.
//!
//! A client that gives a stream no window holds its answer, and with it a place at an endpoint, for as long as it likes:
//! the library waits for the window and asks nobody. So each stream is watched from around it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::watch::Watch;

/// What a stream's answer last did.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Pieces handed over.
    frames: Cell<u64>,
    /// A piece was handed over and nobody has asked for more.
    waits_for_client: Cell<bool>,
}

impl Progress {
    pub(crate) fn handed_over(&self) {
        self.frames.set(self.frames.get() + 1);
        self.waits_for_client.set(true);
    }

    pub(crate) fn waits_for_endpoint(&self) {
        self.waits_for_client.set(false);
    }
}

/// Runs the streams of one connection.
#[derive(Clone)]
pub(crate) struct Streams {
    watch: Rc<Watch>,
    stall: Duration,
}

impl Streams {
    pub(crate) fn new(watch: &Rc<Watch>, stall: Duration) -> Self {
        Self { watch: Rc::clone(watch), stall }
    }
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(Stream {
            future: Box::pin(future),
            streams: self.clone(),
            progress: Rc::default(),
            sleep: None,
            frames_when_set: 0,
        });
    }
}

/// One stream. Ends early, which resets it, if its client takes nothing for too long.
struct Stream<F> {
    future: Pin<Box<F>>,
    streams: Streams,
    progress: Rc<Progress>,
    sleep: Option<Pin<Box<Sleep>>>,
    frames_when_set: u64,
}

impl<F: Future> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // The request's handler begins within this poll and takes it from there.
        let outer = this.streams.watch.progress.replace(Some(Rc::clone(&this.progress)));
        let polled = this.future.as_mut().poll(cx);
        this.streams.watch.progress.replace(outer);
        if polled.is_ready() {
            return Poll::Ready(());
        }
        while this.progress.waits_for_client.get() {
            let frames = this.progress.frames.get();
            let (stall, frames_when_set) = (this.streams.stall, &mut this.frames_when_set);
            let sleep = this.sleep.get_or_insert_with(|| {
                *frames_when_set = frames;
                Box::pin(sleep_until(Instant::now() + stall))
            });
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if frames == this.frames_when_set {
                return Poll::Ready(());
            }
            this.frames_when_set = frames;
            sleep.as_mut().reset(Instant::now() + stall);
        }
        Poll::Pending
    }
}
