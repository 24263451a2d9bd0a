//! What is remembered of a client: 64 bytes, in a table of fixed size.

use foresail_core::Timestamp;

use crate::client::ClientId;
use crate::request::Kind;

/// Ticks of the profiles' clock a second. 32 bits of it last more than a year, and it may wrap.
pub(crate) const TICKS: u32 = 100;

/// Over what time requests and costs are forgotten, in seconds.
pub(crate) const MEMORY_S: f32 = 10.0;

/// The profiles' clock at `at`.
#[inline]
pub(crate) fn ticks(at: Timestamp) -> u32 {
    (at.as_micros().div_euclid(1_000_000 / i64::from(TICKS))) as u32
}

/// Seconds from one reading of the profiles' clock to a later one; 0 if it is earlier.
#[inline]
pub(crate) fn seconds(from: u32, to: u32) -> f32 {
    let passed = to.wrapping_sub(from);
    if passed > u32::MAX / 2 { 0.0 } else { passed as f32 / TICKS as f32 }
}

/// A client's record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub(crate) struct Profile {
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Requests, each forgotten over [`MEMORY_S`].
    fast: f32,
    /// Milliseconds of the origin, forgotten alike.
    cost_ms: f32,
    pub(crate) count: u32,
    /// Welford's moments of the logarithm of the time between visits, a visit ending with a second of silence.
    gap_mean: f32,
    gap_m2: f32,
    gaps: u16,
    /// Most of `fast` in this minute, in eighths.
    peak: u16,
    /// A bit for each path seen, by hash.
    paths: u64,
    /// Until when it is blocked.
    pub(crate) until: u32,
    /// What is left in its bucket.
    tokens: f32,
    /// When it was last refused.
    pub(crate) struck: u32,
    minute: u16,
    /// A bit for each agent seen, by hash.
    agents: u16,
    /// Shares of requests, lately, in 255ths.
    errors: u8,
    misses: u8,
    pages: u8,
    assets: u8,
    /// Refusals that were not answered.
    pub(crate) strikes: u8,
    /// Blocks so far.
    pub(crate) blocks: u8,
    /// What the forest makes of it; 255 is nothing yet.
    pub(crate) oddness: u8,
    /// The last hour (modulo 256) in which it lent itself to training.
    sampled: u8,
}

const _: () = assert!(size_of::<Profile>() == 64);

/// What the isolation forest sees of a client.
pub(crate) const FEATURES: usize = 9;

impl Profile {
    pub(crate) fn new(now: u32, tokens: f32) -> Self {
        Self {
            first: now,
            last: now,
            until: now,
            struck: now,
            tokens,
            oddness: u8::MAX,
            minute: minute(now),
            ..Self::default()
        }
    }

    /// Counts a request. If it is the first of a new minute, the most of requests and the costs a second in the minute before.
    #[inline]
    pub(crate) fn arrive(&mut self, now: u32, kind: Kind, path_hash: u64, agent_hash: u64) -> Option<(f32, f32)> {
        let gap = seconds(self.last, now);
        let ended = (minute(now) != self.minute)
            .then(|| (f32::from(self.peak) / 8.0 / MEMORY_S, self.cost_ms / MEMORY_S))
            .filter(|_| self.count > 0);
        if gap > 0.0 {
            let keep = (-gap / MEMORY_S).exp();
            self.fast *= keep;
            self.cost_ms *= keep;
            if gap > 1.0 {
                self.gaps = self.gaps.saturating_add(1);
                let (log, n) = (gap.ln(), f32::from(self.gaps.min(256)));
                let off = log - self.gap_mean;
                self.gap_mean += off / n;
                self.gap_m2 = (self.gap_m2 + off * (log - self.gap_mean)) * if n < 256.0 { 1.0 } else { 255.0 / 256.0 };
            }
        }
        self.fast += 1.0;
        self.count = self.count.saturating_add(1);
        if ended.is_some() || self.count == 1 {
            self.minute = minute(now);
            self.peak = 0;
        }
        self.peak = self.peak.max((self.fast * 8.0).min(65_535.0) as u16);
        self.paths |= 1 << (path_hash & 63);
        self.agents |= 1 << (agent_hash & 15);
        drift(&mut self.pages, kind == Kind::Navigation);
        drift(&mut self.assets, kind == Kind::Asset);
        // A clock that went back is not followed.
        if gap > 0.0 || self.last == now {
            self.last = now;
        }
        ended
    }

    /// Takes in what came of a request.
    pub(crate) fn outcome(&mut self, origin_ms: f32, is_error: bool, is_miss: bool) {
        self.cost_ms += origin_ms.clamp(0.0, 600_000.0);
        drift(&mut self.errors, is_error);
        drift(&mut self.misses, is_miss);
    }

    /// Requests a second, lately.
    #[inline]
    pub(crate) fn rps(&self) -> f32 {
        self.fast / MEMORY_S
    }

    /// Milliseconds of the origin a second, lately.
    #[inline]
    pub(crate) fn cost_rate(&self) -> f32 {
        self.cost_ms / MEMORY_S
    }

    /// Requests in memory.
    #[inline]
    pub(crate) fn recent(&self) -> f32 {
        self.fast
    }

    /// Whether several programs speak from this address, so that it is a door rather than a person.
    pub(crate) fn is_shared(&self) -> bool {
        self.agents.count_ones() >= 4
    }

    /// Which sort of requests it makes: 0 pages alone, 1 pages and their parts, 2 neither pages nor parts.
    #[inline]
    pub(crate) fn purity(&self) -> usize {
        match (self.pages > 12, self.assets > 12) {
            (true, false) => 0,
            (_, true) => 1,
            (false, false) => 2,
        }
    }

    /// Whether visits come like clockwork: 0 unknown, 1 no, 2 yes.
    #[inline]
    pub(crate) fn regularity(&self) -> usize {
        match self.gaps {
            0..6 => 0,
            n if self.gap_m2 < 0.05 * f32::from(n.min(256)) => 2,
            _ => 1,
        }
    }

    /// Takes a token out of a bucket that gets `per_s` and holds `most`; none if it is empty. Called once a request, after
    /// `since` seconds.
    pub(crate) fn withdraw(&mut self, since: f32, per_s: f32, most: f32) -> bool {
        self.tokens = (self.tokens + since * per_s).min(most);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return true;
        }
        false
    }

    /// Notes a refusal; one that could have been heeded counts.
    pub(crate) fn strike(&mut self, now: u32, is_ignored: bool) {
        self.struck = now;
        self.strikes = self.strikes.saturating_add(u8::from(is_ignored));
    }

    /// Blocks it. Half of what it did is forgiven, so that it is blocked again sooner if it goes on.
    pub(crate) fn block(&mut self, now: u32, seconds: f32) {
        self.until = now.wrapping_add((seconds * TICKS as f32) as u32);
        self.blocks = self.blocks.saturating_add(1);
        self.strikes /= 2;
    }

    /// Forgives everything at once.
    pub(crate) fn pardon(&mut self, now: u32) {
        (self.until, self.strikes, self.blocks) = (now, 0, 0);
    }

    /// Seconds that its block still lasts.
    #[inline]
    pub(crate) fn blocked_s(&self, now: u32) -> f32 {
        // Whoever was never blocked keeps an old reading, which the clock may come round to.
        if self.blocks == 0 { 0.0 } else { seconds(now, self.until) }
    }

    /// Forgives, with time: a refusal in half a minute of peace, a block in ten.
    pub(crate) fn settle(&mut self, now: u32) {
        if self.strikes == 0 && self.blocks == 0 {
            return;
        }
        let unblocked = if self.blocks > 0 { seconds(self.until, now) } else { f32::MAX };
        let peace = seconds(self.struck, now).min(unblocked);
        let forgiven = (peace / 30.0) as u8;
        if forgiven > 0 {
            self.strikes = self.strikes.saturating_sub(forgiven);
            if peace >= 600.0 {
                self.blocks = self.blocks.saturating_sub((peace / 600.0) as u8);
            }
            self.struck = now;
        }
    }

    /// Whether it has not lent itself to training in this hour; from now on it has.
    pub(crate) fn sample_once(&mut self, hour: u8) -> bool {
        std::mem::replace(&mut self.sampled, hour) != hour
    }

    /// What the forest sees. Logarithms where sizes matter, shares else.
    pub(crate) fn features(&self) -> [f32; FEATURES] {
        let share = |byte: u8| f32::from(byte) / 255.0;
        let gaps = f32::from(self.gaps.clamp(1, 256));
        [
            self.fast.max(0.01).ln(),
            (self.gap_m2 / gaps).sqrt(),
            self.gap_mean,
            self.paths.count_ones() as f32 / (self.count.clamp(1, 64) as f32),
            self.agents.count_ones() as f32,
            share(self.errors),
            share(self.misses),
            share(self.pages),
            (self.cost_ms / self.fast.max(1.0)).max(0.1).ln(),
        ]
    }

    /// How much it would matter to lose the record: whoever was refused stays, then whoever has been here for long.
    fn worth(&self, now: u32) -> f32 {
        let idle = seconds(self.last, now);
        let held = f32::from(self.strikes) * 60.0 + f32::from(self.blocks) * 600.0;
        let is_blocked = self.blocked_s(now) > 0.0;
        let age = seconds(self.first, self.last).min(3_600.0);
        held + if is_blocked { 1e6 } else { 0.0 } + 0.5 * age + (self.count as f32).ln_1p() * 30.0 - idle
    }
}

fn minute(now: u32) -> u16 {
    (now / (60 * TICKS)) as u16
}

/// Moves a share a sixteenth of the way.
#[inline]
fn drift(share: &mut u8, is_so: bool) {
    if is_so {
        *share += (u8::MAX - *share).div_ceil(16);
    } else {
        *share -= share.div_ceil(16).min(*share);
    }
}

/// Records in one set.
const WAYS: usize = 8;

/// A fixed table of profiles in sets of eight. A full set gives up the record that matters least, so that no flood of
/// strangers washes out the record of one who was refused, and nobody is refused for want of room.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    tags: Vec<[u64; WAYS]>,
    profiles: Vec<[Profile; WAYS]>,
}

/// Where a record is; good until the next one is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize, usize);

impl Table {
    /// Of `clients` records, rounded up to a power of two between 64 and 2^24.
    pub(crate) fn new(clients: usize) -> Self {
        let sets = clients.clamp(64, 1 << 24).next_power_of_two() / WAYS;
        Self { tags: vec![[0; WAYS]; sets], profiles: vec![[Profile::default(); WAYS]; sets] }
    }

    fn set(&self, hash: u64) -> usize {
        (hash >> 20) as usize & (self.tags.len() - 1)
    }

    /// Where the record of a client is, if there is one.
    #[inline]
    pub(crate) fn find(&self, client: ClientId, hash: u64) -> Option<Slot> {
        let set = self.set(hash);
        let way = self.tags[set].iter().position(|tag| *tag == client.word())?;
        Some(Slot(set, way))
    }

    #[inline]
    pub(crate) fn at(&mut self, Slot(set, way): Slot) -> &mut Profile {
        &mut self.profiles[set][way]
    }

    /// Begins a record of a client that has none.
    pub(crate) fn insert(&mut self, client: ClientId, hash: u64, profile: Profile) -> Slot {
        let set = self.set(hash);
        let free = self.tags[set].iter().position(|tag| *tag == 0);
        let way = free.unwrap_or_else(|| {
            let worth = |way: &usize| self.profiles[set][*way].worth(profile.last);
            (0..WAYS).min_by(|a, b| worth(a).total_cmp(&worth(b))).unwrap_or(0)
        });
        self.tags[set][way] = client.word();
        self.profiles[set][way] = profile;
        Slot(set, way)
    }

    /// Bytes it takes, always the same.
    pub(crate) fn bytes(&self) -> usize {
        self.tags.len() * WAYS * (size_of::<u64>() + size_of::<Profile>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u32 = TICKS;

    fn client(n: u32) -> ClientId {
        ClientId::of(std::net::Ipv4Addr::from(n).into())
    }

    #[test]
    fn a_page_with_its_parts_is_one_visit_and_clockwork_is_told() {
        let mut person = Profile::new(0, 0.0);
        let mut clock = Profile::new(0, 0.0);
        let mut now = 0;
        for visit in 0..20_u32 {
            now += SECOND * [5, 70, 20, 200][visit as usize % 4];
            for part in 0..10 {
                person.arrive(now + part, if part == 0 { Kind::Navigation } else { Kind::Asset }, u64::from(visit), 1);
            }
            clock.arrive(visit * 10 * SECOND, Kind::Api, 3, 1);
        }
        assert_eq!((person.purity(), person.regularity()), (1, 1));
        assert_eq!((clock.purity(), clock.regularity()), (2, 2));
        assert_eq!(person.gaps, 20);
        assert!(!person.is_shared());
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut profile = Profile::new(0, 0.0);
        for now in 0..60 * SECOND / 2 {
            profile.arrive(now * 2, Kind::Api, 0, 0);
            profile.outcome(4.0, false, false);
        }
        assert!((profile.rps() / 50.0 - 1.0).abs() < 0.02, "{}", profile.rps());
        assert!((profile.cost_rate() / 200.0 - 1.0).abs() < 0.02);
        let ended = profile.arrive(61 * SECOND, Kind::Api, 0, 0).expect("a minute has ended");
        assert!((ended.0 / 50.0 - 1.0).abs() < 0.02, "{ended:?}");
    }

    #[test]
    fn whoever_was_refused_is_remembered_in_a_crowd() {
        let mut table = Table::new(64);
        let mut bad = Profile::new(0, 0.0);
        bad.strikes = 9;
        bad.block(0, 600.0);
        table.insert(client(1), 5 << 20, bad);
        for stranger in 2..10_000 {
            table.insert(client(stranger), u64::from(stranger) << 20, Profile::new(stranger, 0.0));
        }
        let slot = table.find(client(1), 5 << 20).expect("it is there");
        assert_eq!(table.at(slot).blocks, 1);
        assert_eq!(table.bytes(), 64 * 72);
    }

    #[test]
    fn blocks_end_and_are_forgiven_wherever_the_clock_is() {
        for start in [0, 1 << 31, u32::MAX - 10 * SECOND] {
            let at = |s: u32| start.wrapping_add(s * SECOND);
            let mut profile = Profile::new(start, 0.0);
            assert_eq!(profile.blocked_s(at(5)), 0.0);
            (0..6).for_each(|_| profile.strike(at(5), true));
            profile.block(at(5), 60.0);
            assert_eq!((profile.blocked_s(at(5)), profile.blocked_s(at(66)), profile.strikes), (60.0, 0.0, 3));
            profile.settle(at(64));
            assert_eq!(profile.strikes, 3);
            profile.settle(at(65 + 31));
            assert_eq!((profile.strikes, profile.blocks), (2, 1));
            profile.settle(at(65 + 31 + 700));
            assert_eq!((profile.strikes, profile.blocks), (0, 0));
        }
    }

    #[test]
    fn a_bucket_lets_no_more_through_than_it_is_given() {
        let mut profile = Profile::new(0, 5.0);
        let passed = (0..1_000).filter(|_| profile.withdraw(0.01, 2.0, 5.0)).count();
        assert!((24..=25).contains(&passed), "{passed}");
    }

    proptest! {
        /// However requests come, rates are finite and not negative, and features are finite.
        #[test]
        fn no_sequence_breaks_a_profile(steps in prop::collection::vec((any::<u32>(), any::<u64>(), 0..3_u8, any::<f32>()), 1..200)) {
            let mut profile = Profile::new(steps[0].0, 0.0);
            for (now, hash, kind, ms) in steps {
                let kind = [Kind::Navigation, Kind::Asset, Kind::Api][usize::from(kind)];
                profile.arrive(now, kind, hash, hash >> 8);
                profile.outcome(if ms.is_nan() { 0.0 } else { ms }, hash & 1 == 0, hash & 2 == 0);
                prop_assert!(profile.rps().is_finite() && profile.rps() >= 0.0);
                prop_assert!(profile.features().iter().all(|f| f.is_finite()), "{:?}", profile.features());
            }
        }

        /// A record that was just begun is there.
        #[test]
        fn the_newest_record_is_there(clients in prop::collection::vec(1..u32::MAX, 1..200)) {
            let mut table = Table::new(64);
            for (now, n) in clients.into_iter().enumerate() {
                let hash = u64::from(n) << 20;
                if table.find(client(n), hash).is_none() {
                    table.insert(client(n), hash, Profile::new(now as u32, 0.0));
                }
                prop_assert!(table.find(client(n), hash).is_some());
            }
        }
    }
}
