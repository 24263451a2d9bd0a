//! Quantiles of latency by class of request: when an answer is late enough to ask a second endpoint, and whether one can come
//! in time at all.

/// Classes kept apart; a further one waits until one that shares its place has become rare.
const CLASSES: usize = 64;
/// Bins a doubling of latency, from [`LEAST_MS`] on.
const PER_DOUBLING: f64 = 4.0;
const LEAST_MS: f64 = 0.1;
const BINS: usize = 100;
/// How fast answers are forgotten, and how often that is reckoned, ms.
const MEMORY_MS: f64 = 60_000.0;
const FADE_MS: u64 = 1_000;
/// Answers that a quantile rests on at least.
const ENOUGH: f32 = 50.0;

/// Latencies by class in a table of fixed size: some 26 KiB. Observing costs some ns.
#[derive(Clone, Debug)]
pub struct ClassLatency {
    classes: Vec<Class>,
}

#[derive(Clone, Debug)]
struct Class {
    key: u64,
    at_ms: u64,
    total: f32,
    counts: [f32; BINS],
}

impl Default for ClassLatency {
    fn default() -> Self {
        Self { classes: vec![Class { key: 0, at_ms: 0, total: 0.0, counts: [0.0; BINS] }; CLASSES] }
    }
}

impl ClassLatency {
    /// Takes in how long an answer to a request of a class took. Times are those of one clock and do not fall.
    pub fn observe(&mut self, key: u64, latency_ms: f64, now_ms: u64) {
        let class = &mut self.classes[(key % CLASSES as u64) as usize];
        class.fade(now_ms);
        if class.key != key {
            if class.total >= ENOUGH {
                return;
            }
            *class = Class { key, at_ms: now_ms, total: 0.0, counts: [0.0; BINS] };
        }
        class.counts[bin(latency_ms)] += 1.0;
        class.total += 1.0;
    }

    /// The latency in ms that a share `q` of the answers to this class do not exceed; `None` for a class of which too little is
    /// known. Right to a twelfth or so.
    pub fn quantile(&self, key: u64, q: f64) -> Option<f64> {
        let class = &self.classes[(key % CLASSES as u64) as usize];
        if class.key != key || class.total < ENOUGH {
            return None;
        }
        let wanted = class.total * q.clamp(0.0, 1.0) as f32;
        let mut below = 0.0;
        for (index, count) in class.counts.iter().enumerate() {
            if below + count >= wanted && *count > 0.0 {
                let within = f64::from((wanted - below) / count).clamp(0.0, 1.0);
                return Some(LEAST_MS * ((index as f64 + within) / PER_DOUBLING).exp2());
            }
            below += count;
        }
        None
    }
}

impl Class {
    fn fade(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        if passed >= FADE_MS {
            let left = (-(passed as f64) / MEMORY_MS).exp() as f32;
            self.counts.iter_mut().for_each(|count| *count *= left);
            self.total *= left;
            self.at_ms = now_ms;
        }
    }
}

fn bin(latency_ms: f64) -> usize {
    let place = (latency_ms.max(LEAST_MS) / LEAST_MS).log2() * PER_DOUBLING;
    (place as usize).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_near_the_true_ones_and_classes_apart() {
        let mut table = ClassLatency::default();
        for n in 0..1_000_u64 {
            table.observe(1, 1.0 + n as f64 / 10.0, n);
            table.observe(2, 5_000.0, n);
        }
        for q in [0.5, 0.9, 0.95] {
            let (told, right) = (table.quantile(1, q).unwrap(), 1.0 + 100.0 * q);
            assert!((told / right - 1.0).abs() < 0.1, "{q}: {told} {right}");
        }
        assert!((table.quantile(2, 0.5).unwrap() / 5_000.0 - 1.0).abs() < 0.2);
        assert_eq!(table.quantile(3, 0.5), None);
    }

    #[test]
    fn the_past_fades_and_rare_classes_give_way() {
        let mut table = ClassLatency::default();
        (0..200).for_each(|n| table.observe(1, 10.0, n));
        table.observe(1 + CLASSES as u64, 1.0, 300);
        assert!(table.quantile(1, 0.5).is_some(), "a stranger does not push it out");
        for n in 0..100 {
            table.observe(1 + CLASSES as u64, 1.0, 600_000 + n);
        }
        assert_eq!(table.quantile(1, 0.5), None);
        assert!(table.quantile(1 + CLASSES as u64, 0.5).unwrap() < 1.3);
    }

    proptest! {
        /// Whatever comes, a quantile grows with its share and lies within what was seen, as far as bins tell.
        #[test]
        fn quantiles_are_in_order(latencies in prop::collection::vec(0.0..1e7_f64, 50..200)) {
            let mut table = ClassLatency::default();
            latencies.iter().for_each(|ms| table.observe(7, *ms, 0));
            let quantiles: Vec<f64> = [0.0, 0.3, 0.9, 1.0].iter().map(|q| table.quantile(7, *q).unwrap()).collect();
            prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]));
            let most = latencies.iter().copied().fold(LEAST_MS, f64::max);
            prop_assert!(quantiles[3] <= most * 1.2);
        }
    }
}
