//! `foresail features` from outside.

use crate::run::{Place, cells, is_filled, wave};

#[test]
fn a_matrix_has_72_features_a_row_and_its_schema_beside() {
    let place = Place::new();
    place.write("load.csv", &wave(200));
    place.ok("features load.csv --value requests --output m.csv --schema s.json");
    let (header, rows) = cells(&place.read("m.csv"));
    assert_eq!((header.len(), rows.len()), (73, 200));
    assert!(place.read("s.json").contains("\"hash\""));
    let document = place.json("features load.csv --value requests --output m.parquet --json");
    assert_eq!((&document["rows"], &document["features"]), (&200.into(), &72.into()));
    assert!(is_filled(&place.path("m.parquet")));
}

#[test]
fn every_feature_is_described() {
    let place = Place::new();
    assert_eq!(place.ok("features --describe").lines().count(), 73);
    assert_eq!(place.json("features --describe --json").as_array().map(Vec::len), Some(72));
}

/// Cutting the end off changes no earlier feature.
#[test]
fn features_do_not_see_the_future() {
    let place = Place::new();
    let text = wave(300);
    let part: Vec<&str> = text.lines().take(151).collect();
    place.write("whole.csv", &text);
    place.write("part.csv", &part.join("\n"));
    let whole = place.ok("features whole.csv --value requests");
    let start = place.ok("features part.csv --value requests");
    assert!(whole.starts_with(&start));
}
