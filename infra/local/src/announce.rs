//! What is told once everything serves: where, and what to try.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::template::Plan;

/// Where everything is served.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The HTTP API.
    pub api: SocketAddr,
    /// SQS.
    pub sqs: SocketAddr,
    /// `DynamoDB`.
    pub dynamodb: SocketAddr,
    /// Lambda.
    pub lambda: SocketAddr,
    /// The receiver.
    pub receiver: SocketAddr,
    /// KMS and Secrets Manager.
    pub secrets: SocketAddr,
    /// WebSocket APIs.
    pub live: SocketAddr,
}

/// The content of the ready file, and of `/_local`.
pub fn document(plan: &Plan, at: &Addresses, data: Option<&Path>) -> Value {
    let url = |address: SocketAddr| format!("http://{address}");
    let queues: BTreeMap<&str, String> = plan
        .queues
        .iter()
        .map(|queue| {
            let url = local_sqs::queue_url(&at.sqs.to_string(), &queue.name);
            (queue.logical_id.as_str(), url)
        })
        .collect();
    let tables: BTreeMap<&str, &str> = plan
        .tables
        .iter()
        .map(|table| (table.logical_id.as_str(), table.name.as_str()))
        .collect();
    let keys: BTreeMap<&str, &str> = plan
        .keys
        .iter()
        .map(|key| (key.logical_id.as_str(), key.arn.as_str()))
        .collect();
    let secrets: BTreeMap<&str, &str> = plan
        .secrets
        .iter()
        .map(|secret| (secret.logical_id.as_str(), secret.arn.as_str()))
        .collect();
    let functions: BTreeMap<&str, &str> = plan
        .functions
        .iter()
        .map(|function| (function.logical_id.as_str(), function.binary.as_str()))
        .collect();
    json!({
        "pid": std::process::id(),
        "api": url(at.api),
        "sqs": url(at.sqs),
        "dynamodb": url(at.dynamodb),
        "lambda": url(at.lambda),
        "receiver": url(at.receiver),
        "kms": url(at.secrets),
        "secretsmanager": url(at.secrets),
        "live": url(at.live),
        "region": local_sqs::REGION,
        "queues": queues,
        "tables": tables,
        "functions": functions,
        "keys": keys,
        "secrets": secrets,
        "data": data.map(|path| path.display().to_string()),
    })
}

/// Writes the ready file: whole or not at all, so that who waits for it can
/// read it as soon as it is there.
pub fn write_ready_file(path: &Path, document: &Value) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, format!("{document:#}\n"))?;
    std::fs::rename(unfinished, path)
}

/// What the terminal shows.
pub fn banner(at: &Addresses, data: Option<&Path>) -> String {
    let Addresses {
        api,
        sqs,
        dynamodb,
        lambda,
        receiver,
        secrets,
        live,
    } = at;
    let data = data.map_or_else(
        || "in memory, gone when this ends".to_owned(),
        |path| path.display().to_string(),
    );
    format!(
        r#"
Hookpost runs here. Ctrl-C ends it.

  API       http://{api}
  receiver  http://{receiver}  (open it to see what it got)
  Lambda    http://{lambda}  (cargo lambda invoke --invoke-port {lambda_port} replay --data-file events/replay/all.json)
  SQS       http://{sqs}
  DynamoDB  http://{dynamodb}
  KMS       http://{secrets}  (and Secrets Manager)
  live      ws://{live}/live  (with a ticket from POST /api/v1/live/tickets)
  data      {data}

An endpoint to send to, an event, and what became of it:

  curl http://{api}/api/v1/endpoints -H 'content-type: application/json' \
    -d '{{"url":"http://{receiver}/success","events":["order.*"]}}'
  curl http://{api}/api/v1/events -H 'content-type: application/json' \
    -d '{{"event_type":"order.created","payload":{{"order":42}}}}'
  curl http://{receiver}/_requests
"#,
        lambda_port = lambda.port(),
    )
}
