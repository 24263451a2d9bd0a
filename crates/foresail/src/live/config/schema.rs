//! The JSON schema of the configuration, by which editors complete and check it.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use super::Config;

/// The schema (draft 2020-12) of the file that [`Config::read`] reads. What depends on several keys is left to
/// [`Config::read`].
pub(crate) fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(leave_null_out));
    settings.into_generator().into_root_schema_for::<Config>()
}

/// TOML has no null: what is optional is left out of the file.
fn leave_null_out(schema: &mut Schema) {
    let is_null = |v: &Value| v == "null" || v.get("type").is_some_and(|t| t == "null");
    match schema.get_mut("default") {
        Some(Value::Null) => _ = schema.remove("default"),
        Some(value) => prune(value),
        None => {}
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|t| !is_null(t));
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|c| !is_null(c));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            only.into_iter().for_each(|(key, value)| _ = schema.insert(key, value));
        }
    }
}

/// Takes null out of a default value.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What `value` says that `schema` does not know, at `at`; of the keywords that a schema of ours has.
    fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = match schema["$ref"].as_str() {
            Some(to) => root.pointer(to.trim_start_matches('#')).expect("a definition that is there"),
            None => schema,
        };
        for choices in ["oneOf", "anyOf"].iter().filter_map(|k| schema[k].as_array()) {
            let refused: Vec<String> = choices.iter().filter_map(|c| check(root, c, value, at).err()).collect();
            if refused.len() == choices.len() {
                return Err(format!("{at}: none of {}: {}", choices.len(), refused.join("; ")));
            }
        }
        let fits = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some(other) => return Err(format!("{at}: unknown type {other}")),
            None => true,
        };
        let among = schema["enum"].as_array().is_none_or(|e| e.contains(value));
        let constant = schema.get("const").is_none_or(|c| c == value);
        let number = value.as_f64().unwrap_or(0.0);
        let least = schema["minimum"].as_f64().is_none_or(|m| number >= m);
        let most = schema["maximum"].as_f64().is_none_or(|m| number <= m);
        if !(fits && among && constant && least && most) {
            return Err(format!("{at}: {value} is not accepted"));
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            value.get(key).ok_or_else(|| format!("{at}: {key} is missing"))?;
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            let at = format!("{at}.{key}");
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => return Err(format!("{at}: no such key")),
                (Value::Null, further) => check(root, further, value, &at)?,
                (known, _) => check(root, known, value, &at)?,
            }
        }
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            check(root, &schema["items"], value, &format!("{at}[{index}]"))?;
        }
        Ok(())
    }

    fn said(text: &str) -> Result<(), String> {
        let root = schema().to_value();
        let value: Value = toml::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        check(&root, &root, &value, "")
    }

    /// The files that a script writes by `cat >….toml <<END`, with a 1 for each of its variables.
    fn files(script: &str) -> Vec<String> {
        let mut lines = script.lines();
        let mut found = Vec::new();
        while lines.any(|l| l.ends_with(".toml\" <<END")) {
            let text: Vec<&str> = lines.by_ref().take_while(|l| *l != "END").collect();
            let text = text.join("\n");
            let mut parts = text.split('$');
            let mut plain = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                plain.push('1');
                plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_{}".contains(c)));
            }
            found.push(plain);
        }
        found
    }

    #[test]
    fn every_configuration_that_is_used_fits_the_schema() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let documented = fs::read_to_string(root.join("docs/foresail.toml")).expect("there");
        said(&documented).expect("fits");
        let mut seen = 0;
        for entry in fs::read_dir(root.join("tests/e2e")).expect("there") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|e| e == "sh") {
                for file in files(&fs::read_to_string(&path).expect("readable")) {
                    said(&file).unwrap_or_else(|e| panic!("{}: {e}\n{file}", path.display()));
                    seen += 1;
                }
            }
        }
        assert!(seen >= 6, "{seen} files");
    }

    #[test]
    fn what_every_default_fills_in_fits_too() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/foresail.toml"));
        let full = toml::to_string(&Config::read(file).expect("valid")).expect("TOML");
        said(&full).expect("fits");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let good =
            "[service.web]\ncapacity_rps = 100.0\nmax = 20\n[service.web.proxy]\nlisten = [{ address = \"a:1\" }]\n";
        said(good).expect("fits");
        for (from, to, expected) in [
            ("max = 20", "max = \"many\"", ".service.web.max: \"many\" is not accepted"),
            ("max = 20", "max = 0", ".service.web.max: 0 is not accepted"),
            ("max = 20", "max = 20\nmaxx = 1", ".service.web.maxx: no such key"),
            ("max = 20", "max = 20\nmode = \"watch\"", ".service.web.mode: none of 3"),
            ("max = 20\n", "", ".service.web: max is missing"),
            ("address", "adress", ".service.web.proxy.listen[0]"),
            ("[service.web]", "[[notify]]\nkind = \"pigeon\"\n[service.web]", ".notify[0]: none of 2"),
        ] {
            let error = said(&good.replacen(from, to, 1)).expect_err(to);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    /// Every table is closed, every key is explained, and nothing may be null.
    #[test]
    fn tables_are_closed_and_keys_explained() {
        fn walk(at: &str, value: &Value) {
            let keys = value["properties"].as_object();
            if let (Some(keys), Some("object")) = (keys, value["type"].as_str()) {
                assert!(value["additionalProperties"] == false, "{at}");
                let explained = |of: &Value| of["description"].is_string() || of["const"].is_string();
                for (key, of) in keys {
                    // The one key of a variant is explained where the variant is.
                    assert!(explained(of) || keys.len() == 1 && explained(value), "{at}.{key}: {of}");
                }
            }
            assert_ne!(value["type"], "null", "{at}");
            for (key, value) in value.as_object().into_iter().flatten() {
                walk(&format!("{at}.{key}"), value);
            }
            for value in value.as_array().into_iter().flatten() {
                walk(at, value);
            }
        }
        let schema = schema().to_value();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        walk("", &schema);
    }

    #[test]
    fn durations_are_texts_with_units() {
        let schema = schema().to_value();
        let tick = &schema["$defs"]["ServiceConfig"]["properties"]["tick"];
        assert_eq!((&tick["type"], &tick["default"]), (&"string".into(), &"15s".into()));
        assert_eq!(tick["pattern"], "^([0-9]+(d|h|m|s|ms|us))+$");
    }
}
