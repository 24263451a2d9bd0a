//! The demo in words and as a page: forecasts first, then what they are worth.

use foresail_core::Frame;
use foresail_forecast::backtest::BacktestResult;
use foresail_server::report::{Report, render as page};

use super::{backtest, simulate};
use crate::commands::simulate::Outcome;
use crate::output::{TextTable, cell};

/// What is printed: the models in a line each, then the scorecard.
pub(crate) fn text(outcome: &Outcome<'_>, result: &BacktestResult) -> String {
    let mut table = TextTable::new(["forecast by", "MASE", "WAPE", "90 % covers"]);
    for model in &result.models {
        let m = &model.overall;
        table.row([model.name.clone(), cell(m.mase, 3), cell(m.wape, 4), cell(m.coverage.map(|c| c.covered), 3)]);
    }
    format!(
        "Forecasting: {} windows of one hour ahead at five-minute steps.\n\n{}\nScaling: every policy over the last days.\n\n{}",
        result.windows.len(),
        table.render(),
        simulate::text(outcome)
    )
}

/// The page: everything on one.
pub(crate) fn render(outcome: &Outcome<'_>, frame: &Frame, result: &BacktestResult) -> String {
    let mut report = Report::new("What Foresail would have saved");
    for sentence in simulate::findings(outcome) {
        report = report.finding(sentence);
    }
    if let Some(sentence) = backtest::best(result) {
        report = report.finding(sentence);
    }
    report = report.section(simulate::scorecard(outcome)).section(simulate::decisions(outcome));
    if let Some((sweep, verdict)) = &outcome.study.sweep {
        report = report.section(simulate::costs(outcome, sweep, verdict));
    }
    report = report
        .section(backtest::comparison(result))
        .section(backtest::fans(frame, result))
        .section(simulate::elasticity(outcome));
    for (name, value) in simulate::facts(outcome) {
        report = report.fact(name, value);
    }
    page(&report)
}
