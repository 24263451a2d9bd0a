//! Client connections: let in, counted, and counted out.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::Worker;
use crate::watch::Watch;

impl Worker {
    /// Lets a connection in at the door; whether it may stay is decided by [`enter`](Self::enter).
    pub(crate) fn welcome(self: &Rc<Self>) -> Guest {
        self.guests.set(self.guests.get() + 1);
        Guest { worker: Rc::clone(self) }
    }

    /// Takes in a client connection, unless there are too many.
    pub(crate) fn enter(self: &Rc<Self>) -> Option<Entered> {
        if self.shared.connections.fetch_add(1, Ordering::Relaxed) >= self.config().limits.connections {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.counters().accepted.increment();
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        Some(Entered { worker: Rc::clone(self), number, counted: None })
    }
}

/// A connection for whose end a drain waits.
pub(crate) struct Guest {
    worker: Rc<Worker>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.worker.guests.set(self.worker.guests.get() - 1);
        self.worker.left.notify_one();
    }
}

/// A client connection that has been counted in; counts itself out.
pub(crate) struct Entered {
    worker: Rc<Worker>,
    number: u64,
    counted: Option<IpAddr>,
}

impl Entered {
    /// Counts the connection as one of `client`'s; false if that has too many.
    pub(crate) fn belongs_to(&mut self, client: IpAddr) -> bool {
        let most = self.worker.config().limits.connections_per_client;
        if most == 0 {
            return true;
        }
        let mut per_client = self.worker.per_client.borrow_mut();
        let count = per_client.entry(client).or_insert(0);
        if *count >= most.div_ceil(self.worker.shared.workers()) {
            return false;
        }
        *count += 1;
        self.counted = Some(client);
        true
    }

    /// Makes the connection reachable for a drain.
    pub(crate) fn register(&self, watch: &Rc<Watch>) {
        self.worker.connections.borrow_mut().insert(self.number, Rc::clone(watch));
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().remove(&self.number);
        self.worker.shared.connections.fetch_sub(1, Ordering::Relaxed);
        self.worker.counters().closed.increment();
        if let Some(client) = self.counted {
            let mut per_client = self.worker.per_client.borrow_mut();
            if let Some(count) = per_client.get_mut(&client) {
                *count -= 1;
                if *count == 0 {
                    per_client.remove(&client);
                }
            }
        }
    }
}
