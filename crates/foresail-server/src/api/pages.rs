//! The dashboard's files and the viewer of the API: embedded, with entity tags, and asking nothing of anybody else.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, OnceLock};

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::app::App;
use crate::dashboard::{File, files};

/// From where a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// A file with what is worked out about it once.
struct Served {
    file: File,
    etag: String,
    /// Packed when the first one who is not on this machine asks: on loopback, unpacking costs more than it saves.
    packed: OnceLock<Bytes>,
}

static SERVED: LazyLock<Vec<Served>> = LazyLock::new(|| {
    let served = |file: File| {
        let digest = Sha256::digest(&file.body);
        let etag = digest[..8].iter().fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}")) + "\"";
        Served { file, etag, packed: OnceLock::new() }
    };
    files().into_iter().map(served).collect()
});

/// Paths that are served.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    SERVED.iter().map(|s| s.file.path)
}

/// Answers with the file at `path`, which is one of [`paths`].
pub(super) async fn answer(app: Arc<App>, path: &'static str, request: Request) -> Response {
    if let Err(problem) = app.check_host(&request) {
        return problem.into_response();
    }
    let Some(served) = SERVED.iter().find(|s| s.file.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (parts, _) = request.into_parts();
    let said = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut response = if said(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim() == served.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let far = parts.extensions.get::<Peer>().is_some_and(|peer| !peer.0.ip().is_loopback());
        let packs =
            far && said(header::ACCEPT_ENCODING).split(',').any(|e| e.split(';').next().map(str::trim) == Some("gzip"));
        let body = if packs { packed(served).await } else { served.file.body.clone() };
        let mut response = Response::new(body.clone().into());
        if packs && body.len() != served.file.body.len() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(served.file.content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&served.etag) {
        headers.insert(header::ETAG, etag);
    }
    let keep = if served.file.is_versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

async fn packed(served: &'static Served) -> Bytes {
    let pack =
        || served.packed.get_or_init(|| gzip(&served.file.body).unwrap_or_else(|| served.file.body.clone())).clone();
    tokio::task::spawn_blocking(pack).await.unwrap_or_else(|_| served.file.body.clone())
}

fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
