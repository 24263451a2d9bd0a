//! A request on its way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};

use super::{BalanceError, Clock, NoneReady};
use crate::Feedback;

/// Counts one request in flight until it is dropped: answered, failed or cancelled.
pub(super) struct InFlight {
    count: Arc<AtomicU32>,
    others: u32,
}

impl InFlight {
    pub(super) fn enter(count: &Arc<AtomicU32>) -> Self {
        let others = count.fetch_add(1, Ordering::Relaxed);
        Self { count: Arc::clone(count), others }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of it.
pub(super) struct Trip {
    pub(super) guard: InFlight,
    pub(super) key: u64,
    pub(super) began_us: u64,
    pub(super) clock: Clock,
    pub(super) answers: Sender<Feedback>,
}

impl Trip {
    fn tell(self, is_success: bool) {
        let now_us = (self.clock)();
        let latency_ms = is_success.then_some(now_us.saturating_sub(self.began_us) as f64 / 1_000.0);
        let (key, in_flight, at_ms) = (self.key, self.guard.others, now_us / 1_000);
        // The balancing service may be gone by now; then nobody wants to know.
        let _ = self.answers.send(Feedback { key, context: None, client: None, latency_ms, in_flight, at_ms });
    }
}

/// The answer to come. Dropped before, the request is no longer in flight, and nothing is learned of it.
pub struct BalanceFuture<F> {
    inner: Option<(Pin<Box<F>>, Trip)>,
}

impl<F> BalanceFuture<F> {
    pub(super) fn none() -> Self {
        Self { inner: None }
    }

    pub(super) fn sent(inner: F, trip: Trip) -> Self {
        Self { inner: Some((Box::pin(inner), trip)) }
    }
}

impl<F, T, E> Future for BalanceFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, BalanceError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((inner, _)) = &mut self.inner else { return Poll::Ready(Err(NoneReady.into())) };
        let Poll::Ready(result) = inner.as_mut().poll(cx) else { return Poll::Pending };
        if let Some((_, trip)) = self.inner.take() {
            trip.tell(result.is_ok());
        }
        Poll::Ready(result.map_err(BalanceError::Service))
    }
}
