//! Every event under events/ is what its function can be invoked with.

use std::collections::BTreeMap;
use std::path::Path;

use hookpost_tests::{Invocation, System, Tenant};
use serde_json::Value;

/// The samples of a function by their names.
fn samples(function: &str) -> BTreeMap<String, Value> {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let files = std::fs::read_dir(events.join(function)).unwrap();
    let samples: BTreeMap<_, _> = files
        .map(|file| {
            let path = file.unwrap().path();
            let text = std::fs::read(&path).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert_eq!(path.extension().unwrap(), "json", "{name}");
            let sample = serde_json::from_slice(&text);
            let sample = sample.unwrap_or_else(|error| panic!("{function}/{name}: {error}"));
            (name, sample)
        })
        .collect();
    assert!(!samples.is_empty());
    samples
}

/// What an HTTP sample is answered.
fn status_of(sample: &str) -> u64 {
    match sample {
        "empty-body" | "invalid-json" | "not-an-object" => 400,
        "bad-event-type"
        | "missing-payload"
        | "wrong-type"
        | "batch-empty"
        | "create-endpoint-private-address" => 422,
        // No source is there.
        "github"
        | "unknown-path"
        | "get-dead-letter"
        | "get-endpoint"
        | "get-event"
        | "delete-endpoint"
        | "update-endpoint"
        | "post-dead-letter-replay" => 404,
        "create-endpoint" | "create-endpoint-alias" | "create-endpoint-full" => 201,
        // The delivery was cancelled when delivery's samples ran: there is no such endpoint.
        "get-delivery" | "health" | "list-endpoints" | "list-dead-letters" => 200,
        "batch-one-bad" | "post-batch" | "post-replay" => 202,
        sample if sample.starts_with("post-event") => 202,
        sample => panic!("nobody has said what {sample} is answered"),
    }
}

/// Which records of an SQS sample come back.
fn failures(invocation: &Invocation) -> Vec<String> {
    let failures = invocation.payload["batchItemFailures"].as_array();
    let failures = failures.unwrap_or_else(|| panic!("{:#}", invocation.payload));
    let id = |failure: &Value| failure["itemIdentifier"].as_str().unwrap().to_owned();
    failures.iter().map(id).collect()
}

fn message_ids(sample: &Value) -> Vec<String> {
    let records = sample["Records"].as_array().unwrap();
    let id = |record: &Value| record["messageId"].as_str().unwrap().to_owned();
    records.iter().map(id).collect()
}

#[tokio::test]
async fn every_sample_runs() {
    let system = System::start_with(&[], &[]);
    let tenant = Tenant::on(&system);
    // Replay's come first: nothing is known of what they tell. Admin's come
    // last: they make endpoints, to which the others' events would go.
    for function in [
        "replay", "ordered", "delivery", "ingest", "inbound", "sweeper", "graphql", "admin",
    ] {
        for (name, sample) in samples(function) {
            let about = format!("{function}/{name}");
            let invocation = tenant.invoke(function, &sample).await;
            assert!(!invocation.failed, "{about}: {:#}", invocation.payload);
            if sample.get("requestContext").is_some() {
                let status = &invocation.payload["statusCode"];
                assert_eq!(
                    *status,
                    status_of(&name),
                    "{about}: {:#}",
                    invocation.payload
                );
            } else if sample.get("Records").is_some() {
                let ids = message_ids(&sample);
                let failed = failures(&invocation);
                assert!(
                    failed.iter().all(|id| ids.contains(id)),
                    "{about}: {failed:?}"
                );
                // What is exhausted or no event is kept: SQS itself has to move it to the dead-letter
                // queue.
                let kept = if name.starts_with("exhausted") || name == "queue-no-event" {
                    ids
                } else {
                    Vec::new()
                };
                assert_eq!(failed, kept, "{about}");
            }
        }
    }
    let ends = "nothing is left to do";
    hookpost_tests::wait::until(ends, || async {
        let waiting = "ApproximateNumberOfMessages";
        let left = tenant.queue_attribute("DeliveryQueue", waiting).await;
        if left == "0" { Ok(()) } else { Err(left) }
    })
    .await;
}

#[tokio::test]
async fn every_folder_is_a_function() {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut folders: Vec<_> = std::fs::read_dir(events)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(
        folders,
        [
            "admin", "delivery", "graphql", "inbound", "ingest", "ordered", "replay", "sweeper"
        ]
    );
}
