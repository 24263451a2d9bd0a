//! Figures that others published of the same sets, printed beside ours and labelled as such. They are those of the tables in
//! the repository of GIFT-Eval (`results/*/all_results.csv`, short term, 2026-08), where a figure is not stated there none.

/// A row of those tables.
pub(crate) struct Published {
    /// The model, as the tables call it.
    pub(crate) model: &'static str,
    /// `MASE[0.5]` and `mean_weighted_sum_quantile_loss`, in the order of [`SETS`](super::SETS).
    pub(crate) sets: [(Option<f64>, Option<f64>); 5],
}

/// The baseline, the closed-form opponent that runs beside us, and two pretrained networks for scale.
pub(crate) const PUBLISHED: [Published; 4] = [
    Published {
        model: "Seasonal naive",
        sets: [
            (Some(1.193_21), Some(0.037_573)),
            (Some(0.977_32), Some(0.240_368)),
            (Some(2.242), None),
            (Some(0.986_02), Some(0.262_068)),
            (Some(1.214_06), Some(0.521_168)),
        ],
    },
    Published {
        model: "FLAIR",
        sets: [
            (Some(1.814_33), Some(0.034_160)),
            (Some(0.942_93), Some(0.203_954)),
            (Some(2.275_12), Some(0.024_594)),
            (Some(0.414_34), Some(0.115_239)),
            (Some(0.540_25), Some(0.226_547)),
        ],
    },
    Published {
        model: "Toto-2.0-4m",
        sets: [
            (Some(1.061_75), Some(0.026_575)),
            (Some(0.848_59), Some(0.186_857)),
            (Some(1.094_62), Some(0.010_276)),
            (Some(0.253_44), Some(0.068_801)),
            (Some(0.448_54), Some(0.194_649)),
        ],
    },
    Published {
        model: "TiRex",
        sets: [
            (Some(0.722_17), Some(0.020_157)),
            (Some(0.816_76), Some(0.176_046)),
            (Some(1.205), None),
            (Some(0.279_40), Some(0.075_787)),
            (Some(0.494_05), Some(0.211_870)),
        ],
    },
];
