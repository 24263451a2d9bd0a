//! The direction of dependencies: imports point down the layers only, and capabilities never import one another.

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The layers of the workspace, from the foundation up, and what each crate may import of its own layer.
const LAYERS: [(&str, &[&str]); 6] = [
    ("foundation", &["foresail-core"]),
    ("learners", &["foresail-learn", "foresail-forecast", "foresail-neural"]),
    (
        "capabilities",
        &[
            "foresail-scale",
            "foresail-route",
            "foresail-cache",
            "foresail-guard",
            "foresail-watch",
            "foresail-place",
            "foresail-stream",
            "foresail-federate",
            "foresail-tune",
        ],
    ),
    (
        "edges",
        &[
            "foresail-http",
            "foresail-store",
            "foresail-ingest",
            "foresail-actuate",
            "foresail-proxy",
            "foresail-server",
        ],
    ),
    ("workshop", &["foresail-sim"]),
    ("binary", &["foresail"]),
];

/// Imports within a layer that are meant.
const SIDEWAYS: [(&str, &str); 6] = [
    ("foresail-forecast", "foresail-learn"),
    ("foresail-neural", "foresail-learn"),
    ("foresail-neural", "foresail-forecast"),
    ("foresail-ingest", "foresail-http"),
    ("foresail-actuate", "foresail-http"),
    ("foresail-proxy", "foresail-http"),
];

/// What only one crate may know, because it is heavy or because it touches the world.
const CONFINED: [(&str, &[&str]); 6] = [
    ("rusqlite", &["foresail-store"]),
    ("plotly", &["foresail-server"]),
    ("parquet", &["foresail-store", "foresail-ingest"]),
    ("clap", &["foresail"]),
    ("indicatif", &["foresail"]),
    ("anyhow", &["foresail"]),
];

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, crates)| crates.contains(&name))
}

/// What is wrong with `from` importing `to`, if anything.
fn fault(from: &str, to: &str) -> Option<String> {
    let (Some(below), Some(above)) = (layer(to), layer(from)) else {
        return Some(format!("{from} -> {to}: a crate without a layer; add it to LAYERS in this test"));
    };
    if below > above {
        return Some(format!("{from} -> {to}: {} may not import {}", LAYERS[above].0, LAYERS[below].0));
    }
    if below == above && !SIDEWAYS.contains(&(from, to)) {
        return Some(format!("{from} -> {to}: {} may not import one another", LAYERS[above].0));
    }
    None
}

#[test]
fn imports_point_down_only() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata works in a checkout");
    let ours: Vec<&str> = metadata.packages.iter().map(|p| p.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let to = dependency.name.as_str();
            if ours.contains(&to) {
                faults.extend(fault(name, to));
            }
            if let Some((_, allowed)) = CONFINED.iter().find(|(confined, _)| *confined == to)
                && !allowed.contains(&name)
            {
                faults.push(format!("{name} -> {to}: only {} may know it", allowed.join(" and ")));
            }
        }
        if layer(name).is_none() {
            faults.push(format!("{name}: a crate without a layer; add it to LAYERS in this test"));
        }
    }
    assert!(faults.is_empty(), "wrong arrows:\n{}", faults.join("\n"));
}

#[test]
fn wrong_arrows_are_named() {
    for (from, to, wrong) in [
        ("foresail-core", "foresail-scale", true),
        ("foresail-scale", "foresail-route", true),
        ("foresail-store", "foresail-sim", true),
        ("foresail-learn", "foresail-forecast", true),
        ("foresail-forecast", "foresail-learn", false),
        ("foresail-sim", "foresail-scale", false),
        ("foresail", "foresail-server", false),
        ("foresail-new", "foresail-core", true),
    ] {
        let said = fault(from, to);
        assert_eq!(said.is_some(), wrong, "{from} -> {to}: {said:?}");
        assert!(said.is_none_or(|s| s.contains(from) && s.contains(to)));
    }
}
