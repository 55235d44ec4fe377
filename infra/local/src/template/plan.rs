//! Turns the resolved resources into a [`Plan`], one resource type at a time.

use serde_json::Value;

use super::names::kind_of;
use super::resolve::{Resolver, to_text};
use super::{Api, Cors, Key, Plan, TemplateError, Throttle, functions, secrets, sockets, storage};

/// Resource types that change nothing on one machine, or that others refer to.
const WITHOUT_LOCAL_LIFE: [&str; 13] = [
    "AWS::ApplicationInsights::",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::Budgets::",
    "AWS::CloudFormation::",
    "AWS::CloudWatch::",
    "AWS::IAM::",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::",
    "AWS::ResourceGroups::",
    "AWS::Route53::",
    "AWS::SNS::",
    "AWS::SQS::QueuePolicy",
];

/// Reads all resources.
pub(super) fn build(resolver: &Resolver<'_>) -> Result<Plan, TemplateError> {
    let mut plan = Plan::default();
    let mut attached = Vec::new();
    let mut aliases = Vec::new();
    let mut socket_parts = sockets::Parts::default();
    for (id, declared) in resolver.resources()? {
        let kind = kind_of(declared);
        let properties = match declared.get("Properties") {
            Some(properties) => resolver.resolve(properties)?,
            None => Value::Null,
        };
        if socket_parts.take(resolver, id, &kind, &properties)? {
            continue;
        }
        match kind.as_str() {
            "AWS::DynamoDB::Table" => plan.tables.push(storage::table(resolver, id, &properties)?),
            "AWS::SQS::Queue" => plan.queues.push(storage::queue(resolver, id, &properties)?),
            "AWS::KMS::Key" => plan.keys.push(secrets::key(resolver, id)),
            "AWS::KMS::Alias" => aliases.push(secrets::alias(&properties)),
            "AWS::SecretsManager::Secret" => {
                plan.secrets
                    .push(secrets::secret(resolver, id, &properties)?);
            }
            "AWS::Serverless::Function" => {
                let function =
                    functions::function(resolver, id, declared, properties, &mut plan.warnings)?;
                plan.functions.push(function);
            }
            "AWS::Serverless::HttpApi" => {
                let global = resolver.global("HttpApi")?;
                plan.api = Some(api(&merge(global, properties)));
            }
            "AWS::Lambda::EventSourceMapping"
            | "AWS::Scheduler::Schedule"
            | "AWS::Events::Rule" => attached.push((id.to_owned(), kind, properties)),
            _ if WITHOUT_LOCAL_LIFE
                .iter()
                .any(|prefix| kind.starts_with(prefix)) => {}
            _ => plan
                .warnings
                .push(format!("{id}: {kind} has no counterpart on one machine")),
        }
    }
    for (alias, target) in aliases {
        let named = |key: &&mut Key| key.id == target || key.arn == target;
        if let Some(key) = plan.keys.iter_mut().find(named) {
            key.aliases.push(alias);
        }
    }
    for (id, kind, properties) in attached {
        functions::attach(&mut plan, &id, &kind, &properties)?;
    }
    socket_parts.assemble(resolver, &mut plan);
    if plan.api.is_none() && plan.functions.iter().any(|f| !f.routes.is_empty()) {
        // SAM makes an API by itself for routes that name none.
        plan.api = Some(api(&resolver.global("HttpApi")?));
    }
    Ok(plan)
}

/// SAM's rule for `Globals`: maps are merged, lists joined, the rest replaced.
pub(super) fn merge(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(mut global), Value::Object(own)) => {
            for (key, value) in own {
                let merged = match global.remove(&key) {
                    Some(shared) => merge(shared, value),
                    None => value,
                };
                global.insert(key, merged);
            }
            Value::Object(global)
        }
        (Value::Array(mut global), Value::Array(own)) => {
            global.extend(own);
            Value::Array(global)
        }
        (global, Value::Null) => global,
        (_, own) => own,
    }
}

fn api(properties: &Value) -> Api {
    let route_throttles = properties
        .get("RouteSettings")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, setting)| Some((key.clone(), throttle(setting)?)))
        .collect();
    Api {
        cors: properties.get("CorsConfiguration").and_then(cors),
        throttle: properties.get("DefaultRouteSettings").and_then(throttle),
        route_throttles,
    }
}

fn throttle(setting: &Value) -> Option<Throttle> {
    let number = |key: &str| to_text(setting.get(key)?).parse::<f64>().ok();
    let rate = number("ThrottlingRateLimit")?;
    Some(Throttle {
        burst: number("ThrottlingBurstLimit").unwrap_or(rate),
        rate,
    })
}

fn cors(configured: &Value) -> Option<Cors> {
    if to_text(configured) == "true" {
        let any = || vec!["*".to_owned()];
        return Some(Cors {
            allow_origins: any(),
            allow_methods: any(),
            allow_headers: any(),
            ..Cors::default()
        });
    }
    configured.as_object()?;
    let texts = |key: &str| -> Vec<String> {
        configured
            .get(key)
            .map(flat_texts)
            .unwrap_or_default()
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect()
    };
    let cors = Cors {
        allow_origins: texts("AllowOrigins"),
        allow_methods: texts("AllowMethods"),
        allow_headers: texts("AllowHeaders"),
        expose_headers: texts("ExposeHeaders"),
        max_age: configured
            .get("MaxAge")
            .and_then(|age| to_text(age).parse().ok()),
        allow_credentials: configured
            .get("AllowCredentials")
            .is_some_and(|flag| to_text(flag) == "true"),
    };
    (!cors.allow_origins.is_empty()).then_some(cors)
}

/// A list of texts in which a list parameter may stand as one item.
fn flat_texts(value: &Value) -> Vec<String> {
    match value.as_array() {
        Some(items) => items.iter().flat_map(flat_texts).collect(),
        None => vec![to_text(value)],
    }
}
