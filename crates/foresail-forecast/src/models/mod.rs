//! The forecasting models, one a file. [`registry`](crate::registry) builds them by name.
//!
//! A model file holds its parameters (a [`Forecaster`]) and its learned state, which knows nothing of
//! gaps in time, saving or broken numbers: `live.rs` sees to those for all. Announced events are not applied here: a
//! model forecasts the load as it would be without them, and who knows of an event multiplies the forecast once.

mod arima;
mod boosting;
pub(crate) mod calendar_features;
mod cholesky;
pub(crate) mod clock;
#[cfg(test)]
mod contract;
mod direct;
mod ets;
pub(crate) mod gaps;
mod global;
mod holt_winters;
mod last_value;
mod level_shape;
mod linear_trend;
mod live;
mod normal;
mod pattern;
mod profile;
mod prophet;
mod random_forest;
mod ridge;
mod season;
mod seasonal_naive;
mod seed_ensemble;
mod smoothing;
mod stl;
mod theta;

pub use arima::{Arima, ArimaForm, ArimaSummary};
pub use boosting::Boosting;
pub use ets::{Ets, EtsFit};
pub use global::{GlobalForecaster, GlobalModel};
pub use holt_winters::HoltWinters;
pub use last_value::LastValue;
pub use level_shape::LevelShape;
pub use linear_trend::LinearTrend;
pub use pattern::Pattern;
pub use prophet::{Cycle, Growth, Mode, MonthDay, Prophet, ProphetOptions, Regressor, Seasonality, Terms, Window};
pub use random_forest::RandomForest;
pub use ridge::Ridge;
pub use seasonal_naive::SeasonalNaive;
pub use seed_ensemble::SeedEnsemble;
pub use stl::{Components, Decomposition, Mstl, OnlineStl, StreamingStl, decompose};
pub use theta::{Theta, ThetaForm};

use crate::registry::ModelOptions;
use crate::{Error, Fitted, Forecaster, Snapshot};
use live::{Live, Model};

/// One line of the registry.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) build: fn(&ModelOptions) -> Box<dyn Forecaster>,
    pub(crate) restore: fn(Snapshot) -> Result<Box<dyn Fitted>, Error>,
}

/// The line of the model whose state is `M`.
const fn entry<M: Model>(build: fn(&ModelOptions) -> Box<dyn Forecaster>) -> Entry {
    Entry { name: M::NAME, build, restore: Live::<M>::restore }
}

/// Every model of this folder, cheapest first.
pub(crate) const MODELS: &[Entry] = &[
    entry::<last_value::State>(|_| Box::new(LastValue)),
    entry::<seasonal_naive::State>(|options| Box::new(SeasonalNaive::new(&options.seasons))),
    entry::<linear_trend::State>(|_| Box::new(LinearTrend::new())),
    entry::<pattern::State>(|options| Box::new(Pattern::new(&options.seasons))),
    entry::<level_shape::State>(|options| Box::new(LevelShape::new(&options.seasons))),
    entry::<holt_winters::State>(|options| Box::new(HoltWinters::new(&options.seasons))),
    entry::<ets::State>(|options| Box::new(Ets::new(&options.seasons).with_horizon(options.horizon))),
    entry::<stl::OnlineState>(|options| Box::new(OnlineStl::new(&options.seasons))),
    entry::<stl::State>(|options| Box::new(Mstl::new(&options.seasons, options.horizon))),
    entry::<theta::State<theta::Standard>>(|options| Box::new(Theta::new(ThetaForm::Standard, &options.seasons))),
    entry::<theta::State<theta::Optimized>>(|options| Box::new(Theta::new(ThetaForm::Optimized, &options.seasons))),
    entry::<theta::State<theta::Dynamic>>(|options| Box::new(Theta::new(ThetaForm::Dynamic, &options.seasons))),
    entry::<theta::State<theta::DynamicOptimized>>(|options| {
        Box::new(Theta::new(ThetaForm::DynamicOptimized, &options.seasons))
    }),
    entry::<theta::State<theta::Auto>>(|options| Box::new(Theta::new(ThetaForm::Auto, &options.seasons))),
    entry::<prophet::State>(|options| Box::new(Prophet::with_seasons(&options.seasons))),
    entry::<arima::State>(|options| Box::new(Arima::automatic(&options.seasons))),
    entry::<ridge::State>(|options| Box::new(Ridge::new(&options.seasons, options.columns.clone()))),
    entry::<seed_ensemble::State>(|options| Box::new(SeedEnsemble::new(&options.seasons))),
    entry::<random_forest::State>(|options| Box::new(RandomForest::new(&options.seasons, options.columns.clone()))),
    entry::<global::State>(|options| Box::new(Boosting::new(&options.seasons, options.horizon))),
];
