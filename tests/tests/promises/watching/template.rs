//! What the template looks at: alarms, the dashboard's widgets, saved queries.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml");
/// The stack that a local system is.
const STACK: &str = "hookpost-local";
/// Kinds of errors that a widget may show.
const ERROR_TYPES: usize = 12;

/// AWS's own metrics, by namespace, dimension and the kind of resource that it names.
const AWS: [(&str, &str, &str, &[&str]); 5] = [
    (
        "AWS/SQS",
        "QueueName",
        "AWS::SQS::Queue",
        &[
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfEmptyReceives",
            "NumberOfMessagesDeleted",
            "NumberOfMessagesReceived",
            "NumberOfMessagesSent",
        ],
    ),
    (
        "AWS/Lambda",
        "FunctionName",
        "AWS::Serverless::Function",
        &["Duration", "Errors", "Invocations", "Throttles"],
    ),
    (
        "AWS/DynamoDB",
        "TableName",
        "AWS::DynamoDB::Table",
        &[
            "ConsumedWriteCapacityUnits",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        ],
    ),
    (
        "AWS/ApiGateway",
        "ApiId",
        "AWS::Serverless::HttpApi",
        &["5xx", "Count"],
    ),
    (
        "AWS/Logs",
        "LogGroupName",
        "AWS::Logs::LogGroup",
        &["IncomingBytes"],
    ),
];

/// A metric that something looks at.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) namespace: String,
    pub(super) name: String,
    /// `Stack=hookpost-local,Status=Success`; a resource is `@` and its name in the template.
    pub(super) dimensions: String,
    pub(super) place: String,
}

/// The template.
pub(super) struct Template {
    resources: Map<String, Value>,
}

/// YAML as JSON, with `{"!Ref": "X"}` for `!Ref X`.
fn plain(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Tagged(tagged) => json!({ tagged.tag.to_string(): plain(&tagged.value) }),
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(entries) => {
            let name = |key: &Yaml| {
                key.as_str()
                    .map_or_else(|| format!("{key:?}"), str::to_owned)
            };
            let entries = entries.iter().map(|(key, value)| (name(key), plain(value)));
            Value::Object(entries.collect())
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) => {
            serde_json::to_value(yaml).unwrap()
        }
    }
}

/// `${AWS::StackName}` is the stack, `${Table}` is `@Table`, `${!x}` is `${x}`.
fn substituted(text: &str) -> String {
    let mut parts = text.split("${");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        match name {
            "AWS::StackName" => out.push_str(STACK),
            "AWS::Region" => out.push_str("us-east-1"),
            literal if literal.starts_with('!') => {
                out.push_str("${");
                out.push_str(&literal[1..]);
                out.push('}');
            }
            other => {
                out.push('@');
                out.push_str(other);
            }
        }
        out.push_str(rest);
    }
    out
}

/// A value as text.
fn text(value: &Value) -> String {
    if let Some(name) = value.get("!Ref").and_then(Value::as_str) {
        return substituted(&format!("${{{name}}}"));
    }
    if let Some(name) = value.get("!GetAtt").and_then(Value::as_str) {
        return format!("@{}", name.split('.').next().unwrap());
    }
    if let Some(text) = value.get("!Sub").and_then(Value::as_str) {
        return substituted(text);
    }
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value:#}"))
        .to_owned()
}

/// What stands between `before` and the next quotation mark, wherever it does.
pub(super) fn quoted(text: &str, before: &str) -> Vec<String> {
    let parts = text.split(before).skip(1);
    parts
        .map(|part| part.split('"').next().unwrap().to_owned())
        .collect()
}

/// The fields of logs that a query reads: those in backticks, and what it filters, shows and
/// groups by.
pub(super) fn fields_of(query: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for line in query.lines() {
        let words = line.trim().trim_start_matches("| ");
        let list = match words.split_once(' ') {
            Some(("fields", list)) => list,
            Some(("stats", list)) => list.split_once(" by ").map_or("", |(_, by)| by),
            Some(("filter", condition)) => condition.split(" = ").next().unwrap(),
            Some(_) | None => "",
        };
        let names = list.split(',').map(|name| name.trim().trim_matches('`'));
        let own = names.filter(|name| !name.is_empty() && !name.starts_with('@'));
        fields.extend(own.map(str::to_owned));
    }
    fields
}

impl Template {
    pub(super) fn read() -> Self {
        let yaml: Yaml =
            serde_yaml_ng::from_str(&std::fs::read_to_string(TEMPLATE).unwrap()).unwrap();
        let Value::Object(mut template) = plain(&yaml) else {
            panic!("no template")
        };
        let Some(Value::Object(resources)) = template.remove("Resources") else {
            panic!("no resources")
        };
        Self { resources }
    }

    fn of_type(&self, kind: &str) -> impl Iterator<Item = (&String, &Value)> {
        let resources = self.resources.iter();
        let alike = resources.filter(move |(_, resource)| resource["Type"] == kind);
        alike.map(|(name, resource)| (name, &resource["Properties"]))
    }

    /// Each alarm's name without the stack's, and what it says.
    pub(super) fn alarms(&self) -> Vec<(String, String)> {
        let alarms = self.of_type("AWS::CloudWatch::Alarm").map(|(_, alarm)| {
            let name = text(&alarm["AlarmName"]);
            let name = name.strip_prefix(&format!("{STACK}-")).unwrap().to_owned();
            (name, text(&alarm["AlarmDescription"]))
        });
        alarms.collect()
    }

    /// The saved queries, and those of widgets.
    pub(super) fn queries(&self) -> Vec<String> {
        let saved = self.of_type("AWS::Logs::QueryDefinition");
        let saved = saved.map(|(_, query)| text(&query["QueryString"]));
        let logs = self
            .widgets()
            .into_iter()
            .filter(|widget| widget["type"] == "log");
        let shown = logs.map(|widget| {
            let query = widget["properties"]["query"].as_str().unwrap();
            query.replace(" | ", "\n| ")
        });
        saved.chain(shown).collect()
    }

    fn widgets(&self) -> Vec<Value> {
        let mut widgets = Vec::new();
        for (_, dashboard) in self.of_type("AWS::CloudWatch::Dashboard") {
            let mut body: Value = serde_json::from_str(&text(&dashboard["DashboardBody"])).unwrap();
            widgets.append(body["widgets"].as_array_mut().unwrap());
        }
        assert!(!widgets.is_empty());
        widgets
    }

    pub(super) fn texts_on_dashboard(&self) -> String {
        let widgets = self.widgets();
        let texts = widgets
            .iter()
            .filter_map(|widget| widget["properties"]["markdown"].as_str());
        texts.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn metrics_on_dashboard(&self) -> usize {
        let uses = self
            .widgets()
            .into_iter()
            .flat_map(|widget| of_widget(&widget));
        let different: BTreeSet<_> = uses
            .map(|one| (one.namespace, one.name, one.dimensions))
            .collect();
        let searched = different.iter().filter(|one| one.2.ends_with("=*")).count();
        different.len() + searched * (ERROR_TYPES - 1)
    }

    /// Every metric that an alarm or a widget looks at.
    pub(super) fn metrics(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (name, alarm) in self.of_type("AWS::CloudWatch::Alarm") {
            if alarm.get("MetricName").is_some() {
                uses.push(of_alarm(name, alarm));
            }
            let parts = alarm["Metrics"].as_array().into_iter().flatten();
            let measured: Vec<_> = parts
                .clone()
                .filter(|part| part.get("MetricStat").is_some())
                .collect();
            for part in &measured {
                uses.push(of_alarm(name, &part["MetricStat"]["Metric"]));
            }
            let ids = measured.iter().map(|part| part["Id"].as_str().unwrap());
            for part in parts.filter(|part| part.get("Expression").is_some()) {
                check_expression(
                    name,
                    part["Expression"].as_str().unwrap(),
                    &ids.clone().collect(),
                );
            }
        }
        uses.extend(self.widgets().iter().flat_map(of_widget));
        uses
    }

    /// One of AWS's metrics that there is, of a resource that there is.
    pub(super) fn check_aws(&self, used: &Use) {
        let known = AWS
            .iter()
            .find(|(namespace, ..)| *namespace == used.namespace);
        let (_, dimension, kind, names) = known.unwrap_or_else(|| panic!("{used:#?}"));
        assert!(
            names.contains(&&*used.name),
            "AWS has no such metric: {used:#?}"
        );
        let (name, value) = used.dimensions.split_once('=').unwrap();
        assert_eq!(name, *dimension, "{used:#?}");
        let is_it = |(id, properties): (&String, &Value)| {
            let physical = ["QueueName", "FunctionName", "LogGroupName"];
            let named = physical.iter().filter_map(|name| properties.get(name));
            value == format!("@{id}") || named.map(text).any(|name| name == value)
        };
        assert!(
            self.of_type(kind).any(is_it),
            "there is no such {kind}: {used:#?}"
        );
    }
}

fn of_alarm(name: &str, metric: &Value) -> Use {
    let dimensions = metric["Dimensions"].as_array().unwrap().iter();
    let dimensions = dimensions
        .map(|one| format!("{}={}", text(&one["Name"]), text(&one["Value"])))
        .collect::<Vec<_>>();
    Use {
        namespace: text(&metric["Namespace"]),
        name: text(&metric["MetricName"]),
        dimensions: dimensions.join(","),
        place: name.to_owned(),
    }
}

/// The metrics of a widget, those of a search too.
fn of_widget(widget: &Value) -> Vec<Use> {
    let place = widget["properties"]["title"].as_str().unwrap_or_default();
    let mut uses = Vec::new();
    let (mut ids, mut expressions) = (BTreeSet::new(), Vec::new());
    for row in widget["properties"]["metrics"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let row = row.as_array().unwrap();
        let options = row.last().filter(|last| last.is_object());
        if let Some(expression) = options.and_then(|options| options["expression"].as_str()) {
            expressions.push(expression);
            continue;
        }
        ids.extend(options.and_then(|options| options["id"].as_str()));
        let texts: Vec<&str> = row.iter().filter_map(Value::as_str).collect();
        let dimensions = texts[2..].chunks(2).map(|pair| pair.join("="));
        uses.push(Use {
            namespace: texts[0].to_owned(),
            name: texts[1].to_owned(),
            dimensions: dimensions.collect::<Vec<_>>().join(","),
            place: place.to_owned(),
        });
    }
    for expression in expressions {
        let Some((_, search)) = expression.split_once("SEARCH('{") else {
            check_expression(place, expression, &ids);
            continue;
        };
        let (schema, _) = search.split_once('}').unwrap();
        let mut schema = schema.split(',');
        let namespace = schema.next().unwrap().to_owned();
        let dimensions = schema.map(|dimension| {
            let given = quoted(search, &format!("{dimension}=\""));
            format!("{dimension}={}", given.first().map_or("*", String::as_str))
        });
        uses.push(Use {
            namespace,
            name: quoted(search, "MetricName=\"").remove(0),
            dimensions: dimensions.collect::<Vec<_>>().join(","),
            place: place.to_owned(),
        });
    }
    uses
}

/// That an expression names only what there is beside it.
fn check_expression(place: &str, expression: &str, ids: &BTreeSet<&str>) {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '@'));
    for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
        assert!(
            ids.contains(word),
            "{place}: {word} of {expression} is nothing of {ids:?}"
        );
    }
}
