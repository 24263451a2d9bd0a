//! `foresail demo` from outside.

use crate::run::{Place, is_filled};

#[test]
fn the_demo_leaves_a_load_a_journal_and_a_report() {
    let place = Place::new();
    let out = place.ok("demo --offline --quick --output d");
    for name in ["d/load.csv", "d/load.truth.json", "d/journal.jsonl", "d/decisions.csv", "d/report.html"] {
        assert!(is_filled(&place.path(name)), "{name}");
    }
    for word in ["foresail", "hpa", "keda", "oracle", "report.html"] {
        assert!(out.contains(word), "{word} is not in\n{out}");
    }
    // The command that it offers works.
    let offered = out.lines().find_map(|l| l.split_once("foresail explain ")).expect("an explanation is offered").1;
    assert!(place.ok(&format!("explain {offered}")).starts_with("Decision "));
    // A second demo begins anew.
    place.ok("demo --offline --quick --output d");
}

#[test]
fn the_report_asks_for_nothing_and_holds_every_chart() {
    let place = Place::new();
    place.ok("demo --offline --quick --output d");
    let page = place.read("d/report.html");
    assert_eq!(page.matches("plotly.js v").count(), 1);
    assert!(page.contains("Content-Security-Policy"));
    for heading in ["Scorecard", "Decisions", "Models", "Forecasts and what came", "Elasticity"] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert_eq!(page.matches("class=\"chart\"").count(), 3);
}
