//! The shapes of answers, as a table: each field with its type in a small notation, turned into JSON Schema.
//!
//! `text`, `time`, `whole`, `number`, `share` (0 to 1), `bool`; a name refers to another shape; `[T]` is a list, `(A, B)` a
//! tuple, and a `?` behind a type allows `null`.

use serde_json::{Map, Value as Json, json};

/// A shape: its name, what it is, and its fields with their types and meanings.
pub(super) struct Shape {
    pub(super) name: &'static str,
    about: &'static str,
    fields: &'static [(&'static str, &'static str, &'static str)],
}

/// Words a shape may consist of instead of fields.
pub(super) struct Words {
    name: &'static str,
    about: &'static str,
    words: &'static [&'static str],
}

pub(super) static WORDS: [Words; 7] = [
    Words { name: "Mode", about: "What may be done with a decision", words: &["observe", "recommend", "act"] },
    Words { name: "Direction", about: "Which way a pause holds", words: &["both", "up", "down"] },
    Words { name: "Role", about: "What a token may do", words: &["read", "operate"] },
    Words {
        name: "Quality",
        about: "How far a sample may be trusted",
        words: &["good", "saturated", "attack", "suspect"],
    },
    Words {
        name: "Metric",
        about: "What a number measures, over the whole service",
        words: &["request_rate", "utilisation", "memory", "connections", "queue_length"],
    },
    Words {
        name: "Driver",
        about: "What set the number of replicas",
        words: &["reactive", "predicted", "event", "minimum", "held", "stale", "manual", "foresight"],
    },
    Words {
        name: "Limit",
        about: "What cut or kept a decision",
        words: &["maximum", "minimum", "surge", "down_hold", "cooldown", "hysteresis", "budget", "attack_cap"],
    },
];

macro_rules! shapes {
    ($($name:ident: $about:literal { $($field:ident: $kind:literal, $what:literal;)* })*) => {
        /// Every shape that answers are made of.
        pub(super) static SHAPES: &[Shape] = &[$(Shape {
            name: stringify!($name),
            about: $about,
            fields: &[$((stringify!($field), $kind, $what)),*],
        }),*];
    };
}

shapes! {
    Problem: "A refusal" {
        error: "text", "What is wrong";
        field: "text?", "The parameter or field it is about";
        accepted: "text?", "What would be accepted there";
    }
    Document: "An OpenAPI document" {}
    Services: "Names of the services" { services: "[text]", "In the order of the configuration"; }
    Duration: "A length of time" { secs: "whole", "Whole seconds"; nanos: "whole", "Nanoseconds beside them"; }
    ReplicaCounts: "Replicas by state" {
        desired: "whole", "Last asked for"; ready: "whole", "Serving"; starting: "whole", "Ordered and not yet serving";
    }
    Sample: "A measurement over the interval that ends at `time`" {
        metric: "Metric", "What it measures"; time: "time", "End of its interval"; interval: "Duration", "Its interval";
        value: "number", "The value"; quality: "Quality", "How far to trust it";
    }
    Observation: "What a policy was told" {
        time: "time", "The instant of the decision"; tick: "Duration", "Until the next one";
        samples: "[Sample]", "The newest of each metric"; replicas: "ReplicaCounts", "The target as it stood";
    }
    Reason: "Why a decision is what it is" {
        driver: "Driver", "What set the number"; load: "number?", "The load that drove it";
        reactive: "whole", "Replicas needed for the load measured"; predicted: "whole?", "Replicas needed for the forecast";
        limits: "[Limit]", "What cut or kept it"; note: "text", "Anything else worth saying";
    }
    Decision: "How many replicas are wanted, and why" { desired: "whole", "Wanted replicas"; reason: "Reason", "Why"; }
    JournalRecord: "One decision with all it was made from" {
        id: "whole", "Counts from 1"; time: "time", "When"; policy: "text", "The policy"; mode: "Mode", "In force";
        observation: "Observation", "What was seen"; decision: "Decision", "What was decided";
        baseline: "whole", "What the baseline wanted"; version: "text", "Of configuration and learner";
    }
    Decisions: "A page of decisions, newest first" {
        service: "text", "The service"; decisions: "[JournalRecord]", "Newest first";
        next_before: "whole?", "`before` of the next page, if there may be one";
    }
    Fact: "Something measured" { name: "text", "What"; value: "text", "How much"; quality: "Quality", "How far to trust it"; }
    Explanation: "A decision in words" {
        service: "text", "The service"; id: "whole", "Of the decision"; time: "time", "When"; sentence: "text", "All in one";
        inputs: "[Fact]", "What was known"; steps: "[text]", "How the number came about";
    }
    Question: "A hypothetical" { load_rps: "number?", "Requests a second"; replicas: "whole?", "Replicas there are"; }
    Answer: "What would be decided" {
        decision: "Decision", "The decision"; sentence: "text", "Its reason"; baseline: "whole", "What the baseline wants";
    }
    WhatIf: "A question and its answer" {
        service: "text", "The service"; question: "Question", "As asked"; answer: "Answer", "What would be decided";
    }
    HistoryPoint: "A tick in the past" {
        time: "time", "End of the tick"; load_rps: "number?", "Requests a second"; saturated: "bool", "A lower bound only";
        ready: "whole", "Replicas that served"; desired: "whole", "Replicas asked for";
        baseline: "whole", "Replicas the baseline would have had"; late: "whole", "Requests late"; requests: "whole", "Requests";
        p99_ms: "number?", "99th percentile of latency";
    }
    Series: "What was observed and decided" {
        service: "text", "The service"; from: "time", "Start"; to: "time", "End, left out";
        points: "[HistoryPoint]", "In time order";
    }
    ForecastView: "A forecast fan: step i ends at start + (i + 1) · step" {
        start: "time", "Last observed time"; step: "Duration", "Length of a step"; model: "text", "What made it";
        mean: "[number]", "Requests a second, by step"; levels: "[share]", "Of the quantiles, rising";
        quantiles: "[[number]]", "By level, then step";
    }
    Forecast: "The forecast of the load" {
        service: "text", "The service"; time: "time", "Of the view it is from"; covered_s: "number", "How far it reaches";
        forecast: "ForecastView?", "None before there is history enough";
    }
    PendingView: "A recommendation waiting for an answer" {
        id: "whole", "To approve or reject"; time: "time", "When it was made"; expires: "time", "When it lapses";
        desired: "whole", "Replicas"; reason: "text", "Why";
    }
    ScoreView: "Champion against baseline over one stretch, both fed the observed load" {
        from: "time?", "Its start"; seconds: "number", "Its length"; requests: "number", "Requests that arrived";
        champion_late: "share", "Of its requests"; baseline_late: "share", "Of its requests";
        champion_hours: "number", "Replica-hours"; baseline_hours: "number", "Replica-hours";
        learner_cpu_s: "number", "What learning itself cost";
    }
    ServedView: "What was really served since start" {
        arrivals: "whole", "Requests that arrived"; completed: "whole", "Without an error"; failed: "whole", "Upstream";
        rejected: "whole", "Queue full, timed out or no endpoint"; late: "whole", "Late, failed or refused";
        in_flight: "whole", "Now"; queued: "whole", "Now"; retries: "whole", "Retries"; hedges: "(whole, whole)", "Second endpoints asked, and first to answer"; p50_ms: "number?", "Last tick";
        p99_ms: "number?", "Last tick"; replica_seconds: "number", "Paid for";
        log_lines_lost: "whole", "By the access log"; spans_exported: "whole", "To the collector";
        spans_lost: "whole", "Dropped or refused";
    }
    Scorecard: "Champion against baseline" {
        service: "text", "The service"; policy: "text", "The champion"; baseline: "text", "What it is measured against";
        since_start: "ScoreView", "Everything scored"; hours: "[ScoreView]", "By the hour, oldest first";
        saved: "number", "Share of the baseline's replica-hours done without"; served: "ServedView", "What was really served";
    }
    EndpointView: "An endpoint behind the proxy, or a copy not serving yet" {
        id: "text", "Its id"; address: "text", "Where it listens"; state: "text", "Such as ready or ejected";
        share: "share", "Of the picks of the last tick"; in_flight: "whole", "Now"; latency_ms: "number", "Weighted mean";
        p99_ms: "number?", "Last tick"; completed: "whole", "Since it started"; failed: "whole", "Since it started";
        ejections: "whole", "Times it was taken out";
        learned_ms: "(number, number, number)?", "Expected by the balancer, and its interval";
        posterior: "(share, share, share)?", "Of its reward, and its interval";
        curve: "(number, [number])?", "Served at a time, and what one more costs by quarters of that in flight";
    }
    WorkerBalancerView: "How one worker's balancer stands" {
        acting: "text", "`learner`, `baseline` or `contest`";
        cost_ratio: "(number, number, number)?", "Of the learner over the baseline, and its interval";
    }
    PeerView: "Another proxy of the same endpoints" {
        address: "text", "Its API, as configured"; heard: "time?", "When it last answered"; trouble: "text?", "Why it does not answer now";
    }
    Exchanged: "What balancers tell one another, in the form of their version" {}
    Statistics: "What a proxy has learned of its endpoints" {
        service: "text", "Its name"; statistics: "Exchanged?", "None where nothing is exchanged or learned yet";
    }
    BalancerView: "How a balancer that learns stands against least-request" {
        policy: "text", "Its name"; workers: "[WorkerBalancerView]", "Each worker of the proxy";
    }
    RoutedPairView: "A class of requests at a service" {
        latency_ms: "number", "Median at the usual load"; success: "share", "Of answers"; resource: "number", "As answers name it, or else ms";
        cost: "number", "Expected of a request"; tries: "number", "Answers that this rests on, those long ago counting less";
    }
    RoutedClassView: "A class of requests at each of the services" {
        name: "text?", "What they ask for, or their header"; services: "[RoutedPairView]", "In their order";
    }
    RoutedServiceView: "A service as the router knows it" {
        name: "text", "Empty for endpoints in none"; latency_ms: "number", "Median at the usual load"; success: "share", "Of answers";
        steepness: "number", "Share of latency that one more in flight adds";
    }
    RouterView: "How the request router stands, and what it knows" {
        phase: "text", "Who decides now: `cold_start`, `learned` or `baseline`"; acting: "text", "`learner`, `baseline` or `contest`";
        cost_ratio: "(number, number, number)?", "Of the router over least-request, and its interval: of the contest, or else of what is held out";
        contest_ratio: "(number, number, number)?", "The same of the last contest";
        outcomes: "whole", "Answers learned from"; lost: "whole", "Answers that were not"; changes: "whole", "Found, of what services are good at";
        importance: "[(text, share)]", "Features, largest share first"; services: "[RoutedServiceView]", "All of them";
        classes: "[RoutedClassView]", "Most frequent first, the first of many";
    }
    Endpoints: "Endpoints and totals" {
        service: "text", "The service"; endpoints: "[EndpointView]", "All of them"; served: "ServedView", "The totals";
    }
    ModelView: "A forecasting model in the running league" {
        name: "text", "Its name"; is_champion: "bool", "Whether it is in use"; weight: "share?", "In the ensemble";
        mae: "number?", "Mean absolute error at the horizon"; skill: "number?", "Over the seasonal naive's";
        coverage: "share?", "Within the 90 % interval"; scored: "whole", "Forecasts scored"; fit_s: "number?", "Last fit";
        fitted: "time?", "When"; errors: "[(time, number)]", "Error over time"; coverages: "[(time, share)]", "Coverage over time";
    }
    Told: "Something that happened" { time: "time", "When"; text: "text", "What"; }
    LeadView: "Residuals of forecasts so far ahead" {
        steps: "whole", "Ahead"; phase: "text", "`warm_up`, `calm` or `suspect`"; spread_rps: "number?", "Usual standard deviation";
        suspicions: "whole", "Raised"; changes: "whole", "Of those, for good"; spikes: "whole", "Of those, passed";
    }
    InputView: "One input of the models, the last window against a reference" {
        name: "text", "What it is"; index: "number", "Population stability index"; distance: "share", "Of Kolmogorov and Smirnov";
        p_value: "share", "By chance"; has_drifted: "bool", "Beyond chance, and enough to matter";
    }
    DriftView: "Whether the load still is what was learned from" {
        step: "Duration", "Of the leads"; leads: "[LeadView]", "That are watched"; score_weight: "share", "Of a new score";
        inputs: "[InputView]", "Empty before there is enough"; compared: "time?", "When they were"; told: "[Told]", "Newest first";
    }
    Models: "The league and its trials" {
        service: "text", "The service"; models: "[ModelView]", "Best first"; trials: "[Told]", "Newest first"; drift: "DriftView", "Of the load";
        champion_decides: "bool", "Else the baseline does";
    }
    KindView: "Requests alike by method and path" {
        name: "text", "`*` for what varies"; share: "share", "Of the requests"; usual: "share?", "Usually, in this kind of work";
    }
    AlikeView: "A past interval like the present one, and what followed" {
        time: "time", "Its start"; regime: "whole", "The kind of work"; distance: "number", "Between the fingerprints";
        rate_rps: "number?", "Requests a second"; busy: "number?", "Requests worked on at a time";
        regime_after: "whole?", "What followed `ahead` later"; rate_after_rps: "number?", "Likewise"; busy_after: "number?", "Likewise";
    }
    OwnMetricView: "A figure that the application tells of itself" {
        name: "text", "As configured"; value: "number", "In the interval"; usual: "number?", "In this kind of work";
    }
    FingerprintView: "What kind of work it is, as of the last interval that has ended" {
        time: "time", "Its start"; interval: "Duration", "Its length"; regime: "whole", "The kind of work, a number that stays its own";
        since: "time", "For how long it has been that"; regimes: "whole", "Told apart"; remembered: "whole", "Intervals";
        rate_rps: "number", "Requests a second"; kinds: "[KindView]", "Most frequent first";
        own: "[OwnMetricView]", "The application's own figures that answered";
        points: "[(time, whole, number, number)]", "Intervals: start, kind of work, first two numbers of the fingerprint";
        explained: "(share, share)", "Of what varies, by these two"; alike: "[AlikeView]", "Nearest first";
        busy: "number", "Requests worked on at a time"; busy_foretold: "number?", "The same, `ahead` on";
        ahead: "Duration", "How far that is"; changes: "[Told]", "With their reasons, newest first";
    }
    Fingerprint: "The fingerprint of a service" {
        service: "text", "The service"; fingerprint: "FingerprintView?", "None where none is taken, or nothing was seen yet";
    }
    GuardTotals: "Requests since the guard began" {
        arrivals: "whole", "All"; attack: "whole", "Taken for parts of attacks"; passed: "whole", "Let through";
        challenged: "whole", "With a page"; throttled: "whole", "With 429"; blocked: "whole", "With 403";
    }
    GuardClientView: "How a client stands" {
        client: "text", "Address, or network of IPv6"; origin: "text?", "Such as `country DE, AS64500`"; rps: "number", "Requests a second"; limit_rps: "number", "Of them allowed under pressure";
        ms_per_s: "number", "Of the endpoints' time"; strikes: "whole", "Refusals not heeded"; blocked_s: "number", "Of the block left";
    }
    GuardGroupView: "A group of requests of which there is more than usual" {
        dimension: "text", "By what it is grouped, such as `network`"; origin: "text?", "Such as `country DE` or `AS64500`"; share: "number", "Of all requests now"; usual: "number", "The most in seven days";
        evidence: "number", "Logarithm of odds";
    }
    GuardVerdictView: "A verdict against a request, or several alike on one client" {
        time: "time", "Of the last"; client: "text", "On whom"; path: "text", "Asked for first"; agent: "text", "What it said it was";
        count: "whole", "How many"; action: "text", "Done, or would be"; is_observed: "bool", "And not done"; reason: "text", "Why";
    }
    GuardView: "What the guard sees and does" {
        mode: "text", "`observe`, `enforce` or `seed`"; pressure: "share", "On the endpoints"; is_engaged: "bool", "May act";
        arrival_rps: "number", "Requests a second, held ones included"; attack_rps: "number", "Parts of attacks among them";
        limit_rps: "number", "For every client under pressure"; totals: "GuardTotals", "So far"; clients: "[GuardClientView]", "Who asks most, first";
        groups: "[GuardGroupView]", "Most telling first"; verdicts: "[GuardVerdictView]", "Newest first";
        pardons: "[(text, time)]", "Let in by an operator, until"; stands_down_until: "time?", "Only observes until then, by an operator";
    }
    Guard: "The guard of a service" {
        service: "text", "The service"; guard: "GuardView?", "None where there is none";
    }
    AlertView: "An alert" {
        kind: "text", "In snake case"; severity: "text", "`info`, `warning` or `critical`"; time: "time", "When it began"; ended: "time?", "When it ended"; text: "text", "What is wrong";
        action: "text", "What to do"; context: "[(text, number)]", "Figures of what was usual and what is, by name with unit";
    }
    Alerts: "Alerts that hold or held lately" { service: "text", "The service"; alerts: "[AlertView]", "Newest first"; }
    UtilisationView: "Utilisation after actions, against what was predicted" {
        compared: "whole", "Actions since the start"; mean_error: "number?", "Actual less predicted";
        mean_absolute_error: "number?", "Its magnitude";
        outcomes: "[(whole, time, number, number)]", "The last 50: decision, when due, predicted, actual";
    }
    CapacityView: "What one replica can do" {
        prior_rps: "number", "Configured"; learned_rps: "number", "Learned"; interval_rps: "(number, number)", "90 % interval";
        in_use: "bool", "Whether the learned one counts";
    }
    Startup: "How long a replica takes to start" {
        median_s: "number", "Median"; p90_s: "number", "90th percentile"; measured: "whole", "How many were";
    }
    Capacity: "Capacity and start-up" {
        service: "text", "The service"; capacity: "CapacityView", "Of a replica"; startup: "Startup", "Of a replica";
    }
    Pause: "A pause that holds" { until: "time", "Its end"; direction: "Direction", "Which orders"; }
    Override: "Replicas set by hand" { until: "time", "Its end"; replicas: "whole", "How many"; }
    Status: "What operators have made of a service" {
        service: "text", "The service"; mode: "Mode", "In force"; paused: "Pause?", "If it is"; killed: "bool", "The kill switch";
        overridden: "Override?", "If it is"; pending: "PendingView?", "If there is one";
    }
    Accepted: "A write that was carried out" { accepted: "bool", "Always true"; status: "Status?", "As of the newest view"; }
    Actor: "Who asked" { name: "text", "Name of the token"; role: "Role", "What it may do"; }
    AuditEntry: "One line of the audit trail" {
        id: "whole", "Counts from 1"; time: "time", "When"; actor: "Actor", "Who"; service: "text", "On which";
        word: "Word", "What was asked"; outcome: "text", "`accepted`, or why it was refused";
    }
    Audit: "A page of the audit trail" { entries: "[AuditEntry]", "Newest first"; next_before: "whole?", "As for decisions"; }
    ServiceView: "Everything there is to see of a service now" {
        service: "text", "Its name"; time: "time", "Of the newest tick"; speed: "number", "Seconds of its clock in a second";
        tick: "Duration", "On its clock"; mode: "Mode", "In force"; paused: "(time, Direction)?", "Until when, and which way";
        killed: "bool", "The kill switch"; overridden: "(time, whole)?", "Until when, and how many"; policy: "text", "Decides";
        baseline: "text", "What it is measured against"; champion_decides: "bool", "Else the baseline does";
        orders: "whole", "Given since start"; replicas: "ReplicaCounts", "Of the target"; limits: "(whole, whole)", "Of replicas";
        load_rps: "number?", "Requests a second"; last: "JournalRecord?", "The newest decision"; reason: "text", "Its sentence";
        pending: "PendingView?", "Waiting for an answer"; forecast: "ForecastView?", "Of the load";
        scorecard: "ScoreView", "Since start"; hours: "[ScoreView]", "By the hour"; served: "ServedView", "Since start";
        endpoints: "[EndpointView]", "Behind the proxy"; balancer: "BalancerView?", "If it learns"; router: "RouterView?", "Where there is one"; peers: "[PeerView]", "Other proxies of these endpoints"; models: "[ModelView]", "Best first"; trials: "[Told]", "Newest first";
        drift: "DriftView", "Of the load"; fingerprint: "FingerprintView?", "What kind of work it is"; guard: "GuardView?", "Where there is one"; alerts: "[AlertView]", "Newest first"; utilisation: "UtilisationView", "After actions";
        capacity: "CapacityView", "Of a replica";
        startup: "(number, number, whole)", "Median and 90th percentile, seconds, and how many were measured";
        tick_ms: "(number, number)", "The last one and the 99th percentile"; memory_bytes: "whole", "Of learned state";
    }
}

/// All shapes as JSON Schemas, by name.
pub(super) fn schemas() -> Map<String, Json> {
    let mut all = Map::new();
    for shape in SHAPES {
        let mut properties = Map::new();
        for (name, kind, about) in shape.fields {
            let mut schema = typed(kind);
            if let Json::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), json!(about));
            }
            properties.insert((*name).to_owned(), schema);
        }
        let required: Vec<&str> = shape.fields.iter().map(|(name, _, _)| *name).collect();
        all.insert(
            shape.name.to_owned(),
            json!({ "type": "object", "description": shape.about, "properties": properties, "required": required }),
        );
    }
    for words in &WORDS {
        all.insert(words.name.to_owned(), json!({ "type": "string", "description": words.about, "enum": words.words }));
    }
    all.insert(
        "Word".to_owned(),
        json!({
            "type": "object",
            "description": "An operator's word: its kind, and what belongs to that kind",
            "properties": { "kind": { "type": "string" } },
            "required": ["kind"],
        }),
    );
    all
}

/// The schema of a type in the notation.
fn typed(kind: &str) -> Json {
    let kind = kind.trim();
    if let Some(inner) = kind.strip_suffix('?') {
        return json!({ "anyOf": [typed(inner), { "type": "null" }] });
    }
    if let Some(inner) = kind.strip_prefix('[').and_then(|k| k.strip_suffix(']')) {
        return json!({ "type": "array", "items": typed(inner) });
    }
    if let Some(inner) = kind.strip_prefix('(').and_then(|k| k.strip_suffix(')')) {
        let parts: Vec<Json> = inner.split(',').map(typed).collect();
        return json!({ "type": "array", "minItems": parts.len(), "maxItems": parts.len(), "prefixItems": parts });
    }
    match kind {
        "text" => json!({ "type": "string" }),
        "time" => json!({ "type": "string", "format": "date-time" }),
        "whole" => json!({ "type": "integer", "minimum": 0 }),
        "number" => json!({ "type": "number" }),
        "share" => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        "bool" => json!({ "type": "boolean" }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_defined() {
        let all = schemas();
        let text = serde_json::to_string(&all).expect("JSON");
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().expect("a name");
            assert!(all.contains_key(name), "{name}");
        }
        assert_eq!(all.len(), SHAPES.len() + WORDS.len() + 1);
    }
}
