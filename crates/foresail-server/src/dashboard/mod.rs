//! The files of the dashboard, as they are served. No build step: what stands in this folder is what the browser gets.

use std::fmt;

use bytes::Bytes;

/// A file.
#[derive(Clone)]
pub(crate) struct File {
    /// Where it is served.
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    /// Whether its path changes with its content, so that it may be kept for ever.
    pub(crate) is_versioned: bool,
    pub(crate) body: Bytes,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// All of them.
pub(crate) fn files() -> Vec<File> {
    let file = |path, content_type, text: &'static str| File {
        path,
        content_type,
        is_versioned: false,
        body: Bytes::from_static(text.as_bytes()),
    };
    vec![
        file("/", HTML, include_str!("index.html")),
        file("/api", HTML, include_str!("api.html")),
        file("/assets/style.css", STYLE, include_str!("style.css")),
        file("/assets/icon.svg", "image/svg+xml", include_str!("icon.svg")),
        file("/assets/theme.js", SCRIPT, include_str!("theme.js")),
        file("/assets/app.js", SCRIPT, include_str!("app.js")),
        file("/assets/api.js", SCRIPT, include_str!("api.js")),
        file("/assets/dom.js", SCRIPT, include_str!("dom.js")),
        file("/assets/format.js", SCRIPT, include_str!("format.js")),
        file("/assets/charts.js", SCRIPT, include_str!("charts.js")),
        file("/assets/alerts.js", SCRIPT, include_str!("alerts.js")),
        file("/assets/dialogs.js", SCRIPT, include_str!("dialogs.js")),
        file("/assets/pending.js", SCRIPT, include_str!("pending.js")),
        file("/assets/overview.js", SCRIPT, include_str!("overview.js")),
        file("/assets/decisions.js", SCRIPT, include_str!("decisions.js")),
        file("/assets/traffic.js", SCRIPT, include_str!("traffic.js")),
        file("/assets/routing.js", SCRIPT, include_str!("routing.js")),
        file("/assets/models.js", SCRIPT, include_str!("models.js")),
        file("/assets/guard.js", SCRIPT, include_str!("guard.js")),
        file("/assets/fingerprint.js", SCRIPT, include_str!("fingerprint.js")),
        file("/assets/journal.js", SCRIPT, include_str!("journal.js")),
        file("/assets/settings.js", SCRIPT, include_str!("settings.js")),
        file("/assets/viewer.js", SCRIPT, include_str!("viewer.js")),
        File {
            path: "/assets/plotly-3.0.1.min.js",
            content_type: SCRIPT,
            is_versioned: true,
            body: Bytes::from(crate::report::plotly_script()),
        },
    ]
}
