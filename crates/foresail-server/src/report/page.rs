//! The page itself: markup, style and the small script that draws the charts.

use std::fmt::Write;

use plotly::Plot;

use super::chart::Chart;
use super::{Block, Report, Section};

const STYLE: &str = include_str!("page.css");
/// Rows of a table that stand open.
const ROWS: usize = 24;
const SCRIPT: &str = include_str!("page.js");

/// The report as one HTML document. Nothing in it asks for anything from outside; a policy in its head forbids it.
pub fn render(report: &Report) -> String {
    let mut charts = 0;
    let mut body = String::new();
    for (index, section) in report.sections.iter().enumerate() {
        render_section(&mut body, index + 1, section, &mut charts);
    }
    let mut html = String::with_capacity(body.len() + 5_000_000);
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    // Only what stands in this file may run or be shown; Plotly sets inline styles and draws images from data and blobs.
    html.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; \
         style-src 'unsafe-inline'; img-src data: blob:; font-src data:\">\n",
    );
    let _ = writeln!(html, "<title>{}</title>\n<style>\n{STYLE}</style>", escape(&report.title));
    if charts > 0 {
        let _ = writeln!(html, "<script>{}</script>", plotly_script());
    }
    let _ = write!(
        html,
        "</head>\n<body>\n<header><p class=\"brand\">Foresail</p><h1>{}</h1></header>\n<main>\n",
        escape(&report.title)
    );
    render_summary(&mut html, report);
    html.push_str(&body);
    html.push_str("</main>\n");
    render_facts(&mut html, &report.facts);
    if charts > 0 {
        html.push_str("<noscript><p>The charts need JavaScript; the tables do not.</p></noscript>\n");
        let _ = writeln!(html, "<script>\n{SCRIPT}</script>");
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn render_summary(html: &mut String, report: &Report) {
    if !report.summary.is_empty() {
        html.push_str("<section aria-label=\"Summary\" class=\"summary\"><ul>");
        for sentence in &report.summary {
            let _ = write!(html, "<li>{}</li>", escape(sentence));
        }
        html.push_str("</ul></section>\n");
    }
    if report.sections.len() > 2 {
        html.push_str("<nav aria-label=\"Contents\"><ul>");
        for (index, section) in report.sections.iter().enumerate() {
            let _ = write!(html, "<li><a href=\"#section-{}\">{}</a></li>", index + 1, escape(&section.heading));
        }
        html.push_str("</ul></nav>\n");
    }
}

fn render_facts(html: &mut String, facts: &[(String, String)]) {
    html.push_str("<footer>");
    if !facts.is_empty() {
        html.push_str("<h2>How this was made</h2><dl>");
        for (name, value) in facts {
            let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
        }
        html.push_str("</dl>");
    }
    html.push_str("</footer>\n");
}

fn render_section(html: &mut String, number: usize, section: &Section, charts: &mut usize) {
    let heading = escape(&section.heading);
    let _ = write!(html, "<section id=\"section-{number}\" aria-label=\"{heading}\"><h2>{heading}</h2>");
    for block in &section.blocks {
        match block {
            Block::Text(text) => {
                let _ = write!(html, "<p>{}</p>", escape(text));
            }
            Block::Table(table) => html.push_str(&table.folded_html(ROWS)),
            Block::Fan(fan) => render_chart(html, &fan.chart(), charts),
            Block::Map(map) => render_chart(html, &map.chart(), charts),
            Block::Costs(costs) => render_chart(html, &costs.chart(), charts),
            Block::Models(models) => {
                render_chart(html, &models.chart(), charts);
                html.push_str(&models.table().html());
            }
            Block::Timeline(timeline) => {
                render_chart(html, &timeline.chart(), charts);
                html.push_str(&timeline.table().map(|t| t.folded_html(ROWS / 2)).unwrap_or_default());
            }
        }
    }
    html.push_str("</section>\n");
}

fn render_chart(html: &mut String, chart: &Chart, charts: &mut usize) {
    *charts += 1;
    // Within a script element only `<` can end it, so it is the one character to hide.
    let figure = chart.plot.to_json().replace('<', "\\u003c");
    let _ = write!(
        html,
        "<figure><div class=\"chart\" id=\"chart-{charts}\" role=\"img\" aria-label=\"{}\"></div>\
         <script type=\"application/json\" data-for=\"chart-{charts}\">{figure}</script><figcaption>{}</figcaption></figure>",
        escape(&chart.description),
        escape(&chart.caption),
    );
}

/// Plotly's own script. The crate also hands out a typesetter of formulas, which reports do not use.
pub(crate) fn plotly_script() -> String {
    let sources = Plot::offline_js_sources();
    let start = sources.find('>').map_or(0, |at| at + 1);
    let end = sources.find("</script>").unwrap_or(sources.len());
    sources[start..end].to_owned()
}

/// Text as it may stand between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use foresail_core::Timestamp;

    use super::*;
    use crate::report::{
        Band, Better, ForecastFan, ForecastLine, ModelComparison, ModelMetric, Table, Timeline, Track,
    };

    fn fan(model: &str) -> ForecastFan {
        let times: Vec<Timestamp> = (0..3).map(|i| Timestamp::from_secs(i * 60)).collect();
        ForecastFan {
            quantity: "requests a second".to_owned(),
            history: Track { times: times.clone(), values: vec![Some(1.0), None, Some(3.0)] },
            actual: Track::default(),
            forecasts: vec![ForecastLine {
                model: model.to_owned(),
                times,
                mean: vec![1.0, 2.0, 3.0],
                bands: vec![Band { coverage: 0.9, low: vec![0.0; 3], high: vec![5.0; 3] }],
            }],
        }
    }

    #[test]
    fn plotly_is_embedded_once_and_nothing_is_fetched() {
        let section = Section::new("Fans").block(Block::Fan(fan("a"))).block(Block::Fan(fan("b")));
        let html = render(&Report::new("Two fans").section(section));
        assert_eq!(html.matches("plotly.js v").count(), 1);
        assert!(!html.contains("MathJax.loader") && html.contains("id=\"chart-2\""));
        for fetch in ["src=\"http", "href=\"http", "@import", "url(http"] {
            let page = html.replace(&plotly_script(), "");
            assert!(!page.contains(fetch), "{fetch}");
        }
    }

    #[test]
    fn without_charts_there_is_no_script() {
        let html = render(&Report::new("Words").section(Section::new("S").block(Block::Table(Table::new("t", ["a"])))));
        assert!(!html.contains("<script") && html.len() < 20_000);
    }

    #[test]
    fn what_others_named_cannot_break_out() {
        let hostile = "</script><script>alert(1)</script>";
        let comparison = ModelComparison {
            caption: hostile.to_owned(),
            metrics: vec![ModelMetric { name: hostile.to_owned(), better: Better::Low }],
            models: vec![(hostile.to_owned(), vec![Some(1.0)])],
        };
        let section = Section::new(hostile)
            .block(Block::Fan(fan(hostile)))
            .block(Block::Models(comparison))
            .block(Block::Timeline(Timeline::default()));
        let html = render(&Report::new(hostile).finding(hostile).fact(hostile, hostile).section(section));
        assert!(!html.replace(&plotly_script(), "").contains("<script>alert"));
    }
}
