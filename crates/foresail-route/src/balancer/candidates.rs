//! Draws a few distinct available endpoints at random.

use crate::{Endpoints, View};

/// Sets up to this size are looked at whole, so that the draw is uniform over what is available.
pub(super) const SMALL: usize = 64;

/// One step of SplitMix64 (Steele, Lea and Flood 2014), to get more random words out of one.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform on 0..`bound`, which is above 0.
pub(crate) fn below(state: &mut u64, bound: usize) -> usize {
    ((u128::from(next(state)) * bound as u128) >> 64) as usize
}

/// The index of the least cost among `choices` available endpoints drawn at random; of equals the first drawn. `cost`
/// is given the endpoint and the mean latency of the candidates.
pub(super) fn least_of(
    endpoints: &dyn Endpoints,
    random: u64,
    choices: usize,
    cost: impl Fn(&View, f64) -> f64,
) -> Option<usize> {
    let mut drawn = [0; SMALL];
    let count = draw(endpoints, random, choices.min(SMALL), &mut drawn);
    let drawn = &drawn[..count];
    let (mut sum, mut known) = (0.0, 0.0_f64);
    for &index in drawn {
        let latency_ms = endpoints.view(index as usize).latency_ms;
        if latency_ms > 0.0 {
            (sum, known) = (sum + latency_ms, known + 1.0);
        }
    }
    let mean_latency = if known > 0.0 { sum / known } else { 1.0 };
    let mut best: Option<(usize, f64)> = None;
    for &index in drawn {
        let cost = cost(&endpoints.view(index as usize), mean_latency);
        if best.is_none_or(|(_, least)| cost < least) {
            best = Some((index as usize, cost));
        }
    }
    best.map(|(index, _)| index)
}

/// The index of the greatest value among `choices` available endpoints drawn at random; of equals the first drawn. `value`
/// is given the endpoint and a stream of random words of its own.
pub(super) fn greatest_of(
    endpoints: &dyn Endpoints,
    random: u64,
    choices: usize,
    mut value: impl FnMut(usize, &View, &mut u64) -> f64,
) -> Option<usize> {
    let mut drawn = [0; SMALL];
    let count = draw(endpoints, random, choices.min(SMALL), &mut drawn);
    let mut state = random ^ 0x5851_f42d_4c95_7f2d;
    let mut best: Option<(usize, f64)> = None;
    for &index in &drawn[..count] {
        let index = index as usize;
        let value = value(index, &endpoints.view(index), &mut state);
        if best.is_none_or(|(_, greatest)| value > greatest) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

/// The indices of all that may be picked.
pub(super) fn available(endpoints: &dyn Endpoints) -> Vec<usize> {
    (0..endpoints.count()).filter(|&index| endpoints.is_available(index)).collect()
}

/// Uniform on [0, 1).
pub(crate) fn uniform(state: &mut u64) -> f64 {
    (next(state) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Fills `drawn` with up to `choices` distinct available endpoints in random order and tells how many.
fn draw(endpoints: &dyn Endpoints, random: u64, choices: usize, drawn: &mut [u32; SMALL]) -> usize {
    let (total, mut state) = (endpoints.count(), random);
    if total > SMALL {
        let found = draw_from_many(endpoints, &mut state, choices, drawn);
        if found > 0 {
            return found;
        }
    }
    // All of a small set; of a large one that is mostly unavailable, the first available ones from a random place on.
    let start = if total > SMALL { below(&mut state, total) } else { 0 };
    let mut found = 0;
    for step in 0..total {
        let index = (start + step) % total;
        if found < SMALL && endpoints.is_available(index) {
            drawn[found] = index as u32;
            found += 1;
        }
    }
    let wanted = choices.min(found);
    for i in 0..wanted {
        drawn.swap(i, i + below(&mut state, found - i));
    }
    wanted
}

/// Draws by trial, which ends quickly as long as a fair part of the set is available.
fn draw_from_many(endpoints: &dyn Endpoints, state: &mut u64, choices: usize, drawn: &mut [u32; SMALL]) -> usize {
    let mut found = 0;
    for _ in 0..choices * 4 {
        let index = below(state, endpoints.count());
        if !drawn[..found].contains(&(index as u32)) && endpoints.is_available(index) {
            drawn[found] = index as u32;
            found += 1;
            if found == choices {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_endpoint_is_drawn_alike() {
        for total in [5, 200] {
            let mut views = vec![View::default(); total];
            views[0].available = false;
            let mut counts = vec![0_u32; total];
            for i in 0..total as u64 * 1000 {
                let index = least_of(&views.as_slice(), i.wrapping_mul(0x1234_5678_9abc_def1), 2, |_, _| 1.0).unwrap();
                counts[index] += 1;
            }
            assert_eq!(counts[0], 0);
            assert!(counts[1..].iter().all(|c| (850..1450).contains(c)), "{total}: {counts:?}");
        }
    }

    #[test]
    fn the_last_available_of_many_is_found() {
        let mut views = vec![View { available: false, ..View::default() }; 500];
        views[321].available = true;
        for random in 0..50 {
            assert_eq!(least_of(&views.as_slice(), random, 2, |_, _| 1.0), Some(321));
        }
    }
}
