//! What is told when.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What is due at each second of `[from, to)`, delivered at once: the second and the message in short.
fn run(notifier: &mut Notifier, from: u64, to: u64) -> Vec<(u64, String)> {
    let mut said = Vec::new();
    for second in from..to {
        for delivery in notifier.due(at(second)) {
            said.push((second, short(&delivery)));
            notifier.sent(at(second), delivery.id, None, &mut rng());
        }
    }
    said
}

fn said(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(second, text)| (*second, (*text).to_owned())).collect()
}

#[test]
fn alerts_are_gathered_told_repeated_and_taken_back() {
    let mut notifier = Notifier::new(NotifierOptions::default());
    let warning = |subject| alert("slow", subject, Severity::Warning, 0);
    notifier.raise(at(0), warning("a"));
    notifier.raise(at(4), alert("slow", "b", Severity::Critical, 4));
    assert_eq!(notifier.next_due(), Some(at(10)));
    assert_eq!(run(&mut notifier, 0, 60), said(&[(10, "+b +a")]));
    // Something new waits for the interval; the same again is nothing new.
    notifier.raise(at(60), warning("a"));
    notifier.raise(at(70), warning("c"));
    notifier.resolve(at(80), "shop", "slow", "b");
    assert_eq!(run(&mut notifier, 60, 400), said(&[(310, "+a +c -b")]));
    // It is repeated while it lasts.
    let four_hours = 4 * 3_600;
    assert_eq!(run(&mut notifier, 400, 15_000), said(&[(310 + four_hours, "+a +c")]));
    notifier.resolve(at(15_000), "shop", "slow", "a");
    notifier.resolve(at(15_000), "shop", "slow", "c");
    assert_eq!(run(&mut notifier, 15_000, 40_000), said(&[(15_010.max(310 + four_hours + 300), "-a -c")]));
    assert_eq!((notifier.next_due(), notifier.alerts().count()), (None, 0));
    assert_eq!(notifier.counts(), Counts { sent: 4, ..Counts::default() });
}

#[test]
fn what_is_over_before_it_is_told_is_not_told_and_flapping_is_calm() {
    let mut notifier = Notifier::new(NotifierOptions::default());
    let flap = || alert("flap", "", Severity::Warning, 0);
    notifier.raise(at(0), flap());
    notifier.resolve(at(5), "shop", "flap", "");
    assert_eq!(run(&mut notifier, 5, 100), []);
    notifier.raise(at(100), flap());
    assert_eq!(run(&mut notifier, 100, 120), said(&[(110, "+")]));
    // Ended and back before its end was told: as if nothing had happened.
    notifier.resolve(at(120), "shop", "flap", "");
    notifier.raise(at(130), flap());
    assert_eq!(run(&mut notifier, 130, 2_000), []);
    // Off and on every minute: no more than a message an interval.
    let mut count = 0;
    for minute in 0..60 {
        let second = 2_000 + 60 * minute;
        if minute % 2 == 0 {
            notifier.resolve(at(second), "shop", "flap", "");
        } else {
            notifier.raise(at(second), flap());
        }
        count += run(&mut notifier, second, second + 60).len();
    }
    assert!(count <= 13, "{count}");
}

#[test]
fn an_alert_that_gets_worse_is_news() {
    let mut notifier = Notifier::new(NotifierOptions::default());
    notifier.raise(at(0), alert("leak", "", Severity::Info, 0));
    assert_eq!(run(&mut notifier, 0, 400), said(&[(10, "+")]));
    notifier.raise(at(400), alert("leak", "", Severity::Critical, 400));
    let delivery = notifier.due(at(400)).pop().unwrap();
    assert_eq!((delivery.severity(), delivery.alerts[0].alert.began), (Severity::Critical, at(0)));
    // What changes while a message is on its way is told after it.
    assert!(notifier.due(at(401)).is_empty() && notifier.next_due().is_none());
    notifier.resolve(at(401), "shop", "leak", "");
    notifier.sent(at(402), delivery.id, None, &mut rng());
    assert_eq!(run(&mut notifier, 402, 800), said(&[(702, "-")]));
}

#[test]
fn failures_are_repeated_later_and_later_with_what_holds_by_then() {
    let options = NotifierOptions { attempts: 4, ..NotifierOptions::default() };
    let mut notifier = Notifier::new(options);
    notifier.raise(at(0), alert("slow", "a", Severity::Warning, 0));
    let mut rng = rng();
    let mut now = at(10);
    for (attempt, longest_ms) in [(1, 1_000), (2, 2_000), (3, 4_000)] {
        let delivery = notifier.due(now).pop().unwrap();
        assert_eq!(delivery.attempt, attempt);
        notifier.sent(now, delivery.id, BUSY, &mut rng);
        let next = notifier.next_due().unwrap();
        let wait = next.since(now).as_millis();
        assert!((longest_ms / 2..=longest_ms).contains(&wait), "attempt {attempt}: {wait} ms");
        now = next;
    }
    // The last attempt: given up, until something changes.
    notifier.raise(now, alert("slow", "b", Severity::Warning, 0));
    let delivery = notifier.due(now).pop().unwrap();
    assert_eq!((delivery.attempt, short(&delivery).as_str()), (4, "+a +b"));
    notifier.sent(now, delivery.id, BUSY, &mut rng);
    assert_eq!(notifier.next_due(), Some(now + Duration::from_secs(4 * 3_600)));
    notifier.raise(now, alert("slow", "c", Severity::Warning, 0));
    assert_eq!(notifier.next_due(), Some(now + Duration::from_secs(300)));
    assert_eq!(notifier.counts(), Counts { failed: 4, given_up: 1, ..Counts::default() });
    // One that cannot arrive is not repeated; one that is asked to wait waits.
    let delivery = notifier.due(now + Duration::from_secs(300)).pop().unwrap();
    let now = now + Duration::from_secs(300);
    let wait = Duration::from_secs(999);
    let asked = Failure { is_transient: true, retry_after: Some(wait) };
    notifier.sent(now, delivery.id, Some(asked), &mut rng);
    assert_eq!(notifier.next_due(), Some(now + wait));
    let delivery = notifier.due(now + wait).pop().unwrap();
    notifier.sent(now + wait, delivery.id, REFUSED, &mut rng);
    assert_eq!(notifier.counts().given_up, 2);
    // An answer to a message that is not on its way is ignored.
    notifier.sent(now + wait, delivery.id, None, &mut rng);
    assert_eq!(notifier.counts().sent, 0);
}

#[test]
fn what_matters_least_gives_way_when_there_is_too_much() {
    let options = NotifierOptions { most_alerts: 3, most_in_message: 2, ..NotifierOptions::default() };
    let mut notifier = Notifier::new(options);
    for (second, subject, severity, taken) in [
        (0, "a", Severity::Warning, true),
        (1, "b", Severity::Info, true),
        (2, "c", Severity::Warning, true),
        (3, "d", Severity::Info, false),
        (4, "e", Severity::Critical, true),
        (5, "f", Severity::Warning, false),
        (6, "a", Severity::Warning, true),
    ] {
        assert_eq!(notifier.raise(at(second), alert("slow", subject, severity, second)), taken, "{subject}");
    }
    let subjects: Vec<&str> = notifier.alerts().map(|a| a.subject.as_str()).collect();
    assert_eq!((subjects, notifier.counts().dropped), (vec!["a", "c", "e"], 3));
    let delivery = notifier.due(at(60)).pop().unwrap();
    assert_eq!((short(&delivery).as_str(), delivery.omitted), ("+e +a", 1));
}

#[test]
fn a_restart_forgets_nothing_and_sends_again_what_was_on_its_way() {
    let mut notifier = Notifier::new(NotifierOptions::default());
    notifier.raise(at(0), alert("slow", "a", Severity::Warning, 0));
    assert_eq!(run(&mut notifier, 0, 20), said(&[(10, "+a")]));
    notifier.raise(at(20), alert("leak", "b", Severity::Warning, 20));
    assert_eq!(notifier.due(at(30)).len(), 1);
    let text = serde_json::to_string(&notifier.state()).unwrap();
    let restored = |text: &str| Notifier::restore(NotifierOptions::default(), serde_json::from_str(text).unwrap());
    let mut notifier = restored(&text).unwrap();
    notifier.resolve(at(40), "shop", "slow", "a");
    assert_eq!(run(&mut notifier, 40, 400), said(&[(40, "+b"), (310, "-a")]));
    assert!(restored(&text.replace("\"version\":1", "\"version\":2")).is_none());
}

proptest! {
    /// Whatever happens and however messages fare: once they arrive again, the receiver knows exactly what lasts; no
    /// group is told of twice within its interval; and nothing grows without bound.
    #[test]
    fn in_the_end_the_receiver_knows_what_lasts(
        steps in prop::collection::vec((0..4_u8, 0..3_usize, 0..3_usize, 1..200_u64), 1..120),
        seed in 0..1_000_u64,
    ) {
        let options = NotifierOptions { most_alerts: 7, attempts: 3, ..NotifierOptions::default() };
        let interval = options.group_interval;
        let (mut notifier, mut rng) = (Notifier::new(options), SeededRng::seed_from_u64(seed));
        let (kinds, subjects) = (["x", "y", "z"], ["1", "2", "3"]);
        let mut lasting = BTreeSet::new();
        let mut receiver = Receiver::default();
        let mut now = at(0);
        for (what, kind, subject, wait) in steps {
            now = now + Duration::from_secs(wait);
            let it = alert(kinds[kind], subjects[subject], Severity::Warning, 0);
            if what == 0 {
                notifier.resolve(now, &it.service, &it.kind, &it.subject);
                lasting.remove(&it.fingerprint());
            } else if what < 3 && notifier.raise(now, it.clone()) {
                lasting.insert(it.fingerprint());
            }
            receiver.take(&mut notifier, &mut rng, now, what % 2 == 1);
            prop_assert!(notifier.alerts().count() <= 7);
        }
        for _ in 0..40 {
            let Some(due) = notifier.next_due() else { break };
            now = now.max(due);
            receiver.take(&mut notifier, &mut rng, now, false);
        }
        // The end of an alert whose message was given up is not told; what lasts always is.
        prop_assert!(lasting.is_subset(&receiver.known), "{lasting:?} {:?}", receiver.known);
        prop_assert!(receiver.least_pause.is_none_or(|pause| pause >= interval), "{:?}", receiver.least_pause);
    }
}

/// What a receiver makes of the messages that arrive.
#[derive(Default)]
struct Receiver {
    /// Alerts that last, as far as it was told.
    known: BTreeSet<String>,
    /// When it was last told of a kind.
    last: BTreeMap<String, Timestamp>,
    /// Least time between two messages of one kind.
    least_pause: Option<Duration>,
}

impl Receiver {
    fn take(&mut self, notifier: &mut Notifier, rng: &mut SeededRng, now: Timestamp, fails: bool) {
        for delivery in notifier.due(now) {
            notifier.sent(now, delivery.id, if fails { BUSY } else { None }, rng);
            if fails {
                continue;
            }
            if let Some(last) = self.last.insert(delivery.kind, now) {
                let pause = now.since(last);
                self.least_pause = Some(self.least_pause.map_or(pause, |least| least.min(pause)));
            }
            for notice in delivery.alerts {
                let print = notice.alert.fingerprint();
                if notice.ended.is_none() {
                    self.known.insert(print)
                } else {
                    self.known.remove(&print)
                };
            }
        }
    }
}
