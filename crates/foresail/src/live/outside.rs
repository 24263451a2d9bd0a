//! What is known ahead, read from files and addresses again and again.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use foresail_core::{Known, TimeZone};
use foresail_ingest::{Error, Feed, Source};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::config::{KnownConfig, is_address};
use crate::clock::Tempo;
use crate::known::Reader;

/// The places that are read for a service, and what each said last.
pub(super) struct Outside {
    service: String,
    config: KnownConfig,
    zone: TimeZone,
    tempo: Tempo,
    places: Vec<Place>,
}

/// A place, and what it said last.
struct Place {
    name: String,
    kind: Kind,
    /// None for a file.
    feed: Option<Feed>,
    /// None before it has answered.
    said: Option<Known>,
    is_away: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Calendar,
    Signals,
}

impl Place {
    async fn read(&self, reader: &Reader) -> Result<Known, Error> {
        let bytes = match &self.feed {
            Some(feed) => Some(feed.fetch().await?),
            None => None,
        };
        // Files are small and local; what is long is refused by its reader.
        let source = bytes.unwrap_or_else(|| Source::from(Path::new(&self.name)));
        let mut known = Known::none();
        match self.kind {
            Kind::Calendar => reader.calendar(&mut known, source)?,
            Kind::Signals => reader.signals(&mut known, source)?,
        }
        Ok(known)
    }
}

impl Outside {
    /// Reads everything once. An address that does not answer may do so later; a file has to be there and be understood.
    ///
    /// # Errors
    /// For credentials or files that cannot be read.
    pub(super) async fn open(
        service: &str,
        config: &KnownConfig,
        zone: &TimeZone,
        tempo: &Tempo,
    ) -> anyhow::Result<(Self, watch::Sender<Arc<Known>>)> {
        let client = config.client.options()?;
        let place = |name: &String, kind: Kind| -> anyhow::Result<Place> {
            let feed = if is_address(name) { Some(Feed::new(name, &client)?) } else { None };
            Ok(Place { name: name.clone(), kind, feed, said: None, is_away: false })
        };
        let calendars = config.calendars.iter().map(|name| place(name, Kind::Calendar));
        let signals = config.signals.iter().map(|name| place(name, Kind::Signals));
        let places = calendars.chain(signals).collect::<anyhow::Result<_>>()?;
        let (service, config, zone, tempo) = (service.to_owned(), config.clone(), zone.clone(), tempo.clone());
        let mut outside = Self { service, config, zone, tempo, places };
        if let Some(error) = outside.read().await {
            return Err(error).context("what is known ahead");
        }
        let known = outside.together()?;
        Ok((outside, watch::Sender::new(Arc::new(known))))
    }

    /// Whether every place has answered, so that what is not announced is known not to be.
    pub(super) fn is_whole(&self) -> bool {
        self.places.iter().all(|place| place.said.is_some())
    }

    /// Reads again and again, until nobody wants to know any more. Tells what has changed, and at the first time that every
    /// place has answered also that nothing has.
    pub(super) async fn run(mut self, known: watch::Sender<Arc<Known>>) {
        let mut was_whole = self.is_whole();
        let mut turns = interval(self.config.every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first turn is at once, and everything has just been read.
        turns.tick().await;
        loop {
            tokio::select! {
                () = known.closed() => return,
                _ = turns.tick() => {}
            }
            // A file that is wrong leaves what it said before.
            let _ = self.read().await;
            let is_whole = self.is_whole();
            match self.together() {
                Ok(now) => {
                    known.send_if_modified(|before| {
                        let changed = **before != now || is_whole != was_whole;
                        if changed {
                            *before = Arc::new(now);
                        }
                        changed
                    });
                }
                Err(error) => tracing::warn!("{}: holidays: {error}", self.service),
            }
            was_whole = is_whole;
        }
    }

    /// Reads every place; what does not answer or cannot be understood leaves what it said before. Gives the first fault of a
    /// file.
    async fn read(&mut self) -> Option<Error> {
        let reader = self.reader();
        let mut fault = None;
        for place in &mut self.places {
            match place.read(&reader).await {
                Ok(said) => {
                    if place.is_away {
                        tracing::info!("{}: {} is read again", self.service, place.name);
                    }
                    (place.said, place.is_away) = (Some(said), false);
                }
                Err(error) => {
                    let what = if place.said.is_some() { "what was read before stays known" } else { "not known yet" };
                    if place.is_away {
                        tracing::debug!("{}: {what}: {error}", self.service);
                    } else {
                        tracing::warn!("{}: {what}: {error}", self.service);
                    }
                    place.is_away = true;
                    fault = fault.or(place.feed.is_none().then_some(error));
                }
            }
        }
        fault
    }

    /// What all places say, with the holidays of these years.
    fn together(&self) -> Result<Known, Error> {
        let mut known = Known::none();
        let reader = self.reader();
        self.config.holidays.iter().try_for_each(|country| reader.holidays(&mut known, country))?;
        for said in self.places.iter().filter_map(|place| place.said.as_ref()) {
            known.events.extend(said.events.iter().cloned());
            known.deploys.extend(said.deploys.iter().cloned());
            known.signals.extend(said.signals.iter().cloned());
        }
        Ok(known)
    }

    fn reader(&self) -> Reader {
        let now = self.tempo.now();
        Reader::new(&self.zone, now..now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(folder: &Path) -> KnownConfig {
        let calendar = folder.join("sales.csv").to_string_lossy().into_owned();
        let calendars = vec![calendar, "http://127.0.0.1:9/nobody".to_owned()];
        KnownConfig { holidays: vec!["DE".into()], calendars, every: Duration::from_secs(1), ..KnownConfig::default() }
    }

    async fn open(config: &KnownConfig) -> anyhow::Result<(Outside, watch::Sender<Arc<Known>>)> {
        Outside::open("web", config, &TimeZone::utc(), &Tempo::wall(None)).await
    }

    fn write(folder: &Path, lines: &str) {
        std::fs::write(folder.join("sales.csv"), format!("from,to,label,factor\n{lines}")).unwrap();
    }

    #[tokio::test]
    async fn what_was_read_stays_known_while_a_place_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let tomorrow = (Tempo::wall(None).now() + Duration::from_secs(86_400)).to_string();
        let day_after = (Tempo::wall(None).now() + Duration::from_secs(2 * 86_400)).to_string();
        let line = format!("{tomorrow},{day_after},sale,2\n");
        write(folder.path(), &line);
        let config = config(folder.path());
        let (mut outside, known) = open(&config).await.expect("an address that is away is no reason not to start");
        assert_eq!(known.borrow().events.len(), 1);
        assert!(known.borrow().holidays.len() > 10, "{:?}", known.borrow().holidays);
        assert!(!outside.is_whole(), "nobody knows what the address would announce");

        write(folder.path(), "soon,later,sale,2\n");
        let _ = outside.read().await;
        assert_eq!(outside.together().unwrap().events.len(), 1, "what it said before");
        write(folder.path(), &line.repeat(2));
        let _ = outside.read().await;
        assert_eq!(outside.together().unwrap().events.len(), 2);
    }

    #[tokio::test]
    async fn nothing_to_read_is_known_at_once_and_stays_to_be_heard() {
        let (outside, known) = open(&KnownConfig::default()).await.expect("nothing to read");
        assert!(outside.is_whole());
        let mut heard = known.subscribe();
        heard.mark_changed();
        let reading = tokio::spawn(outside.run(known));
        assert!(heard.has_changed().expect("the reader lives"), "what was announced before is to be taken back");
        drop(heard);
        reading.await.expect("it ends when nobody listens");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = open(&config(folder.path())).await.map(|_| ()).unwrap_err();
        assert!(format!("{refused:#}").contains("sales.csv"), "{refused:#}");
    }
}
