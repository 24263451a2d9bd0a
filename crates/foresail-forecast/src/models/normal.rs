//! The normal distribution.

/// The quantile of the standard normal distribution at `level`, within (0, 1); infinite at its ends. P. J. Acklam's rational
/// approximation (*An algorithm for computing the inverse normal cumulative distribution function*, 2003): its relative
/// error is below 1.2e-9.
pub(crate) fn normal_quantile(level: f64) -> f64 {
    const CENTRE: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const UNDER_CENTRE: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const TAIL: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const UNDER_TAIL: [f64; 5] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    /// Below this level and above one less it, the tail's approximation holds.
    const LOW: f64 = 0.024_25;
    if level <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if level >= 1.0 {
        return f64::INFINITY;
    }
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |share: f64| {
        let q = (-2.0 * share.ln()).sqrt();
        polynomial(&TAIL, q) / polynomial(&UNDER_TAIL, q)
    };
    if level < LOW {
        tail(level)
    } else if level > 1.0 - LOW {
        -tail(1.0 - level)
    } else {
        let q = level - 0.5;
        polynomial(&CENTRE, q * q) * q / polynomial(&UNDER_CENTRE, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let check = |level: f64, expected: f64| {
            let got = normal_quantile(level);
            assert!((got - expected).abs() < 1e-8 * expected.abs().max(1.0), "{level}: {got}");
            assert!((normal_quantile(1.0 - level) + expected).abs() < 1e-8 * expected.abs().max(1.0), "{level}");
        };
        check(0.5, 0.0);
        check(0.9, 1.281_551_565_544_600_5);
        check(0.975, 1.959_963_984_540_054);
        check(0.99, 2.326_347_874_040_841);
        check(0.999, 3.090_232_306_167_813_5);
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
