//! Requests that wait for an endpoint, first come first served within a worker.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::admit::Lease;
use crate::pool::LocalEndpoint;
use crate::worker::{Wish, Worker};

/// The queue of one worker. Only the request at its front may take an endpoint.
#[derive(Default)]
pub(crate) struct WaitQueue {
    waiters: RefCell<VecDeque<(u64, Option<Waker>)>>,
    next: RefCell<u64>,
}

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    QueueFull,
    TimedOut,
}

impl WaitQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.borrow().is_empty()
    }

    /// Lets the front look again.
    pub(crate) fn wake_front(&self) {
        if let Some((_, Some(waker))) = self.waiters.borrow().front() {
            waker.wake_by_ref();
        }
    }

    fn join(&self) -> u64 {
        let mut next = self.next.borrow_mut();
        *next += 1;
        self.waiters.borrow_mut().push_back((*next, None));
        *next
    }

    fn is_front(&self, ticket: u64) -> bool {
        self.waiters.borrow().front().is_some_and(|(front, _)| *front == ticket)
    }

    fn remember(&self, ticket: u64, waker: &Waker) {
        if let Some((_, slot)) = self.waiters.borrow_mut().iter_mut().find(|(t, _)| *t == ticket)
            && !slot.as_ref().is_some_and(|old| old.will_wake(waker))
        {
            *slot = Some(waker.clone());
        }
    }

    fn leave(&self, ticket: u64) {
        self.waiters.borrow_mut().retain(|(t, _)| *t != ticket);
        self.wake_front();
    }
}

/// A place in the queue; left when dropped.
struct Ticket<'a> {
    worker: &'a Rc<Worker>,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.worker.shared.queued.fetch_sub(1, Ordering::Relaxed);
        self.worker.shared.doors[self.worker.index].waiting.fetch_sub(1, Ordering::Relaxed);
        self.worker.queue.leave(self.number);
    }
}

/// Waits until an endpoint is free.
pub(crate) async fn wait(
    worker: &Rc<Worker>,
    tried: &[Rc<LocalEndpoint>],
    wish: &Wish,
    now: Instant,
    total: Instant,
) -> Result<Lease, Rejection> {
    let admission = worker.config().admission;
    if worker.shared.queued.fetch_add(1, Ordering::SeqCst) >= admission.queue {
        worker.shared.queued.fetch_sub(1, Ordering::Relaxed);
        return Err(Rejection::QueueFull);
    }
    // Sequentially consistent with the release of an endpoint: either the releaser sees us waiting or we see it free.
    worker.shared.doors[worker.index].waiting.fetch_add(1, Ordering::SeqCst);
    let ticket = Ticket { worker, number: worker.queue.join() };
    let found = poll_fn(|cx| {
        if !worker.queue.is_front(ticket.number) {
            worker.queue.remember(ticket.number, cx.waker());
            return Poll::Pending;
        }
        match worker.try_lease(tried, wish) {
            Some(lease) => Poll::Ready(lease),
            None => {
                worker.queue.remember(ticket.number, cx.waker());
                Poll::Pending
            }
        }
    });
    tokio::time::timeout_at((now + admission.queue_time).min(total).into(), found)
        .await
        .map_err(|_| Rejection::TimedOut)
}
