//! Windows handed to other libraries, and what those made of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use foresail_core::Frame;
use foresail_forecast::suite::{Dataset, LEVELS, Predictions, Quantiles};
use serde::{Deserialize, Serialize};

use crate::output::write_file;

/// A set as peers read it.
#[derive(Serialize)]
struct Export<'a> {
    set: &'a str,
    horizon: usize,
    season: usize,
    windows: usize,
    step_s: f64,
    levels: &'a [f64],
    series: Vec<ExportedSeries<'a>>,
}

/// The rows of a series; its last `windows × horizon` are forecast.
#[derive(Serialize)]
struct ExportedSeries<'a> {
    name: &'a str,
    values: Vec<Option<f64>>,
}

/// Writes each set to `folder` as JSON, for other libraries to forecast the same windows.
///
/// # Errors
/// If the folder or a file cannot be written.
pub(crate) fn export(folder: &Path, sets: &[Dataset]) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot write {}", folder.display()))?;
    let write = |set: &Dataset| {
        let path = folder.join(format!("{}.json", set.name().replace('/', "_")));
        let values = |frame: &Frame| (0..frame.len()).map(|row| frame.target_column().get(row)).collect();
        let document = Export {
            set: set.name(),
            horizon: set.horizon(),
            season: set.season(),
            windows: set.windows(),
            step_s: set.series()[0].1.step().as_secs_f64(),
            levels: &LEVELS,
            series: set.series().iter().map(|(name, frame)| ExportedSeries { name, values: values(frame) }).collect(),
        };
        write_file(&path, &serde_json::to_string(&document)?)?;
        Ok(path)
    };
    sets.iter().map(write).collect()
}

/// A peer's forecasts, as its script writes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// Its name.
    pub(crate) model: String,
    /// Library and version.
    pub(crate) library: String,
    /// How it was set up, where that matters.
    pub(crate) note: String,
    /// By the name of the set.
    pub(crate) sets: BTreeMap<String, PeerSet>,
}

/// A peer's forecasts of one set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerSet {
    /// CPU time of fits and forecasts.
    pub(crate) cpu_s: f64,
    /// Windows on which it gave way to the seasonal naive forecast.
    pub(crate) fallbacks: usize,
    /// Quantiles by window (series by series, the oldest first), then step; none for a window that was left out.
    pub(crate) quantiles: Vec<Option<Vec<Quantiles>>>,
}

impl PeerSet {
    /// The forecasts of all windows; none if one was left out.
    pub(crate) fn all(&self) -> Option<Predictions> {
        self.quantiles.iter().cloned().collect()
    }
}

impl Peer {
    /// Reads `paths`, files or folders of them, checks that they forecast the windows of `sets`, and joins what is of one
    /// model.
    ///
    /// # Errors
    /// If one cannot be read, or its forecasts are not those of the sets, with the first that is wrong.
    pub(crate) fn read_all(paths: &[PathBuf], sets: &[Dataset]) -> anyhow::Result<Vec<Self>> {
        let mut peers: Vec<Self> = Vec::new();
        for path in paths {
            for file in files(path)? {
                let found = Self::read(&file, sets)?;
                match peers.iter_mut().find(|peer| peer.model == found.model) {
                    Some(peer) => peer.sets.extend(found.sets),
                    None => peers.push(found),
                }
            }
        }
        Ok(peers)
    }

    fn read(path: &Path, sets: &[Dataset]) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let peer: Self = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        for (name, found) in &peer.sets {
            let Some(set) = sets.iter().find(|set| set.name() == name) else { continue };
            let expected = set.places().count();
            anyhow::ensure!(
                found.quantiles.len() == expected,
                "{}: field sets.{name}.quantiles holds {} windows; expected {expected}",
                path.display(),
                found.quantiles.len()
            );
            for (window, steps) in found.quantiles.iter().enumerate() {
                let steps = steps.as_ref().map_or(set.horizon(), Vec::len);
                anyhow::ensure!(
                    steps == set.horizon(),
                    "{}: field sets.{name}.quantiles[{window}] holds {steps} steps; expected {}",
                    path.display(),
                    set.horizon()
                );
            }
        }
        Ok(peer)
    }
}

/// The file itself, or the `.json` files of a folder by name.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use foresail_forecast::suite::textbook_naive;

    use super::*;

    fn set() -> Dataset {
        let frame = Frame::from_values((0..40).map(f64::from));
        Dataset::new("a/H", vec![("s".into(), frame)], 2, 3).expect("a set")
    }

    fn document(model: &str, quantiles: &[Option<Vec<Quantiles>>]) -> String {
        let sets = serde_json::json!({ "a/H": { "cpu_s": 1.5, "fallbacks": 0, "quantiles": quantiles } });
        serde_json::json!({ "model": model, "library": "none 1", "note": "", "sets": sets }).to_string()
    }

    #[test]
    fn windows_go_out_and_forecasts_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let set = set();
        let written = export(&folder.path().join("windows"), std::slice::from_ref(&set)).expect("written");
        let text = std::fs::read_to_string(&written[0]).expect("a file");
        let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((found["windows"].as_u64(), found["series"][0]["values"][39].as_f64()), (Some(2), Some(39.0)));

        let mut naive: Vec<_> = textbook_naive(&set).into_iter().map(Some).collect();
        naive[1] = None;
        let path = folder.path().join("naive.json");
        std::fs::write(&path, document("naive", &naive)).expect("written");
        let peers = Peer::read_all(&[folder.path().to_owned()], std::slice::from_ref(&set)).expect("a peer");
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].sets["a/H"].quantiles, naive);

        std::fs::write(&path, document("naive", &naive[1..])).expect("written");
        let said = Peer::read_all(&[path], std::slice::from_ref(&set)).expect_err("a window is missing").to_string();
        assert!(said.ends_with("naive.json: field sets.a/H.quantiles holds 1 windows; expected 2"), "{said}");
    }
}
