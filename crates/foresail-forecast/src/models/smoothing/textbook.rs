//! Series of Hyndman & Athanasopoulos, *Forecasting: Principles and Practice*, 2nd edition, chapter 7.

/// Annual oil production of Saudi Arabia, 1996-2013, in millions of tonnes (figure 7.1).
pub(super) const OIL: [f64; 18] = [
    445.3641, 453.1950, 454.4096, 422.3789, 456.0371, 440.3866, 425.1944, 486.2052, 500.4291, 521.2759, 508.9476,
    488.8889, 509.8706, 456.7229, 473.8166, 525.9509, 549.8338, 542.3405,
];

/// Air passengers of Australia a year, 1990-2016, in millions (table 7.2).
pub(super) const AIR: [f64; 27] = [
    17.5534, 21.8601, 23.8866, 26.9293, 26.8885, 28.8314, 30.0751, 30.9535, 30.1857, 31.5797, 32.5776, 33.4774,
    39.0216, 41.3864, 41.5966, 44.6573, 46.9518, 48.7288, 51.4884, 50.0270, 60.6409, 63.3603, 66.3553, 68.1979,
    68.1232, 69.7793, 72.5977,
];
