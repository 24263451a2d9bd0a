//! The exercise's system as it is written: a profile of every address over an hour, an isolation forest, a threat score of
//! fixed parts, challenge above 0.5 and a block of an hour above 0.8. What it leaves open is said where it is filled in.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};

use crate::Error;
use crate::isolation_forest::{Form, IsolationForest};

/// What a profile remembers requests for.
const WINDOW: Duration = Duration::from_secs(3600);
const BLOCK: Duration = Duration::from_secs(3600);
/// A score of the forest above this is an anomaly.
const ANOMALY: f64 = 0.6;
const CHALLENGE_ABOVE: f64 = 0.5;
const BLOCK_ABOVE: f64 = 0.8;
/// The exercise keeps every address for ever; here the one that was silent for longest goes.
const MOST_SOURCES: usize = 10_000;
/// Requests remembered, all addresses together.
const MOST_REQUESTS: usize = 1 << 21;
/// Countries, agents and paths that one profile tells apart.
const MOST_KEYS: usize = 1_000;

/// What a profile gives: requests a second over an hour, variance of the seconds between them, mean size, entropies (in bits)
/// of countries, agents and paths, and the share of the most frequent country.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeedFeatures {
    /// Requests of the last hour over 3,600. The exercise compares it with "100 an hour", so that it takes 360,000.
    pub request_rate: f64,
    /// Population variance of the seconds between them; 0 of fewer than two.
    pub rate_variance: f64,
    /// Mean size of all requests, in bytes.
    pub avg_packet_size: f64,
    /// Shannon entropy of countries.
    pub geo_entropy: f64,
    /// Shannon entropy of agents.
    pub ua_entropy: f64,
    /// Shannon entropy of paths.
    pub path_entropy: f64,
    /// Share of the most frequent country.
    pub top_geo_concentration: f64,
}

impl SeedFeatures {
    fn row(&self) -> [f32; 7] {
        [
            self.request_rate,
            self.rate_variance,
            self.avg_packet_size,
            self.geo_entropy,
            self.ua_entropy,
            self.path_entropy,
            self.top_geo_concentration,
        ]
        .map(|x| x as f32)
    }

    /// The threat score, 0 to 1.
    pub fn threat(&self) -> f64 {
        let mut score: f64 = 0.0;
        let mut add = |is_so: bool, points: f64| score += if is_so { points } else { 0.0 };
        add(self.request_rate > 100.0, 0.3);
        add(self.ua_entropy < 0.5, 0.2);
        add(self.path_entropy < 1.0, 0.2);
        add(self.top_geo_concentration > 0.9, 0.2);
        add(self.rate_variance < 0.001, 0.3);
        score.min(1.0)
    }
}

#[derive(Clone, Debug, Default)]
struct Counts(BTreeMap<u64, u64>);

impl Counts {
    fn add(&mut self, key: u64) {
        if self.0.len() < MOST_KEYS || self.0.contains_key(&key) {
            *self.0.entry(key).or_insert(0) += 1;
        }
    }

    fn entropy(&self) -> f64 {
        let total: u64 = self.0.values().sum();
        let share = |count: &u64| *count as f64 / total.max(1) as f64;
        self.0.values().map(|count| -share(count) * share(count).log2()).sum()
    }

    fn top_share(&self) -> f64 {
        let total: u64 = self.0.values().sum();
        self.0.values().max().map_or(0.0, |most| *most as f64 / total as f64)
    }
}

#[derive(Clone, Debug, Default)]
struct Profile {
    /// Requests of the last hour.
    times: VecDeque<Timestamp>,
    /// Of the seconds between them: sum and sum of squares.
    gaps: (f64, f64),
    /// Of all requests ever, as published.
    size: (f64, f64),
    countries: Counts,
    agents: Counts,
    paths: Counts,
    challenges: u32,
    blocked_until: Option<Timestamp>,
}

impl Profile {
    fn update(&mut self, request: &SeedRequest) -> isize {
        let before = self.times.len() as isize;
        if let Some(last) = self.times.back() {
            let gap = request.at.since(*last).as_secs_f64();
            self.gaps = (self.gaps.0 + gap, self.gaps.1 + gap * gap);
        }
        self.times.push_back(request.at);
        self.size = (self.size.0 + request.size as f64, self.size.1 + 1.0);
        self.countries.add(request.country);
        self.agents.add(request.agent);
        self.paths.add(request.path);
        while self.times.len() > 1 && request.at.since(self.times[0]) >= WINDOW {
            let first = self.times.pop_front().unwrap_or(request.at);
            let gap = self.times.front().map_or(0.0, |next| next.since(first).as_secs_f64());
            self.gaps = (self.gaps.0 - gap, self.gaps.1 - gap * gap);
        }
        self.times.len() as isize - before
    }

    fn features(&self) -> SeedFeatures {
        let gaps = self.times.len().saturating_sub(1) as f64;
        let mean = self.gaps.0 / gaps.max(1.0);
        SeedFeatures {
            request_rate: self.times.len() as f64 / 3600.0,
            rate_variance: if gaps > 0.0 { (self.gaps.1 / gaps - mean * mean).max(0.0) } else { 0.0 },
            avg_packet_size: self.size.0 / self.size.1.max(1.0),
            geo_entropy: self.countries.entropy(),
            ua_entropy: self.agents.entropy(),
            path_entropy: self.paths.entropy(),
            top_geo_concentration: self.countries.top_share(),
        }
    }
}

/// A request as the exercise sees it; countries, agents and paths as hashes.
#[derive(Clone, Copy, Debug)]
pub struct SeedRequest {
    /// When.
    pub at: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Its country.
    pub country: u64,
    /// Its agent.
    pub agent: u64,
    /// Its path.
    pub path: u64,
}

/// What the exercise decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SeedVerdict {
    /// Let through.
    Allow,
    /// Challenged: level 1 is a script, 2 a captcha, from 3 on proof of work of that difficulty.
    Challenge {
        /// The how manieth challenge of this address it is; the exercise does not say what its level is.
        level: u32,
        /// The threat score.
        threat: f64,
    },
    /// Blocked.
    Block {
        /// What is left of it, in seconds.
        seconds: u32,
        /// The threat score; 0 while an earlier block lasts.
        threat: f64,
    },
}

/// The exercise's system. Some 300 ns a request.
#[derive(Clone, Debug, Default)]
pub struct SeedSystem {
    profiles: BTreeMap<IpAddr, Profile>,
    /// Addresses by when they were last looked through for silence.
    remembered: isize,
    forest: Option<IsolationForest>,
    rows: Vec<[f32; 7]>,
}

impl SeedSystem {
    /// Grows the forest on features of normal traffic.
    ///
    /// # Errors
    /// [`Error::TooFewRows`] for fewer than two.
    pub fn fit(&mut self, normal: &[SeedFeatures], rng: &mut SeededRng) -> Result<(), Error> {
        let rows: Vec<[f32; 7]> = normal.iter().map(SeedFeatures::row).collect();
        self.forest = Some(IsolationForest::fit(&rows, Form::AsPublished, rng)?);
        Ok(())
    }

    /// Decides on a request. The exercise does not say where normal traffic comes from: here the forest is grown once, on
    /// the first thousand addresses that have made ten requests. Until then nothing is an anomaly.
    pub fn analyze(&mut self, source: IpAddr, request: &SeedRequest, rng: &mut SeededRng) -> SeedVerdict {
        if self.profiles.len() >= MOST_SOURCES && !self.profiles.contains_key(&source)
            || self.remembered > MOST_REQUESTS as isize
        {
            self.forget();
        }
        let profile = self.profiles.entry(source).or_default();
        if let Some(until) = profile.blocked_until.filter(|until| *until > request.at) {
            return SeedVerdict::Block { seconds: until.since(request.at).as_secs() as u32, threat: 0.0 };
        }
        self.remembered += profile.update(request);
        let features = profile.features();
        let Some(forest) = &self.forest else {
            if profile.times.len() == 10 {
                self.rows.push(features.row());
            }
            if self.rows.len() >= 1000 {
                self.forest = IsolationForest::fit(&self.rows, Form::AsPublished, rng).ok();
                self.rows = Vec::new();
            }
            return SeedVerdict::Allow;
        };
        if forest.score(&features.row()) <= ANOMALY {
            return SeedVerdict::Allow;
        }
        let threat = features.threat();
        if threat > BLOCK_ABOVE {
            profile.blocked_until = Some(request.at + BLOCK);
            return SeedVerdict::Block { seconds: BLOCK.as_secs() as u32, threat };
        }
        if threat > CHALLENGE_ABOVE {
            profile.challenges += 1;
            return SeedVerdict::Challenge { level: profile.challenges, threat };
        }
        SeedVerdict::Allow
    }

    /// Gives up the quarter of addresses that were silent for longest.
    fn forget(&mut self) {
        let mut last: Vec<Timestamp> = self.profiles.values().filter_map(|p| p.times.back().copied()).collect();
        last.sort_unstable();
        let Some(cut) = last.get(last.len() / 4).copied() else { return };
        self.profiles.retain(|_, profile| profile.times.back().is_some_and(|t| *t > cut));
        self.remembered = self.profiles.values().map(|p| p.times.len() as isize).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_772_366_400);

    fn request(ms: u64, path: u64, agent: u64) -> SeedRequest {
        SeedRequest { at: START + Duration::from_millis(ms), size: 500, country: 1, agent, path }
    }

    fn profile(requests: impl IntoIterator<Item = SeedRequest>) -> Profile {
        let mut profile = Profile::default();
        requests.into_iter().for_each(|r| {
            profile.update(&r);
        });
        profile
    }

    /// Threat scores of the published formula on the traces of the design note, §2.8.
    #[test]
    fn scores_are_those_of_the_formula() {
        let check = |profile: Profile, expected: f64| {
            let got = profile.features().threat();
            assert!((got - expected).abs() < 1e-9, "{got}, not {expected}");
        };
        check(profile([request(0, 1, 1)]), 0.9);
        check(profile((0..20).map(|i| request(10 * i, i, 1))), 0.7);
        check(profile((0..30).map(|i| request(10_000 * i, 1, 1))), 0.9);
        check(profile((0..2_000).map(|i| request(20 * i, i, i))), 0.5);
        // As many as take it past "100 an hour": 360,001 in an hour.
        let flood =
            Profile { times: (0..360_001).map(|i| START + Duration::from_millis(i / 101)).collect(), ..profile([]) };
        assert!(flood.features().request_rate > 100.0);
    }

    #[test]
    fn features_are_those_of_the_window() {
        let features =
            profile([request(0, 1, 1), request(1_000, 2, 1), request(4_000, 1, 2), request(9_000, 2, 2)]).features();
        assert_eq!(features.request_rate, 4.0 / 3600.0);
        // Gaps of 1, 3 and 5 s.
        assert!((features.rate_variance - 8.0 / 3.0).abs() < 1e-9);
        assert_eq!((features.path_entropy, features.ua_entropy, features.geo_entropy), (1.0, 1.0, 0.0));
        assert_eq!((features.avg_packet_size, features.top_geo_concentration), (500.0, 1.0));
        let later = profile([request(0, 1, 1), request(1_000, 1, 1), request(3_600_500, 1, 1)]).features();
        assert_eq!(later.request_rate, 2.0 / 3600.0);
        assert!(later.rate_variance.abs() < 1e-3);
    }

    #[test]
    fn an_anomaly_is_challenged_by_its_threat_or_blocked_for_an_hour() {
        let mut rng = SeededRng::seed_from_u64(1);
        let mut system = SeedSystem::default();
        let odd = "192.0.2.1".parse().unwrap();
        // Nothing is an anomaly without a forest.
        assert_eq!(system.analyze(odd, &request(0, 1, 1), &mut rng), SeedVerdict::Allow);
        let normal: Vec<SeedFeatures> = (0..2000)
            .map(|_| SeedFeatures {
                request_rate: 0.05 + 0.01 * rng.uniform(),
                rate_variance: 50.0 + 5.0 * rng.uniform(),
                avg_packet_size: 800.0 + 50.0 * rng.uniform(),
                geo_entropy: 0.2 * rng.uniform(),
                ua_entropy: 1.0 + rng.uniform(),
                path_entropy: 3.0 + rng.uniform(),
                top_geo_concentration: 0.9 + 0.1 * rng.uniform(),
            })
            .collect();
        system.fit(&normal, &mut rng).unwrap();
        let other = "192.0.2.2".parse().unwrap();
        let blocked = system.analyze(other, &request(0, 1, 1), &mut rng);
        let SeedVerdict::Block { seconds: 3600, threat } = blocked else { panic!("{blocked:?}") };
        assert!((threat - 0.9).abs() < 1e-9);
        let still = system.analyze(other, &request(60_000, 1, 1), &mut rng);
        assert_eq!(still, SeedVerdict::Block { seconds: 3540, threat: 0.0 });
    }

    #[test]
    fn memory_is_bounded() {
        let mut rng = SeededRng::seed_from_u64(1);
        let mut system = SeedSystem::default();
        for n in 0..30_000_u32 {
            system.analyze(std::net::Ipv4Addr::from(n).into(), &request(u64::from(n), 1, 1), &mut rng);
        }
        assert!(system.profiles.len() <= MOST_SOURCES);
    }
}
