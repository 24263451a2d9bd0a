//! A table of text, with numbers aligned right.

use std::fmt::Write;

use super::page::escape;

/// Letters from which on a cell is a sentence.
const LONG: usize = 48;

/// A table. Columns whose cells are all numbers are aligned right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<(Vec<String>, bool)>,
}

impl Table {
    /// A table with a caption and a name for each column.
    pub fn new<S: Into<String>>(caption: impl Into<String>, columns: impl IntoIterator<Item = S>) -> Self {
        Self { caption: caption.into(), columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, surplus ones are dropped.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.push(cells.into_iter().map(Into::into).collect(), false);
    }

    /// Adds a row that stands out.
    pub fn highlighted_row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.push(cells.into_iter().map(Into::into).collect(), true);
    }

    fn push(&mut self, mut cells: Vec<String>, highlight: bool) {
        cells.resize(self.columns.len(), String::new());
        self.rows.push((cells, highlight));
    }

    /// Rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its first `shown` rows, and the rest behind a fold.
    pub(super) fn folded_html(&self, shown: usize) -> String {
        if self.rows.len() <= shown {
            return self.html();
        }
        let part = |rows: &[(Vec<String>, bool)], caption: String| Self {
            caption,
            columns: self.columns.clone(),
            rows: rows.to_vec(),
        };
        let rest = part(&self.rows[shown..], format!("{} (continued)", self.caption));
        format!(
            "{}<details><summary>{} more rows</summary>{}</details>",
            part(&self.rows[..shown], self.caption.clone()).html(),
            rest.len(),
            rest.html()
        )
    }

    pub(super) fn html(&self) -> String {
        let numeric: Vec<bool> = (0..self.columns.len())
            .map(|c| !self.rows.is_empty() && self.rows.iter().all(|(cells, _)| is_number(&cells[c])))
            .collect();
        let class = |column: usize| if numeric[column] { " class=\"n\"" } else { "" };
        // On a phone, a last column of sentences goes under its row.
        let prose = self.rows.iter().any(|(cells, _)| cells.last().is_some_and(|c| c.chars().count() > LONG));
        let class_of_all = if prose { " class=\"prose\"" } else { "" };
        let mut html = format!("<div class=\"table\" tabindex=\"0\"><table{class_of_all}>");
        let _ = write!(html, "<caption>{}</caption><thead><tr>", escape(&self.caption));
        for (c, name) in self.columns.iter().enumerate() {
            let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(c), escape(name));
        }
        html.push_str("</tr></thead><tbody>");
        for (cells, highlight) in &self.rows {
            html.push_str(if *highlight { "<tr class=\"ours\">" } else { "<tr>" });
            for (c, cell) in cells.iter().enumerate() {
                let tag = if c == 0 { "th scope=\"row\"" } else { "td" };
                let _ = write!(html, "<{tag}{}>{}</{}>", class(c), escape(cell), &tag[..2]);
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div>");
        html
    }
}

/// Digits with the signs that go with them: `1,234.5`, `+3 %`, `1.2–1.4`, `2e-5`; a dash alone stands for no number.
fn is_number(cell: &str) -> bool {
    let allowed = |c: char| c.is_ascii_digit() || ".,–-−+×% e≤<∞".contains(c);
    cell == "–" || (cell.chars().all(allowed) && cell.chars().any(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_escaped_and_numbers_stand_right() {
        let mut table = Table::new("a < b", ["policy", "late %"]);
        table.row(["<script>", "0.1"]);
        table.highlighted_row(["foresail"]);
        table.row(["x", "–"]);
        let html = table.html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"));
        assert!(html.contains("<tr class=\"ours\">"));
        assert!(html.contains("<th scope=\"row\">x</th>"));
        assert!(!["hpa@0.7", "", "2026-03-01T00:00:00Z", "e"].iter().any(|c| is_number(c)));
        assert!(["1,234.5", "–", "+3 %", "1.2–1.4", "2e-5"].iter().all(|c| is_number(c)));
    }
}
