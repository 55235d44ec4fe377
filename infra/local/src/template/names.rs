//! What a resource is called: its `Ref`, its attributes, its ARN.

use serde_json::Value;

use super::resolve::{Resolver, to_text};
use super::{TemplateError, secrets};

/// The property that names a resource of this type, if it takes a name.
fn name_property(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::DynamoDB::Table" => Some("TableName"),
        "AWS::SQS::Queue" => Some("QueueName"),
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => Some("FunctionName"),
        "AWS::IAM::Role" => Some("RoleName"),
        "AWS::Logs::LogGroup" => Some("LogGroupName"),
        "AWS::CloudWatch::Alarm" => Some("AlarmName"),
        "AWS::SNS::Topic" => Some("TopicName"),
        "AWS::SecretsManager::Secret" => Some("Name"),
        "AWS::KMS::Alias" => Some("AliasName"),
        "AWS::ApiGatewayV2::Stage" => Some("StageName"),
        _ => None,
    }
}

/// A resource's physical name: the one that the template gives it, else
/// `<stack>-<logical id>`, as `CloudFormation` makes one up.
pub(super) fn physical(resolver: &Resolver<'_>, id: &str) -> Result<String, TemplateError> {
    let declared = resolver.resource(id).ok_or_else(|| {
        TemplateError::Malformed(format!("{id} is neither a parameter nor a resource"))
    })?;
    let given = name_property(&kind_of(declared))
        .and_then(|property| declared.get("Properties")?.get(property));
    let generated = || format!("{}-{id}", resolver.setting.stack);
    match given {
        Some(value) => {
            let value = to_text(&resolver.resolve(value)?);
            Ok(if value.is_empty() { generated() } else { value })
        }
        None => Ok(generated()),
    }
}

/// What `Ref` answers for a resource.
pub(super) fn reference(resolver: &Resolver<'_>, id: &str) -> Result<String, TemplateError> {
    let name = physical(resolver, id)?;
    let kind = resolver.resource(id).map(kind_of).unwrap_or_default();
    Ok(match kind.as_str() {
        "AWS::SQS::Queue" => queue_url(resolver, &name),
        "AWS::SNS::Topic" => arn(resolver, "sns", &name),
        "AWS::KMS::Key" => secrets::key_id(resolver, id),
        "AWS::SecretsManager::Secret" => secrets::secret_arn(resolver, id)?,
        "AWS::ApiGatewayV2::Api" if is_socket(resolver, id) => name,
        "AWS::Serverless::HttpApi" | "AWS::ApiGatewayV2::Api" => "local".to_owned(),
        _ => name,
    })
}

/// What `GetAtt` answers for a resource.
pub(super) fn attribute(
    resolver: &Resolver<'_>,
    id: &str,
    attribute: &str,
) -> Result<String, TemplateError> {
    let name = physical(resolver, id)?;
    let kind = resolver.resource(id).map(kind_of).unwrap_or_default();
    let answer = match (kind.as_str(), attribute) {
        ("AWS::DynamoDB::Table", "Arn") => arn(resolver, "dynamodb", &format!("table/{name}")),
        ("AWS::SQS::Queue", "Arn") => arn(resolver, "sqs", &name),
        ("AWS::SQS::Queue", "QueueName") => name,
        ("AWS::SQS::Queue", "QueueUrl") => queue_url(resolver, &name),
        ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => {
            arn(resolver, "lambda", &format!("function:{name}"))
        }
        ("AWS::IAM::Role", "Arn") => {
            format!("arn:aws:iam::{}:role/{name}", resolver.setting.account)
        }
        ("AWS::Logs::LogGroup", "Arn") => arn(resolver, "logs", &format!("log-group:{name}:*")),
        ("AWS::KMS::Key", "Arn") => secrets::key_arn(resolver, id),
        ("AWS::KMS::Key", "KeyId") => secrets::key_id(resolver, id),
        ("AWS::SecretsManager::Secret", "Id") => secrets::secret_arn(resolver, id)?,
        ("AWS::ApiGatewayV2::Api", "ApiEndpoint") if is_socket(resolver, id) => {
            resolver.setting.socket_endpoint.clone()
        }
        ("AWS::Serverless::HttpApi" | "AWS::ApiGatewayV2::Api", "ApiEndpoint") => {
            resolver.setting.api_endpoint.clone()
        }
        // What has no life on one machine still needs a value to be written down.
        _ => format!("{name}.{attribute}"),
    };
    Ok(answer)
}

/// Whether an API speaks WebSocket.
fn is_socket(resolver: &Resolver<'_>, id: &str) -> bool {
    let declared = resolver.resource(id);
    let protocol = declared.and_then(|declared| declared.pointer("/Properties/ProtocolType"));
    protocol.map(to_text).as_deref() == Some("WEBSOCKET")
}

/// The ARN of something in the local account and region.
pub(super) fn arn(resolver: &Resolver<'_>, service: &str, rest: &str) -> String {
    let setting = resolver.setting;
    format!(
        "arn:aws:{service}:{}:{}:{rest}",
        setting.region, setting.account
    )
}

fn queue_url(resolver: &Resolver<'_>, name: &str) -> String {
    let setting = resolver.setting;
    format!("{}/{}/{name}", setting.sqs_endpoint, setting.account)
}

/// A resource's type.
pub(super) fn kind_of(declared: &Value) -> String {
    declared.get("Type").map(to_text).unwrap_or_default()
}
