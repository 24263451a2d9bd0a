//! The OpenAPI 3.1 document, made from the table of routes.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::app::BODY_LIMIT;
use super::field::{Field, Kind};
use super::plane::Role;
use super::routes::{Answer, IN_PATH, ROUTES, Route, Verb};
use super::schema::schemas;

/// The document as text, made once, of a server that needs a token or of one that does not.
pub(super) fn text(needs_token: bool) -> &'static Bytes {
    static GUARDED: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document(true).to_string()));
    static OPEN: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document(false).to_string()));
    if needs_token { &GUARDED } else { &OPEN }
}

fn document(needs_token: bool) -> Json {
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.verb.method().as_str().to_ascii_lowercase()] = operation(route, needs_token);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Foresail",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "See what the control plane sees and decides, and have a word in it. Times are RFC 3339. \
                Paths at the root speak of one service: the one named by `service`, else the first.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": "Needed where the server has tokens; a server without any listens on loopback alone.",
            } },
        },
    })
}

fn operation(route: &Route, needs_token: bool) -> Json {
    let in_path = IN_PATH.iter().filter(|f| route.path.contains(&format!("{{{}}}", f.name)));
    let parameters: Vec<Json> =
        in_path.map(|f| parameter(f, "path")).chain(route.query.iter().map(|f| parameter(f, "query"))).collect();
    let tag = match (route.role, route.path.starts_with("/api/v1/")) {
        (Some(Role::Operate), true) => "Operate",
        (_, true) => "Read",
        (Some(_), false) if route.path != "/metrics" => "One service",
        _ => "Health",
    };
    let mut operation = json!({
        "operationId": route.id, "tags": [tag], "summary": route.summary, "parameters": parameters,
        "responses": responses(route),
    });
    operation["security"] = match route.role {
        Some(_) if needs_token => json!([{ "token": [] }]),
        Some(_) => json!([{}, { "token": [] }]),
        None => json!([]),
    };
    if let Some(role) = route.role {
        operation["x-role"] = json!(role);
    }
    if let Some(fields) = route.body {
        // Also where nothing has to stand in it: its content type is what keeps other sites from writing.
        operation["requestBody"] = json!({
            "required": true,
            "description": format!("At most {BODY_LIMIT} bytes"),
            "content": { "application/json": { "schema": body(fields) } },
        });
    }
    operation
}

fn responses(route: &Route) -> Json {
    let schema = |name: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } });
    let text = json!({ "schema": { "type": "string" } });
    let content = match route.answer {
        Answer::Json(name) => json!({ "application/json": schema(name) }),
        Answer::JsonOrText(name) => json!({ "application/json": schema(name), "text/plain": text }),
        Answer::Text => json!({ "text/plain": text }),
        Answer::Events => json!({ "text/event-stream": text }),
    };
    let mut all = Map::new();
    all.insert("200".to_owned(), json!({ "description": "Done", "content": content }));
    let mut add = |status: &str, about: &str| {
        let content = json!({ "application/json": schema("Problem") });
        all.insert(status.to_owned(), json!({ "description": about, "content": content }));
    };
    add("400", "A parameter, a field or the host is not accepted");
    add("408", "It took too long");
    if route.role.is_some() {
        add("401", "A token is needed, or this one is not known");
    }
    if route.role == Some(Role::Operate) || route.verb != Verb::Get {
        add("403", "The token may not do this, or another site asked");
    }
    if route.path.contains('{') || route.role.is_some() {
        add("404", "There is no such service, decision or recommendation, or nothing to see yet");
    }
    if route.role == Some(Role::Operate) {
        add("409", "Understood and refused");
    }
    if route.body.is_some() {
        add("413", "The body is too large");
        add("415", "The content type is not JSON");
    }
    add("503", "Overloaded, not ready, or a store does not answer");
    Json::Object(all)
}

fn parameter(field: &Field, place: &str) -> Json {
    json!({
        "name": field.name, "in": place, "required": field.required, "description": field.about, "schema": schema(field),
    })
}

fn body(fields: &[Field]) -> Json {
    let properties: Map<String, Json> = fields
        .iter()
        .map(|field| {
            let mut schema = schema(field);
            schema["description"] = json!(field.about);
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn schema(field: &Field) -> Json {
    match field.kind {
        Kind::Text(most) => {
            json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$" })
        }
        Kind::Whole(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Kind::Number(from, to) => json!({ "type": "number", "minimum": from, "maximum": to }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Address => json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
    }
}
