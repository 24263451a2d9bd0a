//! Calls the program in a folder of its own, and writes inputs for it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder to work in.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a call came to.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file in a temporary folder");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Runs the program; words are separated by spaces.
    pub(crate) fn call(&self, words: &str) -> Outcome {
        self.call_with(words, "")
    }

    /// Runs the program with something on standard input.
    pub(crate) fn call_with(&self, words: &str, stdin: &str) -> Outcome {
        let mut child = Command::new(env!("CARGO_BIN_EXE_foresail"))
            .args(words.split_whitespace())
            .current_dir(self.folder.path())
            .env("COLUMNS", "100")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // A program that refuses its arguments does not read its input.
        let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("the program ends");
        Outcome {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Runs the program, which must succeed, and gives what it printed.
    pub(crate) fn ok(&self, words: &str) -> String {
        let outcome = self.call(words);
        assert_eq!(outcome.code, Some(0), "foresail {words}\n{}", outcome.err);
        outcome.out
    }

    /// Runs the program, which must succeed, and reads the JSON it printed.
    pub(crate) fn json(&self, words: &str) -> serde_json::Value {
        serde_json::from_str(&self.ok(words)).expect("a JSON document")
    }

    /// Runs the program, which must fail with this code, and gives its one line of error.
    pub(crate) fn fails(&self, code: i32, words: &str) -> String {
        let outcome = self.call(words);
        assert_eq!(outcome.code, Some(code), "foresail {words}\n{}{}", outcome.out, outcome.err);
        assert!(outcome.err.starts_with("error: "), "{}", outcome.err);
        outcome.err.lines().next().unwrap_or_default().to_owned()
    }
}

/// Minutes of a daily wave with a faster one on it and some noise, in the form that every reader knows.
pub(crate) fn wave(minutes: usize) -> String {
    let mut text = String::from("timestamp,requests\n");
    let mut noise = 12_345_u64;
    for minute in 0..minutes {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let phase = std::f64::consts::TAU * minute as f64 / 1_440.0;
        let jitter = (noise >> 40) as f64 / (1_u64 << 24) as f64;
        let value = 30_000.0 - 18_000.0 * phase.cos() + 2_500.0 * (24.0 * phase).sin() + 3_000.0 * jitter;
        let time = foresail_core::Timestamp::from_secs(1_772_323_200 + 60 * minute as i64);
        let _ = writeln!(text, "{time},{value:.0}");
    }
    text
}

/// The cells of a CSV file, header apart.
pub(crate) fn cells(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap_or_default(), lines.collect())
}

/// Whether a file is there and holds something.
pub(crate) fn is_filled(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.len() > 0)
}
