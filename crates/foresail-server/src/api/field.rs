//! Parameters and body fields: one description that both checks what comes in and documents it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::http::StatusCode;
use foresail_core::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::problem::Problem;

/// A parameter of a query or a field of a body.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// What it may be.
    pub(super) kind: Kind,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What it means, and what holds without it.
    pub(super) about: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub(super) enum Kind {
    /// Text of 1 to so many characters, without control characters.
    Text(usize),
    /// A whole number, both ends included.
    Whole(u64, u64),
    /// A finite number, both ends included.
    Number(f64, f64),
    /// An instant.
    Time,
    /// An address of IPv4 or IPv6.
    Address,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// A value that passed.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Whole(u64),
    Number(f64),
    Time(Timestamp),
    Address(IpAddr),
}

/// What came with a request, checked against its route's fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Kind {
    /// What is accepted, for people.
    pub(super) fn accepted(&self) -> String {
        match self {
            Self::Text(most) => format!("text of 1 to {most} characters"),
            Self::Whole(from, to) => format!("a whole number, {from} to {to}"),
            Self::Number(from, to) => format!("a number, {from} to {to}"),
            Self::Time => "a time such as 2026-03-01T12:00:00Z".to_owned(),
            Self::Address => "an address such as 192.0.2.7 or 2001:db8::1".to_owned(),
            Self::OneOf(words) => words.join(", "),
        }
    }

    fn read_text(&self, text: &str) -> Option<Value> {
        match self {
            Self::Text(most) => {
                let fits = (1..=*most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
                fits.then(|| Value::Text(text.to_owned()))
            }
            Self::Whole(from, to) => text.parse().ok().filter(|n| (*from..=*to).contains(n)).map(Value::Whole),
            Self::Number(from, to) => text.parse().ok().filter(|n| (*from..=*to).contains(n)).map(Value::Number),
            Self::Time => Timestamp::parse(text).ok().map(Value::Time),
            Self::Address => text.parse().ok().map(Value::Address),
            Self::OneOf(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
        }
    }

    fn read_json(&self, json: &Json) -> Option<Value> {
        match (self, json) {
            (Self::Text(_) | Self::Time | Self::Address | Self::OneOf(_), Json::String(text)) => self.read_text(text),
            (Self::Number(from, to), Json::Number(n)) => {
                n.as_f64().filter(|n| (*from..=*to).contains(n)).map(Value::Number)
            }
            (Self::Whole(from, to), Json::Number(n)) => {
                // 3.0 is an integer to JSON Schema.
                let whole =
                    n.as_u64().or_else(|| n.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0).map(|f| f as u64));
                whole.filter(|n| (*from..=*to).contains(n)).map(Value::Whole)
            }
            _ => None,
        }
    }
}

impl Values {
    /// Takes in one value as text, from a path or a query.
    pub(super) fn read_text(&mut self, fields: &'static [Field], name: &str, text: &str) -> Result<(), Problem> {
        let field = known(fields, name)?;
        let value = field.kind.read_text(text);
        self.keep(field, value)
    }

    /// Takes in a whole query.
    pub(super) fn read_query(&mut self, fields: &'static [Field], query: &str) -> Result<(), Problem> {
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            self.read_text(fields, &name, &value)?;
        }
        missing(fields, |name| self.0.contains_key(name))
    }

    /// Takes in a whole body; none at all is an empty object, and `null` counts as left out.
    pub(super) fn read_body(&mut self, fields: &'static [Field], body: &[u8]) -> Result<(), Problem> {
        let map: Map<String, Json> = if body.is_empty() {
            Map::new()
        } else {
            serde_json::from_slice(body).map_err(|e| {
                Problem::new(StatusCode::BAD_REQUEST, format!("the body is not a JSON object: {e}"))
                    .accepting(listed(fields))
            })?
        };
        for (name, json) in &map {
            let field = known(fields, name)?;
            if !json.is_null() {
                let value = field.kind.read_json(json);
                self.keep(field, value)?;
            }
        }
        missing(fields, |name| self.0.contains_key(name))
    }

    fn keep(&mut self, field: &'static Field, value: Option<Value>) -> Result<(), Problem> {
        let bad = |what: &str| Err(Problem::field(field.name, format!("{} {what}", field.name), field.kind.accepted()));
        let Some(value) = value else { return bad("is not accepted") };
        if self.0.insert(field.name, value).is_some() { bad("is given twice") } else { Ok(()) }
    }

    /// The text or word called `name`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number called `name`.
    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(Value::Whole(n)) => Some(*n),
            _ => None,
        }
    }

    /// The number called `name`.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(Value::Number(n)) => Some(*n),
            _ => None,
        }
    }

    /// The address called `name`.
    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        match self.0.get(name) {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        }
    }

    /// The instant called `name`.
    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        match self.0.get(name) {
            Some(Value::Time(t)) => Some(*t),
            _ => None,
        }
    }
}

fn known(fields: &'static [Field], name: &str) -> Result<&'static Field, Problem> {
    fields.iter().find(|f| f.name == name).ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        Problem::field(&shown, format!("there is no {shown:?} here"), listed(fields))
    })
}

fn missing(fields: &'static [Field], has: impl Fn(&str) -> bool) -> Result<(), Problem> {
    match fields.iter().find(|f| f.required && !has(f.name)) {
        Some(field) => Err(Problem::field(field.name, format!("{} is missing", field.name), field.kind.accepted())),
        None => Ok(()),
    }
}

fn listed(fields: &[Field]) -> String {
    match fields {
        [] => "nothing".to_owned(),
        fields => fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", "),
    }
}

fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the query is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIELDS: [Field; 4] = [
        Field { name: "limit", kind: Kind::Whole(1, 9), required: false, about: "" },
        Field { name: "load", kind: Kind::Number(0.0, 10.0), required: false, about: "" },
        Field { name: "from", kind: Kind::Time, required: false, about: "" },
        Field { name: "way", kind: Kind::OneOf(&["up", "down"]), required: true, about: "" },
    ];

    fn query(text: &str) -> Result<Values, Problem> {
        let mut values = Values::default();
        values.read_query(&FIELDS, text).map(|()| values)
    }

    fn body(text: &str) -> Result<Values, Problem> {
        let mut values = Values::default();
        values.read_body(&FIELDS, text.as_bytes()).map(|()| values)
    }

    #[test]
    fn query_and_body_read_the_same_values() {
        let a = query("limit=3&load=1.5&from=2026-03-01T00%3A00:00Z&way=up").expect("good");
        let b = body(r#"{"limit": 3.0, "load": 1.5, "from": "2026-03-01T00:00:00Z", "way": "up"}"#).expect("good");
        assert_eq!(a, b);
        assert_eq!((a.whole("limit"), a.number("load"), a.text("way")), (Some(3), Some(1.5), Some("up")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for bad in
            ["limit=0&way=up", "limit=x&way=up", "load=NaN&way=up", "load=-1&way=up", "way=left", "", "way=up&way=up"]
        {
            assert!(query(bad).is_err(), "{bad}");
        }
        for bad in
            ["[]", "1", "{", r#"{"way": 1}"#, r#"{"limit": 1.5, "way": "up"}"#, r#"{"load": 1e999, "way": "up"}"#]
        {
            assert!(body(bad).is_err(), "{bad}");
        }
        assert!(Values::default().read_body(&[], b"").is_ok() && Values::default().read_body(&[], b" ").is_err());
        let problem = serde_json::json!(query("limit=10&way=up").expect_err("out of range"));
        assert_eq!((&problem["field"], &problem["accepted"]), (&"limit".into(), &"a whole number, 1 to 9".into()));
        let problem = serde_json::json!(query("limits=1").expect_err("unknown"));
        assert_eq!(problem["accepted"], "limit, load, from, way");
    }
}
