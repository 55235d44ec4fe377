//! `/docs`: the `OpenAPI` document as a page to be read. It is made on the server, fetches nothing
//! and runs nothing.

use std::fmt::Write as _;
use std::sync::OnceLock;

use hookpost_adapters::api::Reply;
use serde_json::Value;

use crate::openapi;

/// The head of a page, up to its title.
const HEAD: &str = include_str!("docs/head.html");
/// Nothing is loaded, framed or run; the style is in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(crate) fn page() -> Reply {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| render(&openapi::document()));
    reply(page.clone()).with_header("cache-control", "public, max-age=300")
}

/// A page as it is answered.
pub(crate) fn reply(page: String) -> Reply {
    Reply::document("text/html; charset=utf-8", page).with_header("content-security-policy", POLICY)
}

/// The beginning of a page with this title.
pub(crate) fn begin(title: &str) -> String {
    let title = escape(title);
    format!("{HEAD}<title>{title}</title>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n")
}

const INTRODUCTION: &str = "<p>Send a key as <code>Authorization: Bearer &lt;key&gt;</code>. Errors \
    are problem details with a stable <code>type</code> and the field that is wrong. Lists come in \
    pages: pass a page's <code>next</code> as <code>after</code>. Fields marked * are always \
    there.</p>";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn render(document: &Value) -> String {
    let mut groups: Vec<(&str, String)> = Vec::new();
    let paths = document["paths"].as_object();
    for (path, operations) in paths.into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = operations.get(method) else {
                continue;
            };
            let tag = operation.pointer("/tags/0").and_then(Value::as_str);
            let tag = tag.unwrap_or("other");
            let shown = render_operation(document, method, path, operation);
            match groups.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, group)) => group.push_str(&shown),
                None => groups.push((tag, shown)),
            }
        }
    }
    let mut page = begin("Hookpost API");
    page.push_str(INTRODUCTION);
    page.push_str("<nav>");
    for (tag, _) in &groups {
        let _ = write!(page, "<a href=\"#{}\">{}</a>", anchor(tag), escape(tag));
    }
    page.push_str("<a href=\"/openapi.json\">openapi.json</a></nav>");
    for (tag, group) in &groups {
        let (id, tag) = (anchor(tag), escape(tag));
        let _ = write!(page, "<section id=\"{id}\"><h2>{tag}</h2>{group}</section>");
    }
    page.push_str("</main></body></html>\n");
    page
}

fn render_operation(document: &Value, method: &str, path: &str, operation: &Value) -> String {
    let text = |name: &str| escape(operation[name].as_str().unwrap_or_default());
    let mut shown = format!(
        "<details id=\"{}\"><summary><b class=\"{method}\">{}</b> <code>{}</code> <span>{}</span></summary>",
        text("operationId"),
        method.to_ascii_uppercase(),
        escape(path),
        text("summary"),
    );
    if let Some(needs) = operation["description"].as_str() {
        let _ = write!(shown, "<p>{}</p>", inline(needs));
    }
    if let Some(parameters) = operation["parameters"].as_array() {
        shown.push_str("<h3>Parameters</h3><table>");
        for parameter in parameters {
            let place = parameter["in"].as_str().unwrap_or_default();
            let name = escape(parameter["name"].as_str().unwrap_or_default());
            let about = inline(parameter["description"].as_str().unwrap_or_default());
            let kind = kind(document, &parameter["schema"], 0);
            let _ = write!(
                shown,
                "<tr><td><code>{name}</code></td><td>{place}, {kind}</td><td>{about}</td></tr>"
            );
        }
        shown.push_str("</table>");
    }
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    if let Some(body) = body {
        shown.push_str("<h3>Body</h3>");
        shown.push_str(&fields(document, body, 0));
    }
    shown.push_str("<h3>Answers</h3><table>");
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let about = inline(answer["description"].as_str().unwrap_or_default());
        let _ = write!(
            shown,
            "<tr><td><code>{status}</code></td><td>{about}</td><td>"
        );
        let contents = answer["content"].as_object().into_iter().flatten();
        for (_, content) in contents.filter(|(media, _)| *media == "application/json") {
            shown.push_str(&fields(document, &content["schema"], 0));
        }
        shown.push_str("</td></tr>");
    }
    shown.push_str("</table></details>");
    shown
}

/// How deep nested objects are shown.
const MAX_DEPTH: u32 = 3;

/// The fields of an object, or of the items of a list of objects.
pub(crate) fn fields(document: &Value, schema: &Value, depth: u32) -> String {
    let schema = resolved(document, schema);
    let schema = match schema.get("items") {
        Some(items) => resolved(document, items),
        None => schema,
    };
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return String::new();
    };
    let required = schema["required"].as_array();
    let needed = |name: &String| required.is_some_and(|all| all.iter().any(|one| one == name));
    let mut table = String::from("<table>");
    for (name, property) in properties {
        let star = if needed(name) { " *" } else { "" };
        let about = property["description"]
            .as_str()
            .or_else(|| resolved(document, property)["description"].as_str());
        let inner = if depth < MAX_DEPTH {
            fields(document, inner(document, property), depth + 1)
        } else {
            String::new()
        };
        let _ = write!(
            table,
            "<tr><td><code>{}</code>{star}</td><td>{}</td><td>{}{inner}</td></tr>",
            escape(name),
            kind(document, property, 0),
            inline(about.unwrap_or_default()),
        );
    }
    table.push_str("</table>");
    table
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'));
    match pointer.and_then(|pointer| document.pointer(pointer)) {
        Some(found) => found,
        None => schema,
    }
}

/// The object in a property that may also be null.
fn inner<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    let mut choices = choices.filter(|choice| choice["type"] != "null");
    resolved(document, choices.next().unwrap_or(schema))
}

/// A schema's type in words. A list may hold lists, and be told to hold itself.
fn kind(document: &Value, schema: &Value, depth: u32) -> String {
    let schema = inner(document, schema);
    let named = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| *one != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    };
    if named == "array" && depth < MAX_DEPTH {
        let items = kind(document, &schema["items"], depth + 1);
        return format!("list of {items}");
    }
    let format = schema["format"]
        .as_str()
        .filter(|format| *format == "date-time");
    escape(format.map_or(named.as_str(), |_| "time"))
}

pub(crate) fn anchor(tag: &str) -> String {
    tag.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// Text between tags, with what stands between backticks as code.
pub(crate) fn inline(text: &str) -> String {
    let mut shown = String::new();
    for (nth, part) in text.split('`').enumerate() {
        let part = escape(part);
        let _ = if nth % 2 == 1 {
            write!(shown, "<code>{part}</code>")
        } else {
            write!(shown, "{part}")
        };
    }
    shown
}

/// Text that is no markup.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_on_the_page() {
        let page = render(&openapi::document());
        for route in crate::routes::ROUTES {
            let path = escape(&openapi::shown_path(route));
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        assert!(!page.contains("<script"));
    }
}
