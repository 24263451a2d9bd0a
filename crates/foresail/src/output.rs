//! What is printed and written: aligned tables, JSON documents, files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// Standard output, whose reader may go away (`foresail … | head`): what is written after that is dropped, and no failure.
struct Output(io::Stdout);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

/// Prints lines to standard output.
///
/// # Errors
/// Whatever the system says.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = BufWriter::new(Output(io::stdout()));
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Says something beside the result, on standard error.
pub(crate) fn note(text: &str) {
    // A closed standard error is no reason to stop working.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints `document` as JSON.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(document)?)
}

/// Opens `path` for writing; `-` is standard output.
///
/// # Errors
/// If it cannot be created, with its name.
pub(crate) fn create(path: &Path) -> anyhow::Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufWriter::new(Output(io::stdout()))));
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Writes a whole file.
///
/// # Errors
/// If it cannot be written, with its name.
pub(crate) fn write_file(path: &Path, content: &str) -> anyhow::Result<()> {
    let mut out = create(path)?;
    out.write_all(content.as_bytes())
        .and_then(|()| out.flush())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A table for the terminal: the first column to the left, the others to the right.
#[derive(Clone, Debug)]
pub(crate) struct TextTable {
    rows: Vec<Vec<String>>,
    left: usize,
}

impl TextTable {
    /// With these headings; the first column is text.
    pub(crate) fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![columns.into_iter().map(Into::into).collect()], left: 1 }
    }

    /// With text in the first `columns` columns.
    pub(crate) fn text_columns(mut self, columns: usize) -> Self {
        self.left = columns;
        self
    }

    /// Adds a row.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The lines, each ended.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |c: usize| self.rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (c, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[c] - cell.chars().count());
                if c > 0 {
                    line.push_str("  ");
                }
                let left = c < self.left;
                line.push_str(if left { "" } else { &pad });
                line.push_str(cell);
                line.push_str(if left { &pad } else { "" });
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// A number to `digits` digits after the point, or a dash where there is none.
pub(crate) fn cell(value: Option<f64>, digits: usize) -> String {
    value.filter(|v| v.is_finite()).map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = TextTable::new(["policy", "late %"]);
        table.row(["hpa@0.7", "0.081"]);
        table.row(["größer", "10.5"]);
        assert_eq!(table.render(), "policy   late %\nhpa@0.7   0.081\ngrößer     10.5\n");
        assert_eq!(cell(Some(f64::NAN), 2), "–");
    }
}
