//! How often a discrepancy was seen before, and when: what makes it ordinary or new.

use std::collections::VecDeque;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Figure, figure};

/// Name of the first figure of a history.
pub(super) const TIMES_SEEN: &str = "times_seen";
/// Episodes kept a kind.
const KEPT: usize = 32;
const DAY_S: f64 = 86_400.0;
/// Seconds of the day within which two episodes are at the same time of day.
const SAME_TIME_S: f64 = 3_600.0;

/// Episodes of one kind. Plain data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Episodes {
    times: u64,
    begun: VecDeque<Timestamp>,
}

/// What is known of the past when an episode begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct History {
    pub(super) text: String,
    pub(super) figures: Vec<Figure>,
}

impl Episodes {
    /// Counts an episode that begins at `now`, and says what came before it. Watching began at `watched`.
    pub(super) fn begin(&mut self, now: Timestamp, watched: Timestamp) -> History {
        let history = self.history(now, watched);
        if self.begun.len() >= KEPT {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
        self.times = self.times.saturating_add(1);
        history
    }

    fn history(&self, now: Timestamp, watched: Timestamp) -> History {
        let hours = |since: Timestamp| now.since(since).as_secs_f64() / 3_600.0;
        let watched_h = hours(watched);
        let same = self.begun.iter().filter(|begun| at_same_time(now, **begun)).count();
        let mut figures: Vec<Figure> = Vec::new();
        figures.extend(figure(TIMES_SEEN, self.times as f64, ""));
        figures.extend(figure("times_seen_at_this_time_of_day", same as f64, ""));
        figures.extend(figure("watched_h", watched_h, "h"));
        let Some(last) = self.begun.back() else {
            let text = format!("not seen before in {} of watching", span(watched_h));
            return History { text, figures };
        };
        figures.extend(figure("hours_since_last", hours(*last), "h"));
        let times = if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        let mut text = format!("seen {times} before in {}, last {} ago", span(watched_h), span(hours(*last)));
        if same > 0 {
            text.push_str(&format!("; {same} of the last {} at this time of day", self.begun.len()));
        }
        History { text, figures }
    }
}

fn at_same_time(a: Timestamp, b: Timestamp) -> bool {
    let apart = (a.as_secs_f64() - b.as_secs_f64()).rem_euclid(DAY_S);
    let days = (a.as_secs_f64() - b.as_secs_f64()).abs() > DAY_S / 2.0;
    days && apart.min(DAY_S - apart) <= SAME_TIME_S
}

fn span(hours: f64) -> String {
    match hours {
        h if h >= 48.0 => format!("{:.0} days", h / 24.0),
        h if h >= 2.0 => format!("{h:.0} hours"),
        h => format!("{:.0} minutes", 60.0 * h),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_is_told() {
        let at = |hour: i64| Timestamp::from_secs(3_600 * hour);
        let mut episodes = Episodes::default();
        let told = |episodes: &mut Episodes, hour: i64| episodes.begin(at(hour), at(0)).text;
        assert_eq!(told(&mut episodes, 1), "not seen before in 60 minutes of watching");
        assert_eq!(told(&mut episodes, 4), "seen once before in 4 hours, last 3 hours ago");
        let expected = "seen 2 times before in 2 days, last 45 hours ago; 1 of the last 2 at this time of day";
        assert_eq!(told(&mut episodes, 49), expected);
        for hour in 50..200 {
            episodes.begin(at(hour), at(0));
        }
        assert_eq!((episodes.begun.len(), episodes.times), (KEPT, 153));
    }
}
