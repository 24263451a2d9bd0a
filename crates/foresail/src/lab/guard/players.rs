//! Those who ask: people and programs of the mix, and attackers. Each side has a thread and connections of its own, and asks
//! when its time has come, whatever became of what was asked before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use foresail_guard::{Kind, challenge};
use foresail_sim::site::{Ask, CLASSES, Planned, headers};
use http_body_util::Empty;
use hyper::header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Request, Response};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::fate::{Fate, puzzle};
use crate::demo::load::Client;

/// When a request is given up.
const GIVEN_UP: Duration = Duration::from_secs(2);
/// Connections of the mix and of attackers at most, and requests of attackers without an answer.
const CONNECTIONS: usize = 512;
const ATTACKERS_CONNECTIONS: usize = 4_096;
const MOST_IN_FLIGHT: usize = 8_192;
/// What a browser takes for a puzzle: two journeys, and 200,000 hashes a second, as on a telephone.
const JOURNEYS: Duration = Duration::from_millis(400);
const HASH: Duration = Duration::from_micros(5);

/// A request that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    /// Its place among the classes of the mix; of no meaning for attackers.
    pub(super) class: usize,
    /// When it was to be sent, from the beginning on.
    pub(super) after: Duration,
    pub(super) fate: Fate,
    /// From then until its answer was whole, or it was given up.
    pub(super) taken: Duration,
}

/// What came of one side's requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    pub(super) sent: Vec<Sent>,
    /// By how much it was behind its plan at most.
    pub(super) behind: Duration,
}

impl Played {
    async fn wait_for(&mut self, intended: Instant) {
        if intended > Instant::now() {
            sleep_until(intended).await;
        } else {
            tokio::task::yield_now().await; // behind its plan, it must still let requests go on
        }
        self.behind = self.behind.max(intended.elapsed());
    }
}

/// Plays `asking` on a thread of its own; what comes of it.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn on_a_thread<F>(asking: F) -> anyhow::Result<oneshot::Receiver<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for the load")?;
    let (tell, told) = oneshot::channel();
    let work = move || {
        // Whoever asked for it may be gone.
        drop(tell.send(runtime.block_on(asking)));
    };
    thread::Builder::new().name("load".to_owned()).spawn(work).context("no thread for the load")?;
    Ok(told)
}

/// The mix asks as planned from `begun` on. Browsers solve puzzles and hold what they get for it; whoever is not shown a page
/// does not ask for its parts.
pub(super) async fn people(plan: Vec<Planned>, proxy: SocketAddr, begun: Instant) -> Played {
    let crowd = Arc::new(Crowd::new(proxy));
    let mut played = Played::default();
    let mut asking = JoinSet::new();
    for planned in plan {
        let intended = begun + planned.after;
        played.wait_for(intended).await;
        while let Some(done) = asking.try_join_next() {
            played.sent.extend(done.into_iter().flatten());
        }
        let crowd = Arc::clone(&crowd);
        asking.spawn(async move { crowd.ask(planned, intended).await });
    }
    while let Some(done) = asking.join_next().await {
        played.sent.extend(done.into_iter().flatten());
    }
    played
}

/// Attackers ask from `begun` on, as long as their requests are to be sent within `length`.
pub(super) async fn attackers(
    plan: impl Iterator<Item = (Duration, Ask)>,
    length: Duration,
    proxy: SocketAddr,
    begun: Instant,
) -> Played {
    let client = Arc::new(Client::new(proxy, ATTACKERS_CONNECTIONS));
    let mut played = Played::default();
    let mut asking = JoinSet::new();
    for (after, ask) in plan.take_while(|(after, _)| *after < length) {
        let intended = begun + after;
        played.wait_for(intended).await;
        while let Some(done) = asking.try_join_next() {
            played.sent.extend(done);
        }
        if asking.len() >= MOST_IN_FLIGHT {
            played.sent.push(Sent { class: 0, after, fate: Fate::Unserved, taken: intended.elapsed() });
            continue;
        }
        let (client, request) = (Arc::clone(&client), request(&ask, None));
        asking.spawn(async move {
            let (fate, _) = exchange(&client, request, intended).await;
            Sent { class: 0, after, fate, taken: intended.elapsed() }
        });
    }
    while let Some(done) = asking.join_next().await {
        played.sent.extend(done);
    }
    played
}

/// Everybody in the mix.
struct Crowd {
    client: Client,
    /// Cookies of those who have solved a puzzle.
    clearances: Mutex<BTreeMap<u64, String>>,
    /// Those who were not shown the page they asked for last.
    turned_away: Mutex<BTreeSet<u64>>,
}

impl Crowd {
    fn new(proxy: SocketAddr) -> Self {
        let client = Client::new(proxy, CONNECTIONS);
        Self { client, clearances: Mutex::default(), turned_away: Mutex::default() }
    }

    async fn ask(&self, planned: Planned, intended: Instant) -> Vec<Sent> {
        let Planned { after, actor, class, ask } = planned;
        if ask.kind == Kind::Asset && locked(&self.turned_away).contains(&actor) {
            return Vec::new();
        }
        let clearance = locked(&self.clearances).get(&actor).cloned();
        let (mut fate, answer) = exchange(&self.client, request(&ask, clearance.as_deref()), intended).await;
        let mut sent = vec![Sent { class, after, fate, taken: intended.elapsed() }];
        let is_browser = ask.kind == Kind::Navigation && CLASSES[class] != "search engine";
        if is_browser
            && let Some((puzzle, bits)) = answer.as_ref().filter(|_| fate == Fate::Challenged).and_then(puzzle)
            && let Some(clearance) = self.solve(&ask, puzzle.to_owned(), bits).await
        {
            let again = Instant::now();
            (fate, _) = exchange(&self.client, request(&ask, Some(&clearance)), again).await;
            sent.push(Sent { class, after: after + (again - intended), fate, taken: again.elapsed() });
            locked(&self.clearances).insert(actor, clearance);
        }
        if ask.kind == Kind::Navigation {
            let mut turned_away = locked(&self.turned_away);
            if fate == Fate::Served {
                turned_away.remove(&actor)
            } else {
                turned_away.insert(actor)
            };
        }
        sent
    }

    /// The cookie that a browser gets for the right answer.
    async fn solve(&self, ask: &Ask, puzzle: String, bits: u8) -> Option<String> {
        let begun = Instant::now();
        let posed = puzzle.clone();
        let number = tokio::task::spawn_blocking(move || challenge::solve(&posed, bits)).await.ok()?;
        let hashes = u32::try_from(number).unwrap_or(u32::MAX);
        sleep(JOURNEYS.saturating_add(HASH.saturating_mul(hashes)).saturating_sub(begun.elapsed())).await;
        let query = Some(format!("p={puzzle}&n={number}"));
        let answer = Ask { kind: Kind::Api, path: challenge::ANSWER_PATH.to_owned(), query, ..ask.clone() };
        let (_, response) = exchange(&self.client, request(&answer, None), Instant::now()).await;
        let cookie = response?.headers().get(SET_COOKIE)?.to_str().ok()?.split(';').next()?.to_owned();
        Some(cookie)
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn exchange(
    client: &Client,
    request: Request<Empty<Bytes>>,
    intended: Instant,
) -> (Fate, Option<Response<Bytes>>) {
    match timeout_at(intended + GIVEN_UP, client.send(request)).await {
        Ok(Ok(answer)) => (Fate::of(&answer), Some(answer)),
        Ok(Err(_)) | Err(_) => (Fate::Unserved, None),
    }
}

/// A request as it goes over the wire.
fn request(ask: &Ask, cookie: Option<&str>) -> Request<Empty<Bytes>> {
    let target = match &ask.query {
        Some(query) => format!("{}?{query}", ask.path),
        None => ask.path.clone(),
    };
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = target.parse().expect("the mix asks for paths of letters and digits");
    let value = |text: &str| HeaderValue::from_str(text).expect("the mix writes visible ASCII");
    for (name, text) in headers(ask) {
        request.headers_mut().append(HeaderName::from_static(name), value(&text));
    }
    request.headers_mut().insert("x-forwarded-for", value(&ask.ip.to_string()));
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, value(cookie));
    }
    request
}

#[cfg(test)]
mod tests {
    use foresail_core::Timestamp;
    use foresail_sim::site::{Attack, Legit};

    use super::*;

    #[test]
    fn whatever_is_planned_can_be_written() {
        let mut legit = Legit::new(5, Timestamp::from_secs(1_772_366_400));
        let planned = legit.plan(Duration::from_secs(300));
        for attack in Attack::ALL {
            for (_, ask) in attack.plan(legit.site(), 1_000.0, 2).take(50) {
                assert!(request(&ask, None).headers().contains_key("host"));
            }
        }
        let one = request(&planned[0].ask, Some("a=b"));
        let names: Vec<&str> = one.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!((names.first(), names.last()), (Some(&"host"), Some(&"cookie")));
        assert!(planned.iter().all(|planned| request(&planned.ask, None).uri().path() == planned.ask.path));
    }
}
