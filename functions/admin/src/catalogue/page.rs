//! A tenant's event types as a page for those who receive them. It is made on the server, fetches
//! nothing and runs nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hookpost_adapters::api::Reply;
use hookpost_domain::catalogue::TypeEntry;
use hookpost_domain::retry::{Backoff, RetryPolicy};
use hookpost_management::Catalogue;
use serde_json::Value;

use super::pretty::pretty;
use crate::docs::{self, anchor, escape, inline};

/// Schemas and examples are left out beyond this: an answer of a function ends at 6 MB.
const MAX_BYTES: usize = 3 * 1024 * 1024;

const INTRODUCTION: &str = "<p>Each event is a <code>POST</code> of <code>{\"id\", \"event\", \
    \"timestamp\", \"data\"}</code>, signed by <a href=\"https://www.standardwebhooks.com\">Standard \
    Webhooks</a>; here is what <code>data</code> is. The same event may come more than once: \
    <code>webhook-id</code> tells. Fields marked * are always there.</p>";

/// The page.
pub(super) fn reply(told: &Catalogue) -> Reply {
    docs::reply(render(told))
}

fn render(told: &Catalogue) -> String {
    let mut groups: BTreeMap<&str, Vec<&TypeEntry>> = BTreeMap::new();
    for entry in &told.types {
        groups.entry(&entry.group).or_default().push(entry);
    }
    let retries = told.rules.retries();
    let mut page = docs::begin("Event types");
    page.push_str(INTRODUCTION);
    page.push_str("<nav>");
    for group in groups.keys() {
        let _ = write!(
            page,
            "<a href=\"#group-{}\">{}</a>",
            anchor(group),
            escape(title(group))
        );
    }
    page.push_str("</nav>");
    if groups.is_empty() {
        page.push_str("<p>There are none yet.</p>");
    }
    for (group, entries) in &groups {
        let (id, title) = (anchor(group), escape(title(group)));
        let _ = write!(page, "<section id=\"group-{id}\"><h2>{title}</h2>");
        for entry in entries {
            let policy = retries.of(&entry.name).unwrap_or(&told.deployment);
            let whole = page.len() < MAX_BYTES;
            page.push_str(&render_type(entry, policy, whole));
        }
        page.push_str("</section>");
    }
    page.push_str("</main></body></html>\n");
    page
}

fn title(group: &str) -> &str {
    if group.is_empty() { "Other" } else { group }
}

fn render_type(entry: &TypeEntry, policy: &RetryPolicy, whole: bool) -> String {
    let name = escape(entry.name.as_str());
    let deprecated = if entry.deprecated {
        " <strong>deprecated</strong>"
    } else {
        ""
    };
    let summary = escape(entry.description.lines().next().unwrap_or_default());
    let mut shown = format!(
        "<details id=\"{name}\"><summary><code>{name}</code>{deprecated} <span>{summary}</span></summary>"
    );
    for paragraph in entry
        .description
        .split("\n\n")
        .filter(|text| !text.trim().is_empty())
    {
        let _ = write!(shown, "<p>{}</p>", inline(paragraph));
    }
    let _ = write!(shown, "<p>{}</p>", escape(&in_words(policy)));
    let schema = entry.schema.as_ref().filter(|_| whole);
    let example = entry.example.as_ref().filter(|_| whole);
    if let Some(schema) = schema {
        let source = schema.source().get();
        let document: Value = serde_json::from_str(source).unwrap_or_default();
        let fields = docs::fields(&document, &document, 0);
        if !fields.is_empty() {
            let _ = write!(shown, "<h3>data</h3>{fields}");
        }
    }
    if let Some(example) = example {
        let body = format!(
            "{{\"id\": \"01a1fdfa-4600-75b8-9b11-545f20f923f3\", \"event\": {:?}, \"timestamp\": \
             \"2026-11-21T12:00:00.000Z\", \"data\": {}}}",
            entry.name.as_str(),
            example.json().get()
        );
        let _ = write!(
            shown,
            "<h3>Example</h3><pre>{}</pre>",
            escape(&pretty(&body))
        );
    }
    if let Some(schema) = schema {
        let text = escape(&pretty(schema.source().get()));
        let _ = write!(
            shown,
            "<details><summary>JSON Schema of <code>data</code></summary><pre>{text}</pre></details>"
        );
    }
    shown.push_str("</details>");
    shown
}

/// A policy for those who wait for the event.
fn in_words(policy: &RetryPolicy) -> String {
    let attempts = policy.max_attempts();
    if attempts == 1 {
        return "Tried once.".to_owned();
    }
    let waits = match policy.backoff() {
        Backoff::Delays(delays) => {
            let waits: Vec<String> = delays.iter().skip(1).map(|secs| duration(*secs)).collect();
            format!("after {}", waits.join(", "))
        }
        Backoff::Exponential {
            first, factor, max, ..
        } => format!(
            "after {}, then {factor} times as long each time, at most {}",
            duration(*first),
            duration(*max)
        ),
    };
    format!("Tried up to {attempts} times, again {waits}, unless your endpoint is set otherwise.")
}

fn duration(secs: f64) -> String {
    let (value, unit) = match secs {
        days if days >= 172_800.0 => (days / 86_400.0, "days"),
        hours if hours >= 7200.0 => (hours / 3600.0, "h"),
        minutes if minutes >= 120.0 => (minutes / 60.0, "min"),
        seconds => (seconds, "s"),
    };
    format!("{} {unit}", (value * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use hookpost_domain::Timestamp;
    use hookpost_domain::catalogue::{EventTypeDraft, Rules};
    use serde_json::json;

    use super::*;

    fn told(types: Vec<Value>) -> Catalogue {
        let entry = |draft| {
            let draft: EventTypeDraft = serde_json::from_value(draft).unwrap();
            draft.check(Timestamp::default()).unwrap()
        };
        let (rules, types) = Rules::default()
            .with_types(types.into_iter().map(entry).collect())
            .unwrap();
        Catalogue {
            types,
            rules,
            deployment: RetryPolicy::default(),
        }
    }

    #[test]
    fn nothing_that_is_told_of_a_type_is_markup() {
        let evil = "<script>alert('1')</script>\"&";
        let page = render(&told(vec![json!({
            "name": "order.created",
            "description": evil,
            "group": evil,
            "schema": { "title": evil, "properties": { evil: { "description": evil, "enum": [evil] } } },
            "example": { evil: evil },
        })]));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_type_is_told_with_its_fields_its_example_and_its_retries() {
        let page = render(&told(vec![
            json!({
                "name": "order.created",
                "description": "An order was placed.",
                "group": "Orders",
                "schema": { "type": "object", "required": ["amount"], "properties": {
                    "amount": { "type": "number", "description": "In euros" },
                    "lines": { "$ref": "#/$defs/lines" },
                }, "$defs": { "lines": { "type": "array", "items": { "$ref": "#/$defs/lines" } } } },
                "retry": { "delays": ["0s", "5m", "2h"] },
                "deprecated": true,
                "example": { "amount": 1 },
            }),
            json!({ "name": "other" }),
        ]));
        for told in [
            "<h2>Orders</h2>",
            "<h2>Other</h2>",
            "An order was placed.",
            "<code>amount</code> *",
            "In euros",
            "Tried up to 3 times, again after 5 min, 2 h",
            "Tried up to 5 times, again after 1 s, then 2 times as long each time, at most 5 min",
            "deprecated",
            "&quot;amount&quot;: 1",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
    }

    #[test]
    fn no_catalogue_makes_a_page_that_is_too_long_to_answer() {
        // Each quote is six bytes on the page.
        let quotes = "\"".repeat(15_000);
        let many = (0..32)
            .map(|nth| json!({ "name": format!("type.{nth}"), "example": quotes }))
            .collect();
        let page = render(&told(many));
        assert!(page.len() < 5_000_000, "{}", page.len());
        assert!(page.contains("type.31"));
    }
}
