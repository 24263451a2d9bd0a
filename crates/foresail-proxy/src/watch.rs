//! What a connection's parts know of each other, and the deadlines that follow from it.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;

use crate::config::Deadlines;
use crate::scan::Refusal;
use crate::stream::Progress;
use crate::tunnel::Tunnel;

/// State shared by the byte gate, the request handler and the task of one client connection; all run on one thread.
pub(crate) struct Watch {
    pub(crate) peer: SocketAddr,
    pub(crate) peer_value: HeaderValue,
    pub(crate) is_trusted: bool,
    pub(crate) is_tls: bool,
    opened: Instant,
    waker: RefCell<Option<Waker>>,
    /// Requests handed to the handler, and those not yet answered in full.
    requests: Cell<u64>,
    active: Cell<u32>,
    idle_since: Cell<Instant>,
    /// The first byte of a head that is not yet whole.
    pub(crate) head_since: Cell<Option<Instant>>,
    /// Number of the request that is refused, and why.
    refused: Cell<Option<(u64, Refusal)>>,
    pub(crate) reading: Flow,
    pub(crate) writing: Flow,
    /// The request body broke a rule while it was being passed on.
    pub(crate) body_refusal: Cell<Option<Refusal>>,
    drain: Cell<bool>,
    kill: Cell<bool>,
    /// The upgrade that was asked for has been declined.
    pub(crate) resume: Cell<bool>,
    /// Bytes are not HTTP/1 requests: HTTP/2, or an upgrade that was granted.
    pub(crate) is_raw: Cell<bool>,
    /// Bytes have passed unseen after a request for an upgrade.
    pub(crate) is_blind: Cell<bool>,
    /// Of the HTTP/2 stream that is being polled.
    pub(crate) progress: RefCell<Option<Rc<Progress>>>,
    /// Where the connection goes once its upgrade has been answered.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
}

/// How fast bytes flow in one direction while we wait for the client.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    bytes: Cell<u64>,
    pending: Cell<bool>,
    /// Start of the measured window and the bytes by then.
    window: Cell<Option<(Instant, u64)>>,
}

impl Flow {
    pub(crate) fn moved(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().wrapping_add(bytes as u64));
        self.pending.set(false);
    }

    pub(crate) fn waits(&self, now: impl FnOnce() -> Instant) {
        self.pending.set(true);
        if self.window.get().is_none() {
            self.window.set(Some((now(), self.bytes.get())));
        }
    }

    pub(crate) fn ends(&self) {
        self.pending.set(false);
        self.window.set(None);
    }

    /// Whether too little has flowed in the window, which begins anew if it is over.
    fn is_stalled(&self, now: Instant, deadlines: &Deadlines) -> bool {
        let Some((start, before)) = self.window.get() else { return false };
        if now < start + deadlines.stall {
            return false;
        }
        let least = (deadlines.least_rate as f64 * deadlines.stall.as_secs_f64()) as u64;
        if self.pending.get() && self.bytes.get().wrapping_sub(before) < least.max(1) {
            return true;
        }
        self.window.set(if self.pending.get() { Some((now, self.bytes.get())) } else { None });
        false
    }

    fn next(&self, deadlines: &Deadlines) -> Option<Instant> {
        self.window.get().map(|(start, _)| start + deadlines.stall)
    }
}

/// What a look at the deadlines finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing; look again then.
    Fine(Instant),
    /// The client was too slow with a head: it is told so.
    Refuse,
    /// Nothing can be told any more: close.
    Close,
}

impl Watch {
    pub(crate) fn new(peer: SocketAddr, is_trusted: bool, is_tls: bool, now: Instant) -> Self {
        let ip = canonical(peer.ip());
        Self {
            peer: SocketAddr::new(ip, peer.port()),
            peer_value: HeaderValue::from_str(&ip.to_string()).expect("an address is ASCII"),
            is_trusted,
            is_tls,
            opened: now,
            waker: RefCell::new(None),
            requests: Cell::new(0),
            active: Cell::new(0),
            idle_since: Cell::new(now),
            head_since: Cell::new(None),
            refused: Cell::new(None),
            reading: Flow::default(),
            writing: Flow::default(),
            body_refusal: Cell::new(None),
            drain: Cell::new(false),
            kill: Cell::new(false),
            resume: Cell::new(false),
            is_raw: Cell::new(false),
            is_blind: Cell::new(false),
            progress: RefCell::new(None),
            tunnel: RefCell::new(None),
        }
    }

    /// Remembers whom to wake for a drain.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.waker.borrow_mut();
        if !slot.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Lets requests finish, then closes.
    pub(crate) fn drain(&self) {
        self.drain.set(true);
        self.wake();
    }

    pub(crate) fn take_drain(&self) -> bool {
        self.drain.replace(false)
    }

    /// Closes at once.
    pub(crate) fn kill(&self) {
        self.kill.set(true);
        self.wake();
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.kill.get()
    }

    /// The number of the request that now begins, from 1.
    pub(crate) fn begin_request(&self) -> u64 {
        self.requests.set(self.requests.get() + 1);
        self.active.set(self.active.get() + 1);
        self.requests.get()
    }

    pub(crate) fn end_request(&self, now: Instant) {
        self.active.set(self.active.get().saturating_sub(1));
        self.idle_since.set(now);
        self.reading.ends();
        self.body_refusal.set(None);
    }

    pub(crate) fn refuse(&self, request: u64, why: Refusal) {
        if self.refused.get().is_none() {
            self.refused.set(Some((request, why)));
        }
    }

    /// Refuses the request that would come next; one that is being read already is told by its body.
    pub(crate) fn refuse_next(&self, why: Refusal) {
        if self.body_refusal.get().is_none() {
            self.refuse(self.requests.get() + 1, why);
        }
    }

    /// Why request number `request` is refused, if it is.
    pub(crate) fn refusal_of(&self, request: u64) -> Option<Refusal> {
        self.refused.get().filter(|(refused, _)| request >= *refused).map(|(_, why)| why)
    }

    pub(crate) fn writing_is_pending(&self) -> bool {
        self.writing.pending.get()
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refused.get().is_some()
    }

    /// Looks at the deadlines. Whatever a connection begins later ends later than the shortest of them from now, so a
    /// timer set to the instant returned never rings too late.
    pub(crate) fn look(&self, now: Instant, deadlines: &Deadlines) -> Finding {
        let mut next = now + deadlines.shortest_watched();
        let mut due = |at: Instant| {
            next = next.min(at);
            at <= now
        };
        if self.writing.is_stalled(now, deadlines) {
            return Finding::Close;
        }
        let reading_stalled = self.reading.is_stalled(now, deadlines);
        if self.active.get() == 0 {
            if let Some(since) = self.head_since.get() {
                if due(since + deadlines.header) {
                    return if self.is_refusing() { Finding::Close } else { Finding::Refuse };
                }
            } else if self.requests.get() == 0 {
                if due(self.opened + deadlines.header) {
                    return Finding::Close;
                }
            } else if due(self.idle_since.get() + deadlines.idle) {
                return Finding::Close;
            }
        } else if reading_stalled {
            if self.body_refusal.get().is_some() {
                return Finding::Close;
            }
            self.body_refusal.set(Some(Refusal::TooSlow));
            return Finding::Refuse;
        }
        for at in [self.reading.next(deadlines), self.writing.next(deadlines)].into_iter().flatten() {
            due(at);
        }
        Finding::Fine(next.max(now + Duration::from_millis(1)))
    }
}

/// An IPv4 address that came in over an IPv6 socket is an IPv4 address.
pub(crate) fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
