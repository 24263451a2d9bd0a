//! The Beta posterior of a success rate, for Thompson sampling (Thompson 1933; Chapelle and Li 2011, "An Empirical
//! Evaluation of Thompson Sampling", algorithm 2), with forgetting.

use serde::{Deserialize, Serialize};

use crate::Error;

/// What is believed of a success rate: Beta(alpha, beta), where alpha - 1 successes and beta - 1 failures were seen if it
/// began as [`uniform`](Self::uniform).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f64, f64)", into = "(f64, f64)")]
pub struct BetaPosterior {
    alpha: f64,
    beta: f64,
}

impl BetaPosterior {
    /// Nothing is known.
    pub fn uniform() -> Self {
        Self { alpha: 1.0, beta: 1.0 }
    }

    /// Beta(`alpha`, `beta`).
    ///
    /// # Errors
    /// [`Error::BadParameter`] unless both are above 0 and at most 1e12.
    pub fn new(alpha: f64, beta: f64) -> Result<Self, Error> {
        let accepted = |x: f64| x > 0.0 && x <= 1e12;
        if accepted(alpha) && accepted(beta) {
            Ok(Self { alpha, beta })
        } else {
            let value = format!("({alpha}, {beta})");
            Err(Error::BadParameter { parameter: "beta_posterior", value, range: "two numbers above 0, up to 1e12" })
        }
    }

    /// Takes in one trial.
    pub fn observe(&mut self, success: bool) {
        let side = if success { &mut self.alpha } else { &mut self.beta };
        *side = (*side + 1.0).min(1e12);
    }

    /// Keeps the share `keep`, 0 to 1, of what was seen, and so drifts back to [`uniform`](Self::uniform).
    pub fn discount(&mut self, keep: f64) {
        let keep = keep.clamp(0.0, 1.0);
        self.alpha = 1.0 + (self.alpha - 1.0) * keep;
        self.beta = 1.0 + (self.beta - 1.0) * keep;
    }

    /// Its first parameter.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Its second parameter.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// Trials it is worth beyond the uniform.
    pub fn trials(&self) -> f64 {
        self.alpha + self.beta - 2.0
    }

    /// The expected success rate.
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// The equal-tailed interval that holds the rate with probability `coverage`, 0 to 1.
    pub fn credible_interval(&self, coverage: f64) -> (f64, f64) {
        let tail = (1.0 - coverage.clamp(0.0, 1.0)) / 2.0;
        (self.quantile(tail), self.quantile(1.0 - tail))
    }

    /// Probability that the rate is at most `x`: the regularised incomplete beta function.
    pub fn cdf(&self, x: f64) -> f64 {
        if x <= 0.0 || x.is_nan() {
            return 0.0;
        }
        if x >= 1.0 {
            return 1.0;
        }
        let (a, b) = (self.alpha, self.beta);
        let ln_front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
        // The fraction converges fast below the mean; above it the other tail is taken.
        if x < (a + 1.0) / (a + b + 2.0) {
            (ln_front.exp() * continued_fraction(a, b, x) / a).clamp(0.0, 1.0)
        } else {
            (1.0 - ln_front.exp() * continued_fraction(b, a, 1.0 - x) / b).clamp(0.0, 1.0)
        }
    }

    /// The rate below which a share `p`, 0 to 1, of the belief lies, by bisection: about 50 evaluations of
    /// [`cdf`](Self::cdf).
    pub fn quantile(&self, p: f64) -> f64 {
        if p.is_nan() || p <= 0.0 {
            return 0.0;
        }
        if p >= 1.0 {
            return 1.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        while high - low > 1e-14 * high {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.cdf(middle) < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }

    /// Draws a rate, from as many uniform 64-bit words as it takes (about five).
    pub fn sample(&self, next: &mut impl FnMut() -> u64) -> f64 {
        let mut spare = None;
        let x = gamma(self.alpha, &mut spare, next);
        let y = gamma(self.beta, &mut spare, next);
        if x + y > 0.0 { x / (x + y) } else { self.mean() }
    }
}

impl From<BetaPosterior> for (f64, f64) {
    fn from(posterior: BetaPosterior) -> Self {
        (posterior.alpha, posterior.beta)
    }
}

impl TryFrom<(f64, f64)> for BetaPosterior {
    type Error = Error;

    fn try_from((alpha, beta): (f64, f64)) -> Result<Self, Error> {
        Self::new(alpha, beta)
    }
}

/// Uniform on (0, 1): never 0, so that its logarithm is finite.
fn uniform(next: &mut impl FnMut() -> u64) -> f64 {
    ((next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// Standard normal (Marsaglia's polar method), which makes two at a time: the other waits in `spare`.
fn normal(spare: &mut Option<f64>, next: &mut impl FnMut() -> u64) -> f64 {
    if let Some(other) = spare.take() {
        return other;
    }
    loop {
        let (u, v) = (2.0 * uniform(next) - 1.0, 2.0 * uniform(next) - 1.0);
        let s = u * u + v * v;
        if s > 0.0 && s < 1.0 {
            let factor = (-2.0 * s.ln() / s).sqrt();
            *spare = Some(v * factor);
            return u * factor;
        }
    }
}

/// Gamma of `shape` and scale 1 (Marsaglia and Tsang 2000, "A Simple Method for Generating Gamma Variables").
fn gamma(shape: f64, spare: &mut Option<f64>, next: &mut impl FnMut() -> u64) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, spare, next) * uniform(next).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(spare, next);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 {
            let u = uniform(next);
            // The squeeze accepts nearly always, without a logarithm.
            if u < 1.0 - 0.0331 * x.powi(4) || u.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }
}

/// Logarithm of the gamma function for `x` above 0 (Lanczos' approximation, g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let x = x - 1.0;
    let sum = TERMS.iter().zip(1..).fold(0.999_999_999_999_809_9, |sum, (term, i)| sum + term / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    // The number of terms grows as the square root of the parameters.
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use proptest::prelude::*;

    use super::*;

    fn posterior(alpha: f64, beta: f64) -> BetaPosterior {
        BetaPosterior::new(alpha, beta).unwrap()
    }

    /// Expected: the binomial sums in exact integers, inverted by bisection in 50 digits; equal to scipy.stats.beta.ppf.
    #[test]
    fn intervals_are_those_of_the_reference() {
        let check = |alpha: f64, beta: f64, low: f64, high: f64| {
            let got = posterior(alpha, beta).credible_interval(0.95);
            assert!((got.0 - low).abs() < 1e-9 && (got.1 - high).abs() < 1e-9, "{alpha} {beta}: {got:?}");
        };
        check(1.0, 1.0, 0.025, 0.975);
        check(1.0, 5.0, 1.0 - 0.975_f64.powf(0.2), 1.0 - 0.025_f64.powf(0.2));
        check(10.0, 5.0, 0.418_964_742_816, 0.872_401_570_141);
        check(2.0, 8.0, 0.028_144_973_478, 0.482_496_514_917);
        check(51.0, 3.0, 0.870_241_618_337, 0.988_171_281_141);
        check(91.0, 11.0, 0.825_447_173_923, 0.944_362_776_165);
        check(200.0, 100.0, 0.612_404_787_973, 0.718_823_624_168);
    }

    #[test]
    fn trials_are_counted_and_forgotten() {
        let mut p = BetaPosterior::uniform();
        for i in 0..10 {
            p.observe(i != 0);
        }
        assert_eq!((p.alpha(), p.beta(), p.trials()), (10.0, 2.0, 10.0));
        assert!((p.mean() - 10.0 / 12.0).abs() < 1e-12);
        p.discount(0.5);
        assert_eq!((p.alpha(), p.beta()), (5.5, 1.5));
        p.discount(0.0);
        assert_eq!(p, BetaPosterior::uniform());
        assert!(BetaPosterior::new(0.0, 1.0).is_err() && BetaPosterior::new(1.0, f64::NAN).is_err());
        assert!(serde_json::from_str::<BetaPosterior>("[1.0,-3.0]").is_err());
    }

    #[test]
    fn draws_have_the_mean_and_the_spread_of_the_belief() {
        for (alpha, beta) in [(1.0, 1.0), (0.4, 0.7), (2.0, 30.0), (500.0, 20.0)] {
            let p = posterior(alpha, beta);
            let mut rng = SeededRng::seed_from_u64(5);
            let mut next = || rng.next_u64();
            let draws: Vec<f64> = (0..40_000).map(|_| p.sample(&mut next)).collect();
            let mean = draws.iter().sum::<f64>() / 40_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
            let sum = alpha + beta;
            let expected = alpha * beta / (sum * sum * (sum + 1.0));
            assert!((mean - p.mean()).abs() < 4.0 * (expected / 40_000.0).sqrt(), "{alpha} {beta}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{alpha} {beta}: {variance} {expected}");
        }
    }

    proptest! {
        /// A quantile is where the distribution reaches its share, and the two tails add up.
        #[test]
        fn quantiles_invert(alpha in 0.1..2000.0_f64, beta in 0.1..2000.0_f64, p in 0.001..0.999_f64) {
            let q = posterior(alpha, beta).quantile(p);
            prop_assert!((posterior(alpha, beta).cdf(q) - p).abs() < 1e-6);
            prop_assert!((posterior(beta, alpha).cdf(1.0 - q) - (1.0 - p)).abs() < 1e-6);
        }
    }
}
