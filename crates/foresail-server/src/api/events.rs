//! Server-sent events: each tick's view, to whoever keeps up. Who does not gets the newest one next, never a queue.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::app::{App, Call};
use super::plane::ServiceView;
use super::problem::{Problem, typed};

/// How often something is sent at least, so that proxies and browsers know that the stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream's state between two chunks. The next chunk is made when the one before has been taken.
struct Follower {
    app: Arc<App>,
    changed: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    /// The services to follow; none for all.
    service: Option<String>,
    sent: BTreeMap<String, Arc<ServiceView>>,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn stream(call: Call) -> Result<Response, Problem> {
    let service = call.values.text("service").map(|_| call.service()).transpose()?;
    let full = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open");
    let place = Arc::clone(&call.app.streams).try_acquire_owned().map_err(full)?;
    let mut changed = call.app.plane.changed();
    changed.mark_changed();
    let closing = call.app.closing.clone();
    let follower = Follower { app: call.app, changed, closing, service, sent: BTreeMap::new(), _place: place };
    let chunks = stream::unfold(follower, |mut follower| async move {
        let chunk = follower.next().await?;
        Some((Ok::<Bytes, Infallible>(chunk), follower))
    });
    Ok(typed("text/event-stream", Body::from_stream(chunks)))
}

impl Follower {
    /// What has changed since the last chunk; a comment if nothing has for a while; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => return None,
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b": keep-alive\n\n")),
            }
            let chunk = self.news();
            if !chunk.is_empty() {
                return Some(chunk);
            }
        }
    }

    fn news(&mut self) -> Bytes {
        let mut chunk = BytesMut::new();
        for name in self.app.plane.services() {
            if self.service.as_ref().is_some_and(|s| *s != name) {
                continue;
            }
            let Some(view) = self.app.plane.view(&name) else { continue };
            if self.sent.get(&name).is_some_and(|sent| Arc::ptr_eq(sent, &view)) {
                continue;
            }
            chunk.put_slice(b"event: view\ndata: ");
            chunk.put_slice(&self.app.views.json(&view));
            chunk.put_slice(b"\n\n");
            self.sent.insert(name, view);
        }
        chunk.freeze()
    }
}
