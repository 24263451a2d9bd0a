//! Every route, once: the router, the checks of what comes in and the OpenAPI document are all made from this table.

use std::future::Future;
use std::pin::Pin;

use axum::http::Method;
use axum::response::Response;
use axum::routing::MethodFilter;

use super::app::Call;
use super::field::{Field, Kind};
use super::plane::Role;
use super::problem::Problem;
use super::{commands, decisions, events, metrics, state, what_if};

/// What a handler answers with, some time.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// A method, as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Get,
    Put,
    Post,
    Delete,
}

impl Verb {
    /// As HTTP has it.
    pub(super) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Put => Method::PUT,
            Self::Post => Method::POST,
            Self::Delete => Method::DELETE,
        }
    }

    /// As the router takes it.
    pub(super) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Put => MethodFilter::PUT,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// One method on one path.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// Name of the operation in the document.
    pub(super) id: &'static str,
    /// How it is asked.
    pub(super) verb: Verb,
    /// With `{service}` and `{id}`.
    pub(super) path: &'static str,
    /// What it takes; nothing for what anybody may see.
    pub(super) role: Option<Role>,
    /// What it does, a sentence.
    pub(super) summary: &'static str,
    /// Parameters in the query.
    pub(super) query: &'static [Field],
    /// Fields of the body; none where there is no body.
    pub(super) body: Option<&'static [Field]>,
    /// What it answers.
    pub(super) answer: Answer,
    /// Does it.
    pub(super) handler: fn(Call) -> Answering,
}

/// What a route answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// JSON of the schema of that name.
    Json(&'static str),
    /// JSON of that schema, or text if that is asked for.
    JsonOrText(&'static str),
    /// Plain text.
    Text,
    /// Server-sent events.
    Events,
}

/// Fields in paths.
pub(super) static IN_PATH: [Field; 2] = [
    Field { name: "service", kind: Kind::Text(200), required: true, about: "Name of the service" },
    Field { name: "id", kind: Kind::Whole(0, i64::MAX as u64), required: true, about: "Id in the journal" },
];

const WEEK: u64 = 604_800;
const SERVICE: Field = Field {
    name: "service",
    kind: Kind::Text(200),
    required: false,
    about: "Name of the service; the first one without",
};
const FORMAT: Field =
    Field { name: "format", kind: Kind::OneOf(&["json", "text"]), required: false, about: "`json` without" };
const HORIZON: Field = Field {
    name: "horizon",
    kind: Kind::Whole(1, WEEK),
    required: false,
    about: "Seconds ahead on the service's clock; everything that is forecast without",
};
const BEFORE: Field = Field {
    name: "before",
    kind: Kind::Whole(0, i64::MAX as u64),
    required: false,
    about: "Only ids below this one; the newest without",
};
const LIMIT: Field =
    Field { name: "limit", kind: Kind::Whole(1, 500), required: false, about: "At most so many; 50 without" };
const SECONDS: Field = Field {
    name: "seconds",
    kind: Kind::Whole(1, WEEK),
    required: true,
    about: "For how long, on the service's clock",
};
const ID: Field = Field {
    name: "id",
    kind: Kind::Whole(0, i64::MAX as u64),
    required: false,
    about: "Id of a decision; the newest without",
};

static NOTHING: [Field; 0] = [];
static ONE_SERVICE: [Field; 1] = [SERVICE];
static FAN: [Field; 1] = [HORIZON];
static FAN_OF: [Field; 2] = [SERVICE, HORIZON];
static PAGE: [Field; 2] = [BEFORE, LIMIT];
static PAGE_OF: [Field; 3] = [SERVICE, BEFORE, LIMIT];
static TOLD: [Field; 1] = [FORMAT];
static TOLD_OF: [Field; 3] = [SERVICE, ID, FORMAT];
const FROM: Field =
    Field { name: "from", kind: Kind::Time, required: false, about: "Start; a day before `to` without" };
const TO: Field =
    Field { name: "to", kind: Kind::Time, required: false, about: "End, itself left out; the newest tick without" };
const MOST: Field = Field {
    name: "max",
    kind: Kind::Whole(1, 10_000),
    required: false,
    about: "At most so many points; 1,000 without",
};
static SPAN: [Field; 3] = [FROM, TO, MOST];
static SPAN_OF: [Field; 4] = [SERVICE, FROM, TO, MOST];
static QUESTION: [Field; 2] = [
    Field {
        name: "load_rps",
        kind: Kind::Number(0.0, 1e12),
        required: false,
        about: "Requests a second; as observed without",
    },
    Field {
        name: "replicas",
        kind: Kind::Whole(0, 1_000_000),
        required: false,
        about: "Replicas there are; as observed without",
    },
];
static MODE: [Field; 1] =
    [Field { name: "mode", kind: Kind::OneOf(&["observe", "recommend", "act"]), required: true, about: "From now on" }];
static PAUSE: [Field; 2] = [
    SECONDS,
    Field {
        name: "direction",
        kind: Kind::OneOf(&["both", "up", "down"]),
        required: false,
        about: "Which orders are held back; both without",
    },
];
static OVERRIDE: [Field; 2] = [
    Field { name: "replicas", kind: Kind::Whole(0, 1_000_000), required: true, about: "So many, within the limits" },
    SECONDS,
];
static EVENT: [Field; 5] = [
    Field { name: "from", kind: Kind::Time, required: true, about: "When it starts" },
    Field { name: "to", kind: Kind::Time, required: true, about: "When it has ended, after `from`" },
    Field {
        name: "factor",
        kind: Kind::Number(0.0, 1000.0),
        required: false,
        about: "Expected load over what would be there without it; 1 without",
    },
    Field {
        name: "floor",
        kind: Kind::Whole(0, 1_000_000),
        required: false,
        about: "Replicas to have ready throughout",
    },
    Field { name: "label", kind: Kind::Text(100), required: true, about: "What people call it" },
];
static PARDON: [Field; 2] = [
    Field { name: "client", kind: Kind::Address, required: true, about: "Who; all of its /64 if it is IPv6" },
    SECONDS,
];
static A_WHILE: [Field; 1] = [SECONDS];
static LABEL: [Field; 1] =
    [Field { name: "label", kind: Kind::Text(100), required: true, about: "Label of the events to take back" }];

macro_rules! handler {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

const fn read(
    id: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [Field],
    answer: Answer,
    handler: fn(Call) -> Answering,
) -> Route {
    Route { id, verb: Verb::Get, path, role: Some(Role::Read), summary, query, body: None, answer, handler }
}

const fn open(id: &'static str, path: &'static str, summary: &'static str, handler: fn(Call) -> Answering) -> Route {
    let answer = Answer::Text;
    Route { id, verb: Verb::Get, path, role: None, summary, query: &NOTHING, body: None, answer, handler }
}

/// A question with a body: nothing is changed by asking.
const fn ask(id: &'static str, path: &'static str, query: &'static [Field]) -> Route {
    Route {
        id,
        verb: Verb::Post,
        path,
        role: Some(Role::Read),
        summary: "What would be decided now for this load and these replicas; nothing changes",
        query,
        body: Some(&QUESTION),
        answer: Answer::Json("WhatIf"),
        handler: handler!(what_if::decide),
    }
}

const fn write(
    id: &'static str,
    verb: Verb,
    path: &'static str,
    summary: &'static str,
    body: Option<&'static [Field]>,
    handler: fn(Call) -> Answering,
) -> Route {
    let (role, answer) = (Some(Role::Operate), Answer::Json("Accepted"));
    Route { id, verb, path, role, summary, query: &NOTHING, body, answer, handler }
}

const fn of_one(route: Route) -> Route {
    Route { query: &ONE_SERVICE, ..route }
}

/// How many there are.
pub(super) const COUNT: usize = 52;

/// All routes of the API, in the order of the document.
#[rustfmt::skip]
pub(super) static ROUTES: [Route; COUNT] = [
    read("services", "/api/v1/services", "Names of the services", &NOTHING, Answer::Json("Services"), handler!(state::services)),
    read("view", "/api/v1/services/{service}", "Everything there is to see of a service now", &NOTHING, Answer::Json("ServiceView"), handler!(state::view)),
    read("series", "/api/v1/services/{service}/series", "What was observed and decided, thinned evenly", &SPAN, Answer::Json("Series"), handler!(state::series)),
    read("forecast", "/api/v1/services/{service}/forecast", "The forecast of the load, with its quantiles", &FAN, Answer::Json("Forecast"), handler!(state::forecast)),
    read("predict", "/api/v1/services/{service}/predict", "Another name of `forecast`", &FAN, Answer::Json("Forecast"), handler!(state::forecast)),
    ask("decide", "/api/v1/services/{service}/decide", &NOTHING),
    read("decisions", "/api/v1/services/{service}/decisions", "Decisions, newest first", &PAGE, Answer::Json("Decisions"), handler!(decisions::page)),
    read("decision", "/api/v1/services/{service}/decisions/{id}", "One decision with all it was made from", &NOTHING, Answer::Json("JournalRecord"), handler!(decisions::one)),
    read("explain", "/api/v1/services/{service}/decisions/{id}/explain", "Why one decision is what it is, in words", &TOLD, Answer::JsonOrText("Explanation"), handler!(decisions::explain)),
    read("models", "/api/v1/services/{service}/models", "Forecasting models, best first, and their trials", &NOTHING, Answer::Json("Models"), handler!(state::models)),
    read("fingerprint", "/api/v1/services/{service}/fingerprint", "What kind of work it is doing, its mix, and past states alike", &NOTHING, Answer::Json("Fingerprint"), handler!(state::fingerprint)),
    read("guard", "/api/v1/services/{service}/guard", "What the guard sees and does: pressure, clients, groups, verdicts with reasons", &NOTHING, Answer::Json("Guard"), handler!(state::guard)),
    write("pardon", Verb::Post, "/api/v1/services/{service}/guard/pardon", "Lets a client in for a while, whatever the guard holds against it", Some(&PARDON), handler!(commands::pardon)),
    write("stand_down", Verb::Post, "/api/v1/services/{service}/guard/stand_down", "The guard only observes for a while", Some(&A_WHILE), handler!(commands::stand_down)),
    write("stand_up", Verb::Post, "/api/v1/services/{service}/guard/stand_up", "The guard acts again as configured", Some(&NOTHING), handler!(commands::stand_up)),
    read("scorecard", "/api/v1/services/{service}/scorecard", "Champion against baseline on the same load", &NOTHING, Answer::Json("Scorecard"), handler!(state::scorecard)),
    read("endpoints", "/api/v1/services/{service}/endpoints", "Endpoints behind the proxy, and what was served", &NOTHING, Answer::Json("Endpoints"), handler!(state::endpoints)),
    read("statistics", "/api/v1/services/{service}/statistics", "What its proxy has learned of the endpoints, for other proxies of them", &NOTHING, Answer::Json("Statistics"), handler!(state::statistics)),
    read("alerts", "/api/v1/services/{service}/alerts", "Alerts that hold or held lately", &NOTHING, Answer::Json("Alerts"), handler!(state::alerts)),
    read("capacity", "/api/v1/services/{service}/capacity", "What one replica can do, and how long it takes to start", &NOTHING, Answer::Json("Capacity"), handler!(state::capacity)),
    read("mode", "/api/v1/services/{service}/mode", "Mode, pause, kill switch, override and pending recommendation", &NOTHING, Answer::Json("Status"), handler!(state::mode)),
    write("set_mode", Verb::Put, "/api/v1/services/{service}/mode", "Observe, recommend or act from now on", Some(&MODE), handler!(commands::mode)),
    write("pause", Verb::Post, "/api/v1/services/{service}/pause", "No orders for a while", Some(&PAUSE), handler!(commands::pause)),
    write("resume", Verb::Post, "/api/v1/services/{service}/resume", "Ends a pause", Some(&NOTHING), handler!(commands::resume)),
    write("kill", Verb::Post, "/api/v1/services/{service}/kill", "No orders of any kind until revived", Some(&NOTHING), handler!(commands::kill)),
    write("revive", Verb::Post, "/api/v1/services/{service}/revive", "Ends a kill", Some(&NOTHING), handler!(commands::revive)),
    write("set_override", Verb::Put, "/api/v1/services/{service}/override", "This many replicas for a while, whatever is forecast", Some(&OVERRIDE), handler!(commands::set_override)),
    write("clear_override", Verb::Delete, "/api/v1/services/{service}/override", "Ends an override", None, handler!(commands::clear_override)),
    write("approve", Verb::Post, "/api/v1/services/{service}/recommendations/{id}/approve", "Carries a pending recommendation out", Some(&NOTHING), handler!(commands::approve)),
    write("reject", Verb::Post, "/api/v1/services/{service}/recommendations/{id}/reject", "Drops a pending recommendation", Some(&NOTHING), handler!(commands::reject)),
    write("announce", Verb::Post, "/api/v1/services/{service}/events", "Announces an event", Some(&EVENT), handler!(commands::announce)),
    Route { query: &LABEL, ..write("withdraw", Verb::Delete, "/api/v1/services/{service}/events", "Takes announced events of a label back", None, handler!(commands::withdraw)) },
    read("audit", "/api/v1/audit", "The audit trail, newest first", &PAGE, Answer::Json("Audit"), handler!(decisions::audit)),
    read("events", "/api/v1/events", "Server-sent events: `view` with a service's whole view, at once and after every tick", &ONE_SERVICE, Answer::Events, handler!(events::stream)),
    read("openapi", "/api/v1/openapi.json", "This document", &NOTHING, Answer::Json("Document"), handler!(state::document)),
    read("predict_one", "/predict", "The forecast of one service", &FAN_OF, Answer::Json("Forecast"), handler!(state::forecast)),
    read("forecast_one", "/forecast", "The forecast of one service", &FAN_OF, Answer::Json("Forecast"), handler!(state::forecast)),
    read("series_one", "/series", "What was observed and decided for one service", &SPAN_OF, Answer::Json("Series"), handler!(state::series)),
    ask("decide_one", "/decide", &ONE_SERVICE),
    read("decisions_one", "/decisions", "Decisions of one service, newest first", &PAGE_OF, Answer::Json("Decisions"), handler!(decisions::page)),
    read("explain_one", "/explain", "Why a decision of one service is what it is, in words", &TOLD_OF, Answer::JsonOrText("Explanation"), handler!(decisions::explain)),
    read("models_one", "/models", "Forecasting models of one service", &ONE_SERVICE, Answer::Json("Models"), handler!(state::models)),
    read("scorecard_one", "/scorecard", "Champion against baseline for one service", &ONE_SERVICE, Answer::Json("Scorecard"), handler!(state::scorecard)),
    read("mode_one", "/mode", "Mode and state of one service", &ONE_SERVICE, Answer::Json("Status"), handler!(state::mode)),
    of_one(write("set_mode_one", Verb::Put, "/mode", "Sets the mode of one service", Some(&MODE), handler!(commands::mode))),
    of_one(write("pause_one", Verb::Post, "/pause", "No orders to one service for a while", Some(&PAUSE), handler!(commands::pause))),
    of_one(write("resume_one", Verb::Post, "/resume", "Ends a pause of one service", Some(&NOTHING), handler!(commands::resume))),
    read("metrics", "/metrics", "Everything countable, in Prometheus' text format", &NOTHING, Answer::Text, handler!(metrics::scrape)),
    open("healthz", "/healthz", "Whether the process answers", handler!(state::health)),
    open("readyz", "/readyz", "Whether the loop keeps up", handler!(state::ready)),
    read("alerts_one", "/alerts", "Alerts of one service", &ONE_SERVICE, Answer::Json("Alerts"), handler!(state::alerts)),
    read("capacity_one", "/capacity", "Capacity of one replica of one service", &ONE_SERVICE, Answer::Json("Capacity"), handler!(state::capacity)),
];
