//! Brings the template's tables about: creates what is missing, and tells
//! where a table that is there differs from what the template says now.

use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::update_time_to_live::UpdateTimeToLiveRequest;
use dynoxide::{Database, DynoxideError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::DynamoDbError;
use crate::template::Table;

/// Creates the table if it is missing. `Some` tells how an existing one differs.
pub(super) fn ensure(database: &Database, table: &Table) -> Result<Option<String>, DynamoDbError> {
    let failed = |problem: String| DynamoDbError::Table {
        table: table.name.clone(),
        problem,
    };
    let name = json!({ "TableName": table.name });
    let describe: DescribeTableRequest = request(&name).map_err(failed)?;
    match database.describe_table(describe) {
        Ok(described) => {
            let described = serde_json::to_value(described).unwrap_or_default();
            return Ok(difference(table, &described));
        }
        Err(DynoxideError::ResourceNotFoundException(_)) => {}
        Err(error) => return Err(failed(error.to_string())),
    }
    let create: CreateTableRequest = request(&table.create).map_err(failed)?;
    database
        .create_table(create)
        .map_err(|error| failed(error.to_string()))?;
    if let Some(attribute) = &table.ttl_attribute {
        let ttl: UpdateTimeToLiveRequest = request(&json!({
            "TableName": table.name,
            "TimeToLiveSpecification": { "Enabled": true, "AttributeName": attribute },
        }))
        .map_err(failed)?;
        database
            .update_time_to_live(ttl)
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(None)
}

fn request<T: DeserializeOwned>(body: &Value) -> Result<T, String> {
    serde_json::from_value(body.clone()).map_err(|error| error.to_string())
}

fn difference(table: &Table, described: &Value) -> Option<String> {
    let described = described.get("Table")?;
    let keys = |value: &Value| value.get("KeySchema").cloned();
    let indexes = |value: &Value| -> Vec<(Value, Option<Value>)> {
        let list = value
            .get("GlobalSecondaryIndexes")
            .and_then(Value::as_array);
        let mut named: Vec<(Value, Option<Value>)> = list
            .into_iter()
            .flatten()
            .filter_map(|index| Some((index.get("IndexName")?.clone(), keys(index))))
            .collect();
        named.sort_by_key(|(name, _)| name.to_string());
        named
    };
    let same =
        keys(&table.create) == keys(described) && indexes(&table.create) == indexes(described);
    (!same).then(|| {
        format!(
            "the table {} in the data folder has other keys or indexes than infra/template.yaml: \
             delete the folder, or start with --memory",
            table.name
        )
    })
}
