//! The tower service over a few services of different speed, on a clock that the test turns.

use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use foresail_route::tower::{Balance, BalanceError, BalanceLayer};
use tower_layer::Layer;
use tower_service::Service;

use crate::kind;

/// Answers at once with its number, having turned the clock by what it takes; or fails, never becomes ready, or never answers.
#[derive(Clone)]
struct Endpoint {
    number: u64,
    takes_us: u64,
    nature: Nature,
    clock: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Nature {
    Sound,
    Failing,
    NeverReady,
    Broken,
}

impl Service<()> for Endpoint {
    type Response = u64;
    type Error = &'static str;
    type Future = Ready<Result<u64, &'static str>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.nature {
            Nature::NeverReady => Poll::Pending,
            Nature::Broken => Poll::Ready(Err("broken")),
            Nature::Sound | Nature::Failing => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.clock.fetch_add(self.takes_us, Ordering::Relaxed);
        ready(if self.nature == Nature::Failing { Err("failed") } else { Ok(self.number) })
    }
}

fn balance(policy: &str, fleet: &[(u64, Nature)]) -> Balance<Endpoint> {
    let clock = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&clock);
    let layer = BalanceLayer::new(kind(policy), 5, Arc::new(move || now.load(Ordering::Relaxed)));
    let endpoint = |(number, &(takes_us, nature)): (u64, &(u64, Nature))| {
        (number, Endpoint { number, takes_us, nature, clock: Arc::clone(&clock) })
    };
    layer.layer((0..).zip(fleet).map(endpoint).collect())
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn is_ready(balance: &mut Balance<Endpoint>) -> Poll<bool> {
    balance.poll_ready(&mut Context::from_waker(Waker::noop())).map(|ready| ready.is_ok())
}

#[test]
fn the_fast_and_sound_get_the_requests() {
    for policy in [r#"{"policy":"learned"}"#, r#"{"policy":"peak_ewma","choices":3}"#] {
        let fleet =
            [(50_000, Nature::Sound), (2_000, Nature::Sound), (1_000, Nature::Failing), (1_000, Nature::NeverReady)];
        let mut balance = balance(policy, &fleet);
        let mut counts = [0; 4];
        for _ in 0..400 {
            assert_eq!(is_ready(&mut balance), Poll::Ready(true));
            match poll(balance.call(())) {
                Poll::Ready(Ok(number)) => counts[number as usize] += 1,
                Poll::Ready(Err(BalanceError::Service("failed"))) => counts[2] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(counts[1] > 300 && counts[3] == 0, "{policy}: {counts:?}");
        assert!(balance.in_flight().iter().all(|(_, in_flight)| *in_flight == 0));
    }
}

#[test]
fn what_is_dropped_is_no_longer_in_flight() {
    let mut balance = balance(r#"{"policy":"least_request","choices":64}"#, &[(1, Nature::Sound); 3]);
    let mut open = Vec::new();
    for _ in 0..6 {
        assert_eq!(is_ready(&mut balance), Poll::Ready(true));
        open.push(balance.call(()));
    }
    assert_eq!(balance.in_flight(), [(0, 2), (1, 2), (2, 2)]);
    open.truncate(1);
    assert_eq!(balance.in_flight().iter().map(|(_, in_flight)| in_flight).sum::<u32>(), 1);
    open.clear();
    assert_eq!(balance.in_flight(), [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn with_none_ready_nothing_is_sent() {
    let mut waiting = balance(r#"{"policy":"random"}"#, &[(1, Nature::NeverReady), (1, Nature::Broken)]);
    assert_eq!(is_ready(&mut waiting), Poll::Pending);
    assert!(matches!(poll(waiting.call(())), Poll::Ready(Err(BalanceError::NoneReady(_)))));
    let mut broken = balance(r#"{"policy":"random"}"#, &[(1, Nature::Broken)]);
    assert_eq!(is_ready(&mut broken), Poll::Ready(false));
}
