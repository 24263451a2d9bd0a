//! What there is too much of: the present mix of traffic held against what is usual.

use std::sync::Arc;

use crate::baseline::Usual;
use crate::learner::PRESENT_S;
use crate::mix::Dimension;
use crate::model::Model;

/// A group may be so many times its most in seven days.
const MARGIN: f32 = 1.2;
/// Part of what is usual that is spread evenly over all groups, so that a group never seen is not impossible.
const SPREAD: f32 = 0.1;
/// Part of the excess that is taken to be as what is usual is.
const BLUR: f32 = 0.012;
/// An excess below this share of what is usual, or below so many requests a second, is none: a few pages opened at once.
const LEAST: f32 = 0.25;
const LEAST_RPS: f32 = 12.0;
/// Evidence from one dimension is within these.
const LOWEST: f32 = -4.5;
const HIGHEST: f32 = 4.0;
/// Requests that come together: a page with its parts.
const BATCH: f32 = 2.0;
/// Requests that a group must usually bring in the time looked at to tell how much there is of everything.
const LEAST_COUNT: f32 = 5.0;

/// Fills in what of `model` follows from the present: `now` requests a second in each group, `rate` in all, against what is
/// usual and the most of each group's share, which the model holds.
pub(crate) fn judge(model: &mut Model, usual: &Usual<'_>, now: &[f32], rate: f32) {
    model.now = now.to_vec();
    model.rate = rate;
    let most = Arc::clone(&model.usual);
    let expected = usual.rate * growth(usual, now);
    let least = (LEAST * expected).max(LEAST_RPS);
    let mut largest: f32 = 0.0;
    for dimension in Dimension::ALL {
        // What is not known yet speaks neither for nor against anybody.
        let Some(shares) = usual.shares_of(dimension) else { continue };
        let range = dimension.range();
        let spread = SPREAD / dimension.size() as f32;
        let usual_share = |group: usize| (1.0 - SPREAD) * shares[group] + spread;
        let mut total = 0.0;
        for group in range.clone() {
            let limit = (MARGIN * most[group]).max(usual_share(group));
            let allowed = expected * limit;
            if now[group] <= allowed {
                continue;
            }
            // Three standard errors of an average over so many seconds, of requests that come in batches.
            let batches = BATCH / (2.0 * PRESENT_S);
            let noise = 3.0 * (allowed * batches).sqrt() + 3.0 * batches;
            let excess = (now[group] - allowed - noise).max(0.0);
            model.ratios[group] = excess;
            total += excess;
        }
        let is_excess = total > least;
        for group in range {
            model.ratios[group] = if is_excess {
                let share = usual_share(group);
                let of_excess = (model.ratios[group] / total + BLUR * share) / (1.0 + BLUR);
                (of_excess / share).ln().clamp(LOWEST, HIGHEST)
            } else {
                0.0
            };
        }
        largest = largest.max(total);
    }
    model.prior = if largest > least { (largest / expected).ln().clamp(-2.0, 3.0) } else { f32::NEG_INFINITY };
}

/// How many times the usual traffic there is of what is not in excess: in each dimension the median of what groups have grown
/// by, and of the dimensions the least. So a crowd that is made up as always is no attack however large it is, and an attack
/// that copies one dimension shows in another.
fn growth(usual: &Usual<'_>, now: &[f32]) -> f32 {
    let mut least = f32::INFINITY;
    for dimension in [Dimension::Fingerprint, Dimension::Path, Dimension::Conduct] {
        let mut grown: Vec<(f32, f32)> = dimension
            .range()
            .filter(|group| usual.shares[*group] * usual.rate * 2.0 * PRESENT_S >= LEAST_COUNT)
            .map(|group| (now[group] / (usual.rate * usual.shares[group]), usual.shares[group]))
            .collect();
        let covered: f32 = grown.iter().map(|(_, share)| share).sum();
        if covered < 0.3 {
            continue;
        }
        grown.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut left = covered / 2.0;
        for (ratio, share) in grown {
            left -= share;
            if left <= 0.0 {
                least = least.min(ratio);
                break;
            }
        }
    }
    if least.is_finite() { least.clamp(0.25, 1e6) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::GROUPS;

    /// Usually 100 requests a second, spread over ten groups of each dimension.
    fn shares() -> Vec<f32> {
        let mut shares = vec![0.0; GROUPS];
        for dimension in Dimension::ALL {
            dimension.range().take(10).for_each(|group| shares[group] = 0.1);
        }
        shares
    }

    fn judged(now: &[f32]) -> Model {
        let shares = shares();
        let rate = now[Dimension::Oddness.range()].iter().sum();
        let mut model = Model { usual: Arc::new(shares.clone()), ..Model::ignorant(5.0) };
        judge(&mut model, &Usual { shares: &shares, always: &shares, rate: 100.0 }, now, rate);
        model
    }

    fn times(factor: f32) -> Vec<f32> {
        shares().iter().map(|share| 100.0 * factor * share).collect()
    }

    #[test]
    fn as_always_or_more_of_the_same_is_no_excess() {
        for factor in [0.3, 1.0, 1.3, 8.0] {
            let model = judged(&times(factor));
            assert_eq!(model.prior, f32::NEG_INFINITY, "{factor}");
            assert!(model.ratios.iter().all(|r| *r == 0.0));
        }
    }

    #[test]
    fn what_is_new_and_plenty_is_told_from_what_is_usual() {
        let mut now = times(1.0);
        // 1,000 a second, written in a way not seen before, all else spread as always.
        for dimension in Dimension::ALL {
            if dimension == Dimension::Fingerprint {
                now[dimension.offset() + 77] += 1000.0;
            } else {
                dimension.range().take(10).for_each(|group| now[group] += 100.0);
            }
        }
        let model = judged(&now);
        let usual: [u16; 6] = Dimension::ALL.map(|d| d.offset() as u16);
        let attack = {
            let mut places = usual;
            places[0] += 77;
            places
        };
        assert!(model.evidence(&attack) > 5.0, "{}", model.evidence(&attack));
        assert!(model.evidence(&usual) < 0.5, "{}", model.evidence(&usual));
        let (dimension, share, most) = model.foremost(&attack);
        assert!(dimension == Dimension::Fingerprint && share > 0.9 && most == 0.0);
    }
}
