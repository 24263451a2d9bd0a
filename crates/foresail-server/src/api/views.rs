//! Views as JSON, written once however many look at them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::plane::ServiceView;

/// The newest JSON of each service's view. Readers wait for no lock.
#[derive(Default)]
pub(super) struct Views(ArcSwap<BTreeMap<String, Written>>);

#[derive(Clone)]
struct Written {
    view: Arc<ServiceView>,
    json: Bytes,
}

impl Views {
    /// `view` as JSON, on one line.
    pub(super) fn json(&self, view: &Arc<ServiceView>) -> Bytes {
        if let Some(written) = self.0.load().get(&view.service).filter(|w| Arc::ptr_eq(&w.view, view)) {
            return written.json.clone();
        }
        let text = serde_json::to_vec(view.as_ref()).expect("plain data with text keys always becomes JSON");
        let written = Written { view: Arc::clone(view), json: Bytes::from(text) };
        self.0.rcu(|all| {
            let mut all = BTreeMap::clone(all);
            all.insert(view.service.clone(), written.clone());
            all
        });
        written.json
    }
}
