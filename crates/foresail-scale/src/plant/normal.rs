//! The normal distribution, as fast as the plant needs it.

use std::f64::consts::FRAC_1_SQRT_2;

/// Density.
pub(crate) fn pdf(x: f64) -> f64 {
    0.398_942_280_401_432_7 * (-0.5 * x * x).exp()
}

/// Distribution function, to a relative error of 1.2e-7 in the lower tail.
pub(crate) fn cdf(x: f64) -> f64 {
    let tail = scaled_tail(x.abs()) * (-0.5 * x * x).exp();
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// `exp(x²/2) · Φ(−x)` for `x >= 0`, where both factors may be out of range alone. Chebyshev fit of the complementary
/// error function (Press et al., Numerical Recipes, 2nd edition, §6.2).
pub(crate) fn scaled_tail(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.5 * FRAC_1_SQRT_2 * x);
    let fit = -1.265_512_23
        + t * (1.000_023_68
            + t * (0.374_091_96
                + t * (0.096_784_18
                    + t * (-0.186_288_06
                        + t * (0.278_868_07
                            + t * (-1.135_203_98 + t * (1.488_515_87 + t * (-0.822_152_23 + t * 0.170_872_77))))))));
    0.5 * t * fit.exp()
}

/// Integral of the distribution function up to `x`.
pub(crate) fn cdf_integral(x: f64) -> f64 {
    x * cdf(x) + pdf(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden values from the error function to 15 digits.
    #[test]
    fn agrees_with_tables() {
        for (x, expected) in [
            (-6.0, 9.865_876_450_376_98e-10),
            (-2.0, 0.022_750_131_948_179_2),
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
        ] {
            assert!((cdf(x) / expected - 1.0).abs() < 2e-7, "{x} {}", cdf(x));
        }
        assert!((cdf_integral(0.0) - 0.398_942_28).abs() < 1e-7);
        assert!((scaled_tail(30.0) - 0.013_283_354).abs() < 1e-8);
    }
}
