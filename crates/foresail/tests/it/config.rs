//! `foresail config`: the schema for editors, beside what the program itself says of a file.

use serde_json::Value;

use crate::run::Place;

#[test]
fn the_schema_is_json_and_knows_every_table() {
    let place = Place::new();
    let schema: Value = serde_json::from_str(&place.ok("config schema")).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let keys: Vec<&String> = schema["properties"].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["data", "notify", "retain", "server", "service"]);
    let service = &schema["$defs"]["ServiceConfig"];
    assert_eq!(service["required"], serde_json::json!(["capacity_rps", "max"]));
    for table in ["guardrails", "history", "process", "prometheus", "proxy"] {
        let name = service["properties"][table]["$ref"].as_str().unwrap_or_else(|| panic!("{table} has no table"));
        assert!(schema.pointer(name.trim_start_matches('#')).is_some(), "{name}");
    }
}

#[test]
fn a_file_that_names_its_schema_is_checked_and_shown_as_any_other() {
    let place = Place::new();
    let documented = include_str!("../../../../docs/foresail.toml");
    place.write("foresail.toml", &format!("#:schema ./foresail.schema.json\n{documented}"));
    assert_eq!(place.ok("config check"), "foresail.toml is valid; services: web\n");
    assert!(place.ok("config show").contains("capacity_rps = 100.0"));
    place.write("wrong.toml", "[service.web]\ncapacity_rps = 1.0\nmax = 1\nmaxx = 1\n");
    let said = place.fails(2, "config check wrong.toml");
    assert!(said.contains("wrong.toml:4: unknown field `maxx`"), "{said}");
}
