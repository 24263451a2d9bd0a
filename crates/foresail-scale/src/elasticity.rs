//! Elasticity metrics of the SPEC Research Group: how well what was supplied followed what was demanded.
//!
//! Definitions from Herbst et al., "Ready for Rain? A View from SPEC Research on the Future of Cloud Metrics"
//! (SPEC-RG-2016-01), carried on in Herbst et al., "Quantifying Cloud Performance and Dependability: Taxonomy, Metric Design,
//! and Emerging Challenges" (ACM TOMPECS 3(4), 2018); the elastic deviation as used by Bauer et al., "Chameleon" (IEEE TPDS
//! 30(4), 2019). Demand is what the oracle has, supply what is ready.

use crate::replay::Run;

/// Elasticity of one run. Percentages are 0 to 100 and more; lower is better, 0 perfect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elasticity {
    /// θU: mean missing replicas, as a percentage of the demand of the moment.
    pub under_accuracy: f64,
    /// θO: mean surplus replicas, as a percentage of the demand of the moment.
    pub over_accuracy: f64,
    /// τU: percentage of time with fewer replicas than demanded.
    pub under_timeshare: f64,
    /// τO: percentage of time with more replicas than demanded.
    pub over_timeshare: f64,
    /// υ: percentage of time in which supply moved in another direction than demand (up, down or not at all).
    pub instability: f64,
    /// Changes of supply beyond changes of demand, an hour; negative where supply follows in fewer steps.
    pub jitter: f64,
}

/// Below this many percentage points a metric counts as this much, so that a ratio with a perfect one is finite.
const FLOOR: f64 = 0.01;

impl Elasticity {
    /// Compares supply with demand, both one entry a tick of `tick_s` seconds; cut to the shorter. A demand of 0 counts as 1
    /// where it divides. Without ticks every metric is 0.
    pub fn measure(demand: &[u32], supply: &[u32], tick_s: f64) -> Self {
        let ticks = demand.len().min(supply.len());
        let pairs = || demand[..ticks].iter().copied().zip(supply[..ticks].iter().copied());
        let share = |sum: f64, count: usize| if count > 0 { 100.0 * sum / count as f64 } else { 0.0 };
        let relative = |part: u32, demand: u32| f64::from(part) / f64::from(demand.max(1));
        let count = |holds: &dyn Fn(u32, u32) -> bool| pairs().filter(|(d, s)| holds(*d, *s)).count() as f64;
        let directions = |series: &[u32]| series.windows(2).map(|w| w[1].cmp(&w[0])).collect::<Vec<_>>();
        let (of_demand, of_supply) = (directions(&demand[..ticks]), directions(&supply[..ticks]));
        let apart = of_demand.iter().zip(&of_supply).filter(|(d, s)| d != s).count() as f64;
        let changes = |directions: &[std::cmp::Ordering]| directions.iter().filter(|d| d.is_ne()).count() as f64;
        let hours = ticks as f64 * tick_s / 3_600.0;
        Self {
            under_accuracy: share(pairs().map(|(d, s)| relative(d.saturating_sub(s), d)).sum(), ticks),
            over_accuracy: share(pairs().map(|(d, s)| relative(s.saturating_sub(d), d)).sum(), ticks),
            under_timeshare: share(count(&|d, s| s < d), ticks),
            over_timeshare: share(count(&|d, s| s > d), ticks),
            instability: share(apart, of_demand.len()),
            jitter: if hours > 0.0 { (changes(&of_supply) - changes(&of_demand)) / hours } else { 0.0 },
        }
    }

    /// Of the scored ticks of `run`, with the oracle's replicas as demand.
    pub fn of(run: &Run, oracle: &Run) -> Self {
        let demand = oracle.desired.get(oracle.evaluate_from..).unwrap_or_default();
        let supply = run.ready.get(run.evaluate_from..).unwrap_or_default();
        Self::measure(demand, supply, run.tick_s)
    }

    /// σ: distance from a perfect autoscaler, `(θ³ + τ³ + υ³)^(1/3)`, with θ and τ the means of their two sides.
    pub fn deviation(&self) -> f64 {
        let theta = 0.5 * (self.under_accuracy + self.over_accuracy);
        let tau = 0.5 * (self.under_timeshare + self.over_timeshare);
        (theta.powi(3) + tau.powi(3) + self.instability.powi(3)).cbrt()
    }

    /// ε: elastic speed-up over `baseline` (usually no scaling): the geometric mean of its accuracies and time shares over
    /// ours. Above 1 is better than the baseline. Values below 0.01 points count as that.
    pub fn speed_up(&self, baseline: &Self) -> f64 {
        let parts = |e: &Self| [e.under_accuracy, e.over_accuracy, e.under_timeshare, e.over_timeshare];
        let logs = parts(baseline).into_iter().zip(parts(self)).map(|(b, o)| (b.max(FLOOR) / o.max(FLOOR)).ln());
        (logs.sum::<f64>() / 4.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand over four ticks of a quarter of an hour.
    #[test]
    fn the_metrics_are_those_of_the_definitions() {
        let e = Elasticity::measure(&[4, 5, 10, 10], &[5, 5, 6, 12], 900.0);
        assert!((e.under_accuracy - 10.0).abs() < 1e-12); // 0, 0, 0.4, 0 over 4
        assert!((e.over_accuracy - 11.25).abs() < 1e-12); // 0.25, 0, 0, 0.2 over 4
        assert_eq!((e.under_timeshare, e.over_timeshare), (25.0, 50.0));
        // Demand goes up, up, nowhere; supply nowhere, up, up: two of three apart.
        assert!((e.instability - 200.0 / 3.0).abs() < 1e-12);
        assert_eq!(e.jitter, 0.0);
        let expected = (10.625_f64.powi(3) + 37.5_f64.powi(3) + (200.0_f64 / 3.0).powi(3)).cbrt();
        assert!((e.deviation() - expected).abs() < 1e-9);
    }

    #[test]
    fn a_perfect_follower_is_at_zero_and_twice_as_good_everywhere_is_a_speed_up_of_two() {
        let perfect = Elasticity::measure(&[1, 2, 3, 0], &[1, 2, 3, 0], 15.0);
        assert_eq!(perfect.deviation(), 0.0);
        assert_eq!(perfect.speed_up(&perfect), 1.0);
        let mut half = Elasticity::measure(&[4, 5, 10, 10], &[5, 5, 6, 12], 900.0);
        let whole = half;
        for part in
            [&mut half.under_accuracy, &mut half.over_accuracy, &mut half.under_timeshare, &mut half.over_timeshare]
        {
            *part /= 2.0;
        }
        assert!((half.speed_up(&whole) - 2.0).abs() < 1e-12);
        assert_eq!(Elasticity::measure(&[], &[], 15.0).deviation(), 0.0);
    }
}
