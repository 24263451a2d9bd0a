//! The endpoints as all workers share them: identities, atomics that the request path writes, and what health says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use foresail_route::{FailureRate, LatencyEwma};

use crate::config::UpstreamTls;
use crate::counters::Counter;
use crate::histogram::SharedHistogram;
use crate::places::Places;
use crate::tls::ClientTls;
use crate::{Endpoint, EndpointState, EndpointStats, Histogram};

/// One endpoint for as long as its id and address stay the same. Statistics survive changes of the set around it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: String,
    /// Id and address: a name that moves to another address is judged anew.
    pub(crate) identity: String,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<(UpstreamTls, Arc<ClientTls>)>,
    /// Hash of the id, alike in every process.
    pub(crate) key: u64,
    /// When it was added, in ms since the proxy started.
    pub(crate) added_ms: u64,
    /// Configured weight times what slow start leaves of it, as the bits of an `f64`.
    weight: AtomicU64,
    configured_weight: AtomicU64,
    pub(crate) in_flight: Places,
    latency: AtomicU64,
    failure_rate: AtomicU32,
    pub(crate) consecutive_failures: AtomicU32,
    pub(crate) health: Health,
    shards: Box<[Shard]>,
}

/// What the supervisor publishes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    flags: AtomicU8,
    pub(crate) ejected_until_ms: AtomicU64,
    pub(crate) ejections: AtomicU64,
}

const EJECTED: u8 = 1;
const UNHEALTHY: u8 = 2;
const DRAINING: u8 = 4;
const YOUNG: u8 = 8;

/// One worker's counts of one endpoint.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) picks: Counter,
    pub(crate) completed: Counter,
    pub(crate) failed: Counter,
    pub(crate) latency: SharedHistogram,
}

impl Slot {
    fn new(endpoint: &Endpoint, tls: Option<Arc<ClientTls>>, workers: usize, now_ms: u64) -> Self {
        let shard = || Shard {
            picks: Counter::default(),
            completed: Counter::default(),
            failed: Counter::default(),
            latency: SharedHistogram::new(),
        };
        let slot = Self {
            id: endpoint.id.clone(),
            identity: format!("{}@{}", endpoint.id, endpoint.address),
            address: endpoint.address,
            tls: endpoint.tls.clone().zip(tls),
            key: fnv1a(endpoint.id.as_bytes()),
            added_ms: now_ms,
            weight: AtomicU64::new(1.0_f64.to_bits()),
            configured_weight: AtomicU64::new(1.0_f64.to_bits()),
            in_flight: Places::default(),
            latency: AtomicU64::new(0),
            failure_rate: AtomicU32::new(0),
            consecutive_failures: AtomicU32::new(0),
            health: Health::default(),
            shards: (0..workers).map(|_| shard()).collect(),
        };
        slot.configure_weight(endpoint.weight);
        slot
    }

    fn configure_weight(&self, weight: f64) {
        let weight = if weight.is_finite() { weight.clamp(0.01, 100.0) } else { 1.0 };
        self.configured_weight.store(weight.to_bits(), Ordering::Relaxed);
        self.weight.store(weight.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn set_weight_factor(&self, factor: f64) {
        let configured = f64::from_bits(self.configured_weight.load(Ordering::Relaxed));
        self.weight.store((configured * factor).to_bits(), Ordering::Relaxed);
        self.health.set(YOUNG, factor < 1.0);
    }

    pub(crate) fn weight(&self) -> f64 {
        f64::from_bits(self.weight.load(Ordering::Relaxed))
    }

    pub(crate) fn shard(&self, worker: usize) -> &Shard {
        &self.shards[worker]
    }

    pub(crate) fn latency_ms(&self, now_ms: u64, decay: Duration) -> f64 {
        LatencyEwma::from_bits(self.latency.load(Ordering::Relaxed)).read(now_ms, decay)
    }

    pub(crate) fn failure_rate(&self) -> f64 {
        FailureRate::from_bits(self.failure_rate.load(Ordering::Relaxed)).read()
    }

    /// Feeds the balancers. Two workers at once may lose one of the two samples, which an average bears.
    pub(crate) fn observe(&self, first_byte_ms: Option<f64>, now_ms: u64, decay: Duration) {
        if let Some(sample) = first_byte_ms {
            let old = LatencyEwma::from_bits(self.latency.load(Ordering::Relaxed));
            self.latency.store(old.observe(sample, now_ms, decay).to_bits(), Ordering::Relaxed);
        }
        let failed = first_byte_ms.is_none();
        let old = FailureRate::from_bits(self.failure_rate.load(Ordering::Relaxed));
        let new = old.observe(failed);
        if new != old {
            self.failure_rate.store(new.to_bits(), Ordering::Relaxed);
        }
        if failed {
            self.consecutive_failures.fetch_add(1, Ordering::Relaxed);
        } else if self.consecutive_failures.load(Ordering::Relaxed) != 0 {
            self.consecutive_failures.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        let sum = |of: fn(&Shard) -> &Counter| self.shards.iter().map(|s| of(s).read()).sum();
        (sum(|s| &s.completed), sum(|s| &s.failed))
    }

    pub(crate) fn stats(&self, now_ms: u64) -> EndpointStats {
        let (completed, failed) = self.counts();
        let mut latency = Histogram::new();
        self.shards.iter().for_each(|s| latency.merge(&s.latency.read()));
        EndpointStats {
            id: self.id.clone(),
            address: self.address,
            picks: self.shards.iter().map(|s| s.picks.read()).sum(),
            completed,
            failed,
            in_flight: u64::from(self.in_flight.taken()),
            latency_ewma_ms: self.latency_ms(now_ms, Duration::from_secs(10)),
            latency,
            state: self.health.state(),
            ejections: self.health.ejections.load(Ordering::Relaxed),
            learned: None,
        }
    }
}

impl Health {
    fn set(&self, flag: u8, on: bool) {
        if on {
            self.flags.fetch_or(flag, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!flag, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_ejected(&self, until_ms: Option<u64>) {
        self.ejected_until_ms.store(until_ms.unwrap_or(0), Ordering::Relaxed);
        self.set(EJECTED, until_ms.is_some());
    }

    pub(crate) fn set_unhealthy(&self, unhealthy: bool) {
        self.set(UNHEALTHY, unhealthy);
    }

    /// Whether requests may go there; in panic mode only removal counts.
    #[inline]
    pub(crate) fn is_usable(&self, panic: bool) -> bool {
        let against = if panic { DRAINING } else { DRAINING | EJECTED | UNHEALTHY };
        self.flags.load(Ordering::Relaxed) & against == 0
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & DRAINING != 0
    }

    fn state(&self) -> EndpointState {
        let flags = self.flags.load(Ordering::Relaxed);
        let has = |flag: u8| flags & flag != 0;
        if has(DRAINING) {
            EndpointState::Draining
        } else if has(UNHEALTHY) {
            EndpointState::Unhealthy
        } else if has(EJECTED) {
            EndpointState::Ejected { until_ms: self.ejected_until_ms.load(Ordering::Relaxed) }
        } else if has(YOUNG) {
            EndpointState::SlowStart
        } else {
            EndpointState::Healthy
        }
    }
}

/// The set of endpoints at one moment.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) generation: u64,
    pub(crate) slots: Vec<Arc<Slot>>,
    /// Removed, with requests still in flight.
    pub(crate) draining: Vec<Arc<Slot>>,
}

/// Where the set is published.
#[derive(Debug)]
pub(crate) struct Fleets {
    current: ArcSwap<Fleet>,
    generation: AtomicU64,
    /// So few are sound that health is ignored.
    pub(crate) panic: AtomicBool,
    workers: usize,
}

impl Fleets {
    pub(crate) fn new(workers: usize) -> Self {
        let empty = Fleet { generation: 0, slots: Vec::new(), draining: Vec::new() };
        let current = ArcSwap::from_pointee(empty);
        Self { current, generation: AtomicU64::new(0), panic: AtomicBool::new(false), workers }
    }

    pub(crate) fn load(&self) -> Arc<Fleet> {
        self.current.load_full()
    }

    /// Grows with every change; cheaper to look at than the set.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Brings the set to `wanted`: what keeps id, address and TLS keeps its statistics, what is gone drains. Calls are
    /// made one at a time.
    pub(crate) fn replace(&self, wanted: &[Endpoint], tls: &BTreeMap<UpstreamTls, Arc<ClientTls>>, now_ms: u64) {
        let old = self.current.load_full();
        let mut slots = Vec::with_capacity(wanted.len());
        for endpoint in wanted {
            let is_same = |s: &&Arc<Slot>| {
                s.id == endpoint.id
                    && s.address == endpoint.address
                    && s.tls.as_ref().map(|(config, _)| config) == endpoint.tls.as_ref()
            };
            let client_tls = endpoint.tls.as_ref().and_then(|config| tls.get(config).cloned());
            if let Some(kept) = old.slots.iter().find(is_same) {
                kept.configure_weight(endpoint.weight);
                slots.push(Arc::clone(kept));
            } else {
                slots.push(Arc::new(Slot::new(endpoint, client_tls, self.workers, now_ms)));
            }
        }
        let removed = old.slots.iter().filter(|s| !slots.iter().any(|kept| Arc::ptr_eq(kept, s)));
        let mut draining: Vec<_> = old.draining.iter().chain(removed).map(Arc::clone).collect();
        for slot in &draining {
            slot.health.set(DRAINING, true);
        }
        draining.retain(|s| !s.in_flight.is_empty());
        let generation = old.generation + 1;
        self.current.store(Arc::new(Fleet { generation, slots, draining }));
        self.generation.store(generation, Ordering::Release);
    }
}

/// FNV-1a, for a hash that is the same on every machine.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str, port: u16, weight: f64) -> Endpoint {
        Endpoint { id: id.to_owned(), address: ([127, 0, 0, 1], port).into(), weight, tls: None }
    }

    #[test]
    fn statistics_follow_the_identity_and_the_removed_drain() {
        let fleets = Fleets::new(1);
        let none = BTreeMap::new();
        fleets.replace(&[endpoint("a", 1, 1.0), endpoint("b", 2, 1.0)], &none, 0);
        let a = Arc::clone(&fleets.load().slots[0]);
        a.shard(0).picks.increment();
        assert_eq!(a.in_flight.take(1), Some(0));
        fleets.replace(&[endpoint("c", 3, 1.0), endpoint("a", 1, 1000.0)], &none, 5);
        assert_eq!(fleets.load().slots[1].stats(5).picks, 1);
        assert!((a.weight() - 100.0).abs() < 1e-9);
        assert!(fleets.load().draining.is_empty(), "b had nothing in flight");
        // Another address is another endpoint, whatever its name.
        fleets.replace(&[endpoint("a", 9, 1.0)], &none, 6);
        let fleet = fleets.load();
        assert_eq!((fleet.slots[0].stats(6).picks, fleet.draining[0].stats(6).state), (0, EndpointState::Draining));
        assert!(!a.health.is_usable(true));
    }
}
