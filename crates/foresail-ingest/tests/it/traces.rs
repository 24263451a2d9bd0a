//! The real traces, with no options but the value column, against what their notes say of them.

use std::path::{Path, PathBuf};

use foresail_ingest::{Ingested, Preset, ReadOptions, read};

use crate::values;

fn traces(folder: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces")).join(folder);
    if !path.is_dir() {
        println!("skipped: no traces in {}", path.display());
        return None;
    }
    Some(path)
}

fn read_trace(path: &Path, options: &ReadOptions) -> Ingested {
    read(path, options).unwrap_or_else(|e| panic!("{e}"))
}

/// Files below `folder` with this ending, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn load() {
    let Some(folder) = traces("load") else { return };
    for (file, column, rows, gaps, step_s) in [
        ("worldcup98.csv.gz", "requests", 125_300, Some(7), 60.0),
        ("nasa95.csv.gz", "requests", 84_332, None, 60.0),
        ("alibaba2018.csv.gz", "cpu_util_percent", 22_415, None, 30.0),
        ("azure_vm_v2.csv.gz", "cpu_usage", 8_640, Some(0), 300.0),
    ] {
        let got = read_trace(&folder.join(file), &values(&[column]));
        let q = &got.quality;
        println!("{q}");
        assert_eq!((q.rows_read, q.step_s), (rows, step_s), "{file}");
        assert_eq!(q.grid_rows - q.missing_rows, rows - q.duplicates, "{file}");
        assert!(gaps.is_none_or(|g| g == q.gaps), "{file}: {} gaps", q.gaps);
        assert_eq!(q.off_grid + q.disordered + q.duplicates + q.columns[0].negative, 0, "{file}");
    }
    let crane = files(&folder.join("crane"), ".csv.gz");
    assert!(!crane.is_empty());
    for file in crane {
        let q = read_trace(&file, &values(&["value"])).quality;
        assert_eq!((q.rows_read, q.grid_rows, q.step_s), (23_040, 23_040, 60.0), "{}", q.file);
        assert_eq!((q.time_form.as_str(), q.is_clean()), ("epoch s", true), "{}", q.file);
    }
}

#[test]
fn nab() {
    let Some(folder) = traces("nab") else { return };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut total = 0;
    for line in manifest.lines().skip(1) {
        let [file, rows, ..] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let path = folder.join("data").join(file);
        let q = read_trace(&path, &values(&["value"])).quality;
        println!("{q}");
        assert_eq!(q.rows_read.to_string(), rows, "{file}");
        assert_eq!(q.grid_rows - q.missing_rows, q.rows_read - q.duplicates - q.merged, "{file}");
        assert_eq!(read_trace(&path, &Preset::Nab.options()).quality, q, "{file}");
        total += q.rows_read;
    }
    assert_eq!(total, 194_150);
}

#[test]
fn forecast() {
    let Some(folder) = traces("forecast") else { return };
    for (file, column, rows, step_s) in [
        ("etth1.csv.gz", "OT", 17_420, 3_600.0),
        ("bizitobs_application.csv.gz", "Robot-Shop:latency.mean", 8_834, 10.0),
        ("bizitobs_l2c.csv.gz", "activity_Create order", 31_968, 300.0),
    ] {
        let q = read_trace(&folder.join(file), &values(&[column])).quality;
        println!("{q}");
        assert_eq!((q.rows_read, q.step_s), (rows, step_s), "{file}");
        // And with no options at all, every numeric column.
        assert!(read_trace(&folder.join(file), &ReadOptions::default()).frame.columns().len() > 5, "{file}");
    }
}
