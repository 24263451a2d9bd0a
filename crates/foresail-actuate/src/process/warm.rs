//! Tells copies to warm their caches for a load that is on its way.

use hyper::Method;
use tokio::task::JoinSet;

use super::config::Warm;
use super::http;
use crate::{Error, ReadyCopy};

/// Calls the hook on every copy of `copies` at once; `share` is that of the working set to load, 0 to 1.
///
/// # Errors
/// [`Error::Warm`] unless all of them answer with success.
pub(super) async fn warm(hook: &Warm, copies: Vec<ReadyCopy>, share: f64) -> Result<(), Error> {
    let separator = if hook.path.contains('?') { '&' } else { '?' };
    let path = format!("{}{separator}share={share}", hook.path);
    let of = copies.len();
    let mut calls = JoinSet::new();
    for copy in copies {
        let (path, limit) = (path.clone(), hook.timeout);
        calls.spawn(async move {
            match http::call(copy.address, Method::POST, &path, limit).await {
                Ok(status) if status.is_success() => None,
                Ok(status) => Some((copy.id, format!("copy {}: {status}", copy.id))),
                Err(error) => Some((copy.id, format!("copy {}: {error}", copy.id))),
            }
        });
    }
    let mut failures: Vec<(u64, String)> = calls.join_all().await.into_iter().flatten().collect();
    failures.sort_unstable();
    let failed = failures.len();
    match failures.into_iter().next() {
        Some((_, first)) => Err(Error::Warm { failed, of, first }),
        None => Ok(()),
    }
}
