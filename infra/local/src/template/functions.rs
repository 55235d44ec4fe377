//! Functions: their configuration, their role, and what invokes them.

use std::time::Duration;

use serde_json::Value;

use super::names::{self, arn, kind_of, physical};
use super::plan::merge;
use super::resolve::{Resolver, to_text};
use super::{Function, Plan, QueueSource, Route, Schedule, TemplateError};
use crate::permissions::Policy;

/// What SAM adds to a role that it writes itself for a function with a queue.
const SQS_EXECUTION_ROLE: &str = r#"{"Effect":"Allow","Resource":"*","Action":
    ["sqs:ReceiveMessage","sqs:DeleteMessage","sqs:GetQueueAttributes"]}"#;

pub(super) fn function(
    resolver: &Resolver<'_>,
    id: &str,
    declared: &Value,
    own: Value,
    warnings: &mut Vec<String>,
) -> Result<Function, TemplateError> {
    let properties = merge(resolver.global("Function")?, own);
    let name = physical(resolver, id)?;
    let number = |key: &str, default: u32| -> Result<u32, TemplateError> {
        match properties.get(key).map(to_text) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| malformed(id, &format!("{key} is {text:?}"))),
        }
    };
    let environment = properties
        .pointer("/Environment/Variables")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), to_text(value)))
        .collect();
    let binary = binary(declared)
        .ok_or_else(|| malformed(id, "neither Metadata.BuildProperties.Binary nor CodeUri"))?;
    let mut function = Function {
        logical_id: id.to_owned(),
        arn: arn(resolver, "lambda", &format!("function:{name}")),
        name,
        binary,
        timeout: Duration::from_secs(u64::from(number("Timeout", 3)?)),
        memory_mb: number("MemorySize", 128)?,
        environment,
        policy: policy(resolver, id, &properties, warnings)?,
        routes: Vec::new(),
        sources: Vec::new(),
        schedules: Vec::new(),
    };
    let events = properties.get("Events").and_then(Value::as_object);
    for (event, declared) in events.into_iter().flatten() {
        let details = declared.get("Properties").unwrap_or(&Value::Null);
        match kind_of(declared).as_str() {
            "HttpApi" => function.routes.push(route(details)),
            "SQS" => function.sources.extend(queue_source(id, details, "Queue")?),
            "Schedule" | "ScheduleV2" => {
                let expression = details
                    .get("Schedule")
                    .or_else(|| details.get("ScheduleExpression"));
                let input = details.get("Input").map(to_text);
                push_schedule(&mut function, expression, input, details, warnings);
            }
            other => warnings.push(format!(
                "{id}.{event}: an event of type {other} has no counterpart on one machine"
            )),
        }
    }
    Ok(function)
}

/// The binary a function runs: cargo-lambda's `Binary`, else its folder's name.
pub(super) fn binary(declared: &Value) -> Option<String> {
    let named = declared.pointer("/Metadata/BuildProperties/Binary");
    let folder = || {
        let code = declared.pointer("/Properties/CodeUri")?.as_str()?;
        code.trim_end_matches('/')
            .rsplit('/')
            .next()
            .map(str::to_owned)
    };
    named.map(to_text).or_else(folder)
}

/// Event sources and schedules that are resources of their own.
pub(super) fn attach(
    plan: &mut Plan,
    id: &str,
    kind: &str,
    properties: &Value,
) -> Result<(), TemplateError> {
    let target = match kind {
        "AWS::Lambda::EventSourceMapping" => properties.get("FunctionName"),
        "AWS::Scheduler::Schedule" => properties.pointer("/Target/Arn"),
        _ => properties.pointer("/Targets/0/Arn"),
    };
    let target = target.map(to_text).unwrap_or_default();
    let Some(function) = plan
        .functions
        .iter_mut()
        .find(|f| f.arn == target || f.name == target)
    else {
        plan.warnings.push(format!(
            "{id}: {kind} invokes {target:?}, which is no function here"
        ));
        return Ok(());
    };
    if kind == "AWS::Lambda::EventSourceMapping" {
        function
            .sources
            .extend(queue_source(id, properties, "EventSourceArn")?);
        return Ok(());
    }
    if kind == "AWS::Events::Rule" && properties.get("ScheduleExpression").is_none() {
        // There is no bus here: its events are what the function can be invoked with.
        return Ok(());
    }
    let input = properties
        .pointer("/Target/Input")
        .or_else(|| properties.pointer("/Targets/0/Input"))
        .map(to_text);
    let expression = properties.get("ScheduleExpression");
    push_schedule(function, expression, input, properties, &mut plan.warnings);
    Ok(())
}

fn route(details: &Value) -> Route {
    let path = details.get("Path").map(to_text);
    let method = details.get("Method").map(to_text);
    match path {
        Some(path) => Route {
            method: match method.as_deref() {
                None | Some("x-amazon-apigateway-any-method") => "ANY".to_owned(),
                Some(method) => method.to_ascii_uppercase(),
            },
            path,
        },
        None => Route {
            method: "ANY".to_owned(),
            path: "$default".to_owned(),
        },
    }
}

fn queue_source(
    id: &str,
    details: &Value,
    queue_key: &str,
) -> Result<Option<QueueSource>, TemplateError> {
    if details
        .get("Enabled")
        .is_some_and(|flag| to_text(flag) == "false")
    {
        return Ok(None);
    }
    let number = |value: Option<&Value>| -> Result<Option<usize>, TemplateError> {
        value
            .map(to_text)
            .map(|text| {
                text.parse()
                    .map_err(|_| malformed(id, &format!("{text:?} is not a number")))
            })
            .transpose()
    };
    let window = number(details.get("MaximumBatchingWindowInSeconds"))?.unwrap_or(0);
    let partial_responses = details
        .get("FunctionResponseTypes")
        .and_then(Value::as_array)
        .is_some_and(|kinds| kinds.iter().any(|kind| kind == "ReportBatchItemFailures"));
    Ok(Some(QueueSource {
        queue_arn: details.get(queue_key).map(to_text).unwrap_or_default(),
        batch_size: number(details.get("BatchSize"))?.unwrap_or(10),
        window: Duration::from_secs(window as u64),
        partial_responses,
        max_concurrency: number(details.pointer("/ScalingConfig/MaximumConcurrency"))?,
    }))
}

fn push_schedule(
    function: &mut Function,
    expression: Option<&Value>,
    input: Option<String>,
    details: &Value,
    warnings: &mut Vec<String>,
) {
    let disabled = details
        .get("Enabled")
        .is_some_and(|flag| to_text(flag) == "false")
        || details
            .get("State")
            .is_some_and(|state| state == "DISABLED");
    if disabled {
        return;
    }
    let expression = expression.map(to_text).unwrap_or_default();
    match rate(&expression) {
        Some(every) => function.schedules.push(Schedule { every, input }),
        None => warnings.push(format!(
            "{}: only rate(..) schedules run on one machine, not {expression:?}",
            function.logical_id
        )),
    }
}

/// `rate(5 minutes)` as a duration.
fn rate(expression: &str) -> Option<Duration> {
    let inner = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = inner.trim().split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

/// The statements of the function's role: the one it names, else the one that
/// SAM writes from the function's own policies.
fn policy(
    resolver: &Resolver<'_>,
    id: &str,
    properties: &Value,
    warnings: &mut Vec<String>,
) -> Result<Policy, TemplateError> {
    let (name, documents) = if let Some(role_arn) = properties.get("Role").map(to_text) {
        let documents = declared_role(resolver, id, &role_arn)?;
        (
            role_arn.rsplit('/').next().unwrap_or(id).to_owned(),
            documents,
        )
    } else {
        (format!("{id}Role"), sam_role(id, properties, warnings))
    };
    Policy::parse(name, &documents).map_err(|problem| malformed(id, &problem))
}

fn declared_role(
    resolver: &Resolver<'_>,
    id: &str,
    role_arn: &str,
) -> Result<Vec<Value>, TemplateError> {
    let declared = role_by_arn(resolver, role_arn)?
        .ok_or_else(|| malformed(id, &format!("its role {role_arn} is not declared")))?;
    let role = resolver.resolve(declared.get("Properties").unwrap_or(&Value::Null))?;
    let list = |key: &str| {
        role.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let written = list("Policies").filter_map(|policy| policy.get("PolicyDocument").cloned());
    let managed = list("ManagedPolicyArns")
        .filter(|arn| to_text(arn).contains("AWSLambdaSQSQueueExecutionRole"))
        .map(|_| statement_of(SQS_EXECUTION_ROLE));
    Ok(written.chain(managed).collect())
}

fn sam_role(id: &str, properties: &Value, warnings: &mut Vec<String>) -> Vec<Value> {
    let policies = properties.get("Policies");
    let list = policies.and_then(Value::as_array).cloned();
    let mut documents = vec![statement_of(SQS_EXECUTION_ROLE)];
    for policy in list.unwrap_or_else(|| policies.cloned().into_iter().collect()) {
        if policy.get("Statement").is_some() {
            documents.push(policy);
        } else if !to_text(&policy).contains("AWSLambdaBasicExecutionRole") {
            warnings.push(format!(
                "{id}: the policy {policy} is not written out, so it grants nothing here"
            ));
        }
    }
    documents
}

fn statement_of(text: &str) -> Value {
    let statement: Value = serde_json::from_str(text).unwrap_or_default();
    serde_json::json!({ "Statement": [statement] })
}

fn role_by_arn<'a>(
    resolver: &Resolver<'a>,
    role_arn: &str,
) -> Result<Option<&'a Value>, TemplateError> {
    for (id, declared) in resolver.resources()? {
        if kind_of(declared) == "AWS::IAM::Role"
            && names::attribute(resolver, id, "Arn")? == role_arn
        {
            return Ok(Some(declared));
        }
    }
    Ok(None)
}

fn malformed(id: &str, what: &str) -> TemplateError {
    TemplateError::Malformed(format!("{id}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_of_minutes_hours_or_days() {
        assert_eq!(rate("rate(1 minute)"), Some(Duration::from_secs(60)));
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_secs(300)));
        assert_eq!(rate("rate(2 hours)"), Some(Duration::from_secs(7_200)));
        assert_eq!(rate("rate(0 minutes)"), None);
        assert_eq!(rate("cron(0 12 * * ? *)"), None);
    }
}
