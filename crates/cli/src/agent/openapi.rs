//! `schema/openapi.json`, made from the table of routes and the help of their commands.

use super::routes::{LIST, Method, PAGING, ROUTES, Route, Source, command, option_name};
use serde_json::{Map, Value, json};

fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method.as_str().to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Flagstone agent",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "HTTP/1.1 on the agent's Unix socket. Each route runs a command of `flagstone`, and answers with the JSON that the command prints with --json. docs/api.md tells more.",
        },
        "paths": paths,
        "components": { "schemas": { "Error": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": { "type": "string" } },
        } } },
    })
}

fn operation(route: &Route) -> Value {
    let names = match route.source {
        Source::Command(names) => names,
        Source::Token => &["token"],
        Source::Buckets => &["buckets"],
    };
    let summary = match route.source {
        Source::Command(names) => command(names).unwrap().get_about().unwrap().to_string(),
        Source::Token => {
            "Say which generation and which epoch the head has; with If-None-Match, whether that changed"
                .to_owned()
        }
        Source::Buckets => "Say in which bucket of a flag's rollout companies are".to_owned(),
    };
    let in_path = |name: &str| route.path.contains(&format!("{{{name}}}"));
    let all = parameters(route);
    let at = |name: &str| if in_path(name) { "path" } else { "query" };
    let shown = all.iter().filter(|parameter| route.method == Method::Get || in_path(parameter.name));
    let shown: Vec<Value> = shown
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "in": at(parameter.name),
                "required": in_path(parameter.name) || parameter.required,
                "description": parameter.help,
                "schema": parameter.schema,
            })
        })
        .collect();
    let ok = json!({
        "description": "The command's answer",
        "headers": {
            "Flagstone-Version": { "schema": { "type": "string" } },
            "Flagstone-Generation": { "schema": { "type": "integer" } },
            "Flagstone-Exit": { "schema": { "type": "integer" }, "description": "The exit code of the command" },
        },
        "content": { "application/json": { "schema": { "type": "object" } } },
    });
    let mut responses = Map::new();
    responses.insert("200".to_owned(), ok);
    if route.source == Source::Token {
        responses.insert("304".to_owned(), json!({ "description": "Nothing changed" }));
    }
    let error = json!({
        "description": "It was refused, or could not be told",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    responses.insert("default".to_owned(), error);
    let mut operation = json!({
        "operationId": format!("{}_{}", route.method.as_str().to_lowercase(), route.path.trim_start_matches("/v1/").replace(['/', '-'], "_").replace(['{', '}'], "")),
        "summary": summary,
        "tags": [names[0]],
        "parameters": shown,
        "responses": responses,
    });
    if route.method == Method::Post {
        let members: Vec<&Parameter> = all.iter().filter(|parameter| !in_path(parameter.name)).collect();
        let mut properties: Map<String, Value> = members
            .iter()
            .map(|parameter| {
                let mut schema = parameter.schema.clone();
                schema["description"] = parameter.help.clone().into();
                (parameter.name.to_owned(), schema)
            })
            .collect();
        let person = json!({ "type": "string", "description": "The person who asks, recorded as claimed beside the account" });
        properties.insert("person".to_owned(), person);
        let required: Vec<&str> =
            members.iter().filter(|parameter| parameter.required).map(|parameter| parameter.name).collect();
        operation["requestBody"] = json!({
            "required": !required.is_empty(),
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            } } },
        });
    }
    operation
}

struct Parameter {
    name: &'static str,
    help: String,
    schema: Value,
    required: bool,
}

fn parameters(route: &Route) -> Vec<Parameter> {
    let names = match route.source {
        Source::Command(names) => names,
        Source::Buckets => &["show"],
        Source::Token => return Vec::new(),
    };
    let command = command(names).unwrap();
    let help = |argument: &clap::Arg| argument.get_help().map(ToString::to_string).unwrap_or_default();
    let value = json!({ "type": ["string", "number"] });
    let schema = |argument: &clap::Arg| match argument.get_action() {
        clap::ArgAction::Append => json!({ "type": "array", "items": value }),
        action if action.takes_values() => value.clone(),
        _ => json!({ "type": "boolean" }),
    };
    let mut all = Vec::new();
    for (name, argument) in route.positionals.iter().zip(command.get_positionals()) {
        let required = argument.is_required_set();
        all.push(Parameter { name, help: help(argument), schema: schema(argument), required });
    }
    for name in route.options {
        let long = option_name(name);
        let argument = command.get_arguments().find(|known| known.get_long() == Some(&long)).unwrap();
        let schema = schema(argument);
        let is_path = route.path.contains(&format!("{{{name}}}"));
        let required = argument.is_required_set() || is_path;
        all.push(Parameter { name, help: help(argument), schema, required });
    }
    if let Some(text) = route.text {
        let (help, schema) = match text.member {
            "definitions" => (
                "The definitions, as an object or as the text of a file",
                json!({ "type": ["object", "string"] }),
            ),
            _ => ("The companies", json!({ "type": "array", "items": value })),
        };
        all.push(Parameter { name: text.member, help: help.to_owned(), schema, required: true });
    }
    if route.takes_list() {
        let help = "Count which of these companies it turns on and off: a list, or the text of a file. Without it, the store's config says";
        let schema = json!({ "type": ["array", "string"], "items": value });
        all.push(Parameter { name: LIST, help: help.to_owned(), schema, required: false });
    }
    let ignored =
        route.ignored.iter().map(|name| (*name, "Taken, and without an effect here".to_owned(), json!({})));
    let page = route.page.iter().flat_map(|_| PAGING).map(|name| match name {
        "q" => (
            "q",
            "Only items with this text in their key, where they have one".to_owned(),
            json!({ "type": "string" }),
        ),
        "limit" => (
            "limit",
            "At most so many items, up to 1,000; 100 without it".to_owned(),
            json!({ "type": "integer" }),
        ),
        _ => ("offset", "Leave out so many items".to_owned(), json!({ "type": "integer" })),
    });
    all.extend(ignored.chain(page).map(|(name, help, schema)| Parameter {
        name,
        help,
        schema,
        required: false,
    }));
    all
}

/// Written anew with `FLAGSTONE_WRITE_SCHEMA=1`.
#[test]
fn the_openapi_file_is_what_the_routes_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("FLAGSTONE_WRITE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == text, "{path} is not up to date: run this test with FLAGSTONE_WRITE_SCHEMA=1");
}
