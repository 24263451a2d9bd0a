//! Balancing over a set of [`tower_service::Service`]s, by any [`Balancer`]. With the feature `tower`.
//!
//! [`BalanceLayer`] makes of a list of services, each with its key, one service that sends each request to one of those that
//! are ready. A request in flight is counted until its future ends or is dropped; answers are told to the balancer at the
//! next request, through a channel, so that no request waits for a lock. An error is a failure; what else is one should be
//! made an error by the inner services. Time is the caller's: a clock in microseconds, that does not go back.

mod future;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};

pub use future::BalanceFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::balancer::next_random;
use crate::{Balancer, BalancerKind, Endpoints, FailureRate, Feedback, LatencyEwma, Pick, View};

/// Microseconds of a clock that does not go back.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Makes one service of several.
#[derive(Clone)]
pub struct BalanceLayer {
    kind: BalancerKind,
    seed: u64,
    clock: Clock,
}

impl BalanceLayer {
    /// With a policy whose settings have been checked, a seed for its randomness, and a clock.
    pub fn new(kind: BalancerKind, seed: u64, clock: Clock) -> Self {
        Self { kind, seed, clock }
    }
}

impl<S> Layer<Vec<(u64, S)>> for BalanceLayer {
    type Service = Balance<S>;

    fn layer(&self, services: Vec<(u64, S)>) -> Balance<S> {
        let member = |(key, service)| Member {
            key,
            service,
            is_ready: false,
            is_broken: false,
            in_flight: Arc::new(AtomicU32::new(0)),
            latency: LatencyEwma::default(),
            failure_rate: FailureRate::default(),
        };
        let (answers, told) = channel();
        Balance {
            members: services.into_iter().map(member).collect(),
            balancer: self.kind.build(0),
            random: self.seed,
            clock: Arc::clone(&self.clock),
            answers,
            told,
        }
    }
}

/// Sends each request to one of its services.
pub struct Balance<S> {
    members: Vec<Member<S>>,
    balancer: Box<dyn Balancer>,
    random: u64,
    clock: Clock,
    answers: Sender<Feedback>,
    told: Receiver<Feedback>,
}

struct Member<S> {
    key: u64,
    service: S,
    is_ready: bool,
    /// Its readiness failed: by the contract of services it is of no more use.
    is_broken: bool,
    in_flight: Arc<AtomicU32>,
    latency: LatencyEwma,
    failure_rate: FailureRate,
}

/// No service is left that could become ready, or a request came before one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no service is ready")]
pub struct NoneReady;

/// What can go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError<E> {
    /// It was not sent.
    #[error(transparent)]
    NoneReady(#[from] NoneReady),
    /// The service that it was sent to failed.
    #[error("the service failed")]
    Service(#[source] E),
}

struct Looks<'a, S> {
    members: &'a [Member<S>],
    now_ms: u64,
    decay: std::time::Duration,
}

impl<S> Endpoints for Looks<'_, S> {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn view(&self, index: usize) -> View {
        let member = &self.members[index];
        View {
            in_flight: member.in_flight.load(Ordering::Relaxed),
            latency_ms: member.latency.read(self.now_ms, self.decay),
            failure_rate: member.failure_rate.read(),
            weight: 1.0,
            available: member.is_ready,
        }
    }

    fn key(&self, index: usize) -> u64 {
        self.members[index].key
    }
}

impl<S> Balance<S> {
    /// Requests that each service has in flight, by its key.
    pub fn in_flight(&self) -> Vec<(u64, u32)> {
        self.members.iter().map(|member| (member.key, member.in_flight.load(Ordering::Relaxed))).collect()
    }

    fn learn(&mut self) {
        let decay = self.balancer.latency_decay();
        for feedback in self.told.try_iter() {
            self.balancer.observe(&feedback);
            if let Some(member) = self.members.iter_mut().find(|member| member.key == feedback.key) {
                member.failure_rate = member.failure_rate.observe(feedback.latency_ms.is_none());
                if let Some(latency_ms) = feedback.latency_ms {
                    member.latency = member.latency.observe(latency_ms, feedback.at_ms, decay);
                }
            }
        }
    }

    fn pick(&mut self, now_ms: u64) -> Option<usize> {
        let looks = Looks { members: &self.members, now_ms, decay: self.balancer.latency_decay() };
        self.balancer.pick(&looks, Pick { random: next_random(&mut self.random), hash: None })
    }
}

impl<S, R> Service<R> for Balance<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = BalanceError<S::Error>;
    type Future = BalanceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        for member in self.members.iter_mut().filter(|member| !member.is_ready && !member.is_broken) {
            match member.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => member.is_ready = true,
                Poll::Ready(Err(_)) => member.is_broken = true,
                Poll::Pending => {}
            }
        }
        if self.members.iter().any(|member| member.is_ready) {
            Poll::Ready(Ok(()))
        } else if self.members.iter().all(|member| member.is_broken) {
            Poll::Ready(Err(NoneReady.into()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.learn();
        let now_us = (self.clock)();
        let Some(index) = self.pick(now_us / 1_000) else { return BalanceFuture::none() };
        let member = &mut self.members[index];
        member.is_ready = false;
        let guard = future::InFlight::enter(&member.in_flight);
        let inner = member.service.call(request);
        let trip = future::Trip {
            guard,
            key: member.key,
            began_us: now_us,
            clock: Arc::clone(&self.clock),
            answers: self.answers.clone(),
        };
        BalanceFuture::sent(inner, trip)
    }
}
