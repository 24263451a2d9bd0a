//! What the classes of requests are called: the router knows them by hashes, people want words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Longest name, in characters.
const LONGEST: usize = 64;

/// Names by the keys of classes. A worker writes out what a request asks for only if the learner wants a name for its class, so
/// it costs the others next to nothing; and there are never more names than classes that are told apart, whatever clients ask
/// for: a class whose place is given to another loses its name too.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: ArcSwap<BTreeMap<u64, String>>,
    wanted: ArcSwap<BTreeSet<u64>>,
}

impl Names {
    /// Of those that were known before.
    pub(super) fn new(known: BTreeMap<u64, String>) -> Self {
        let known = known.into_iter().map(|(class, name)| (class, shown(&name))).collect();
        Self { known: ArcSwap::from_pointee(known), wanted: ArcSwap::default() }
    }

    /// Names a class, if that is wanted.
    pub(super) fn offer(&self, class: u64, name: impl FnOnce() -> String) {
        if !self.wanted.load().contains(&class) || self.known.load().contains_key(&class) {
            return;
        }
        let name = shown(&name());
        self.known.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            known.entry(class).or_insert_with(|| name.clone());
            known
        });
    }

    /// From now on these are the classes that there are.
    pub(super) fn follow(&self, classes: &BTreeSet<u64>) {
        if self.known.load().keys().any(|class| !classes.contains(class)) {
            self.known.rcu(|known| {
                let mut known = BTreeMap::clone(known);
                known.retain(|class, _| classes.contains(class));
                known
            });
        }
        let known = self.known.load();
        let wanted: BTreeSet<u64> = classes.iter().filter(|class| !known.contains_key(class)).copied().collect();
        if wanted != **self.wanted.load() {
            self.wanted.store(Arc::new(wanted));
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<u64, String> {
        BTreeMap::clone(&self.known.load())
    }
}

/// As it may be shown anywhere: not too long, and nothing in it but letters, digits and what ASCII prints, so nothing that
/// turns the direction of writing or cannot be seen.
fn shown(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ' || c == '…';
    let mut characters = name.chars().map(|c| if is_plain(c) { c } else { '?' });
    let mut shown: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_names_as_classes_whatever_is_offered() {
        let names = Names::new([(7, "GET /gone".to_owned())].into());
        let offer_all = || (0..10_000).for_each(|class| names.offer(class, || format!("GET /{class}")));
        offer_all();
        assert_eq!(names.all().len(), 1, "nothing was wanted");
        names.follow(&[1, 2, 3].into());
        assert!(names.all().is_empty());
        offer_all();
        names.offer(2, || "GET /another".to_owned());
        assert_eq!(names.all().into_values().collect::<Vec<_>>(), ["GET /1", "GET /2", "GET /3"]);
        names.follow(&[2, 9].into());
        offer_all();
        assert_eq!(names.all().into_keys().collect::<Vec<_>>(), [2, 9]);
    }

    #[test]
    fn names_are_short_and_safe_to_show() {
        for (name, expected) in [
            ("GET /images/*", "GET /images/*"),
            ("<img src=x>\u{0}\n\u{1b}[31m", "<img src=x>???[31m"),
            ("caf\u{e9} \u{202e}gpj.exe \u{200b}", "caf\u{e9} ?gpj.exe ?"),
        ] {
            assert_eq!(shown(name), expected);
        }
        let long = shown(&"\u{e4}".repeat(100));
        assert!(long.chars().count() == LONGEST && long.ends_with('…'), "{long}");
        assert_eq!(shown(&"a".repeat(LONGEST)).len(), LONGEST);
    }
}
