//! Tables and queues.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names::{arn, physical};
use super::resolve::{Resolver, to_text};
use super::{Queue, Table, TemplateError};

/// The properties that `CreateTable` takes as they stand.
const CREATE_TABLE: [&str; 6] = [
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "BillingMode",
    "StreamSpecification",
];

/// The properties that are attributes of a queue under the same name.
const QUEUE_ATTRIBUTES: [&str; 14] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

pub(super) fn table(
    resolver: &Resolver<'_>,
    id: &str,
    properties: &Value,
) -> Result<Table, TemplateError> {
    let name = physical(resolver, id)?;
    let mut create = Map::new();
    create.insert("TableName".to_owned(), Value::String(name.clone()));
    for key in CREATE_TABLE {
        if let Some(value) = properties.get(key) {
            create.insert(key.to_owned(), value.clone());
        }
    }
    // CloudFormation knows a stream by its view alone.
    if let Some(stream) = create
        .get_mut("StreamSpecification")
        .and_then(Value::as_object_mut)
    {
        stream.insert("StreamEnabled".to_owned(), Value::Bool(true));
    }
    create
        .entry("BillingMode")
        .or_insert_with(|| Value::String("PAY_PER_REQUEST".to_owned()));
    let ttl = properties.get("TimeToLiveSpecification");
    let enabled = ttl
        .and_then(|ttl| ttl.get("Enabled"))
        .is_some_and(|flag| to_text(flag) == "true");
    let ttl_attribute = ttl
        .and_then(|ttl| ttl.get("AttributeName"))
        .filter(|_| enabled)
        .map(to_text);
    Ok(Table {
        logical_id: id.to_owned(),
        name,
        create: Value::Object(create),
        ttl_attribute,
    })
}

pub(super) fn queue(
    resolver: &Resolver<'_>,
    id: &str,
    properties: &Value,
) -> Result<Queue, TemplateError> {
    let name = physical(resolver, id)?;
    let attributes: BTreeMap<String, String> = QUEUE_ATTRIBUTES
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), to_text(properties.get(*key)?))))
        .collect();
    Ok(Queue {
        logical_id: id.to_owned(),
        arn: arn(resolver, "sqs", &name),
        name,
        attributes,
    })
}
