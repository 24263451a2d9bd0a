use std::time::Duration;

use foresail_core::SeededRng;
use foresail_core::fingerprint::{FingerprintOptions, Request};

use super::*;

/// Mean absolute error four intervals ahead, without and with fingerprints, over the last half: the kind of work changes
/// step by step, and what it costs comes three intervals after it.
#[test]
fn fingerprints_tell_what_is_coming() {
    let mut fingerprinter = Fingerprinter::new(FingerprintOptions::default()).unwrap();
    let mut models = [ResourceForecaster::new(4, None).unwrap(), ResourceForecaster::new(4, Some(6)).unwrap()];
    let mut rng = SeededRng::seed_from_u64(2);
    let (span, mut errors) = (Duration::from_secs(10), [0.0; 2]);
    let kinds: Vec<u64> = (0..160)
        .scan(0, |kind, _| {
            *kind = (*kind + 1 + rng.below(2) as u64) % 4;
            Some(*kind)
        })
        .collect();
    let kind = |interval: usize| kinds[interval / 5];
    let used: Vec<f64> = (0..800)
        .map(|i: usize| [1.0, 5.0, 2.0, 9.0][kind(i.saturating_sub(3)) as usize] + 0.1 * rng.normal())
        .collect();
    let mut due: VecDeque<[Option<f64>; 2]> = VecDeque::new();
    for (interval, &spent) in used.iter().enumerate() {
        let start = Timestamp::from_secs(10 * interval as i64);
        for i in 0..40 {
            let pattern = 7 * kind(interval) + rng.below(3) as u64;
            let time = start + Duration::from_millis(250 * i);
            fingerprinter.record(&Request {
                time,
                pattern,
                latency_ms: 5.0,
                is_error: false,
                cost: None,
                parameters: &[],
            });
        }
        let print = fingerprinter.close(start, span, &[], Some(spent));
        let said = models.each_mut().map(|model| model.push(&fingerprinter, &print, Some(spent)));
        if due.len() == 4 && interval > 400 {
            let then = due[0];
            for (error, said) in errors.iter_mut().zip(then) {
                *error += (said.unwrap() - spent).abs();
            }
        }
        due.push_back(said);
        if due.len() > 4 {
            due.pop_front();
        }
    }
    assert!(errors[1] < 0.7 * errors[0], "{errors:?}");
}

#[test]
fn gaps_and_absurd_numbers_do_no_harm() {
    let mut fingerprinter = Fingerprinter::new(FingerprintOptions::default()).unwrap();
    let mut model = ResourceForecaster::new(2, Some(6)).unwrap();
    for interval in 0..300_i64 {
        let resource = match interval % 5 {
            0 => None,
            1 => Some(f64::NAN),
            2 => Some(1e99),
            _ => Some(interval as f64),
        };
        let start = Timestamp::from_secs(interval);
        let print = fingerprinter.close(start, Duration::from_secs(1), &[], resource);
        assert!(model.push(&fingerprinter, &print, resource).is_none_or(f64::is_finite));
    }
    assert!(ResourceForecaster::new(0, None).is_err());
}
