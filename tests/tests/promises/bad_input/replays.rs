//! Replays.

use hookpost_tests::Tenant;

use super::{NOTHING, cases, mistake, written};

const BAD_REPLAYS: &str = r#"
    {} -> filter
    {"filter":{}} -> filter
    {"filter":7} -> filter
    {"filter":{"everything":true}} -> filter.everything
    {"filter":{"all":true,"event_type":"a"}} -> filter.all
    {"filter":{"all":"yes"}} -> filter.all
    {"filter":{"event_type":"a b"}} -> filter.event_type
    {"filter":{"endpoint_id":"a#b"}} -> filter.endpoint_id
    {"filter":{"from":"yesterday"}} -> filter.from
    {"filter":{"delivery_ids":["x"]}} -> filter.delivery_ids[0]
    {"filter":{"all":true},"rate_per_second":0} -> rate_per_second
    {"filter":{"all":true},"rate_per_second":-1} -> rate_per_second
    {"filter":{"all":true},"rate_per_second":10001} -> rate_per_second
    {"filter":{"all":true},"dry_run":"no"} -> dry_run
    {"filter":{"all":true},"dryrun":true} -> dryrun
"#;

#[tokio::test]
async fn a_bad_replay_is_refused_by_its_field_and_not_written() {
    let tenant = Tenant::new();
    let mut mistakes = Vec::new();
    for (body, field) in cases(BAD_REPLAYS) {
        let answer = tenant.post("/replays", &body).await;
        let mistake = mistake(&answer, field);
        mistakes.extend(mistake.map(|mistake| format!("{body}: {mistake}")));
    }
    assert_eq!(mistakes, Vec::<String>::new());
    assert_eq!(written(&tenant).await, NOTHING);
}
