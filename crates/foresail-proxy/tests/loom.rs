//! Every interleaving of what workers share on a request's way: the file `src/places.rs` compiled with loom's atomics.
//!
//! Loom takes sequentially consistent accesses for acquire and release, so the handshake between one who waits and one who
//! gives a place back, which needs more, is beyond it; `queue.rs` says what it rests on.

#![allow(clippy::unwrap_used, dead_code, reason = "a test; not all of the shared file is used here")]

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}
#[path = "../src/places.rs"]
mod places;

use atomic::{AtomicU32, AtomicU64, Ordering};
use loom::sync::Arc;
use loom::thread;
use places::{Places, add};

/// However two workers take and give back one place, no more than one is held at once, and all come back.
#[test]
fn places_are_never_held_by_more_and_all_come_back() {
    loom::model(|| {
        let shared = Arc::new((Places::default(), AtomicU32::new(0)));
        let work = |shared: &(Places, AtomicU32)| {
            let (places, held) = shared;
            if let Some(others) = places.take(1) {
                assert_eq!(others, 0);
                assert_eq!(held.fetch_add(1, Ordering::SeqCst), 0);
                held.fetch_sub(1, Ordering::SeqCst);
                places.give_back();
            }
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared))
        };
        work(&shared);
        other.join().unwrap();
        assert!(shared.0.is_empty() && shared.0.is_free(1) && shared.0.taken() == 0);
    });
}

/// Who finds an endpoint left by all sees what the last holder wrote: it may be taken down.
#[test]
fn who_finds_it_empty_sees_what_was_done() {
    loom::model(|| {
        let shared = Arc::new((Places::default(), AtomicU32::new(0)));
        assert_eq!(shared.0.take(1), Some(0));
        let holder = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.store(7, Ordering::Relaxed);
                shared.0.give_back();
            })
        };
        if shared.0.is_empty() {
            assert_eq!(shared.1.load(Ordering::Relaxed), 7);
        }
        holder.join().unwrap();
    });
}

/// A counter of one writer loses nothing and never goes back in the eyes of a reader.
#[test]
fn a_counter_of_one_writer_loses_nothing() {
    loom::model(|| {
        let counter = Arc::new(AtomicU64::new(0));
        let writer = {
            let counter = Arc::clone(&counter);
            thread::spawn(move || (0..3).for_each(|_| add(&counter, 1)))
        };
        let (first, second) = (counter.load(Ordering::Relaxed), counter.load(Ordering::Relaxed));
        assert!(first <= second && second <= 3);
        writer.join().unwrap();
        assert_eq!(counter.load(Ordering::Relaxed), 3);
    });
}
