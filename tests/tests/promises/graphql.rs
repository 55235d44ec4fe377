//! The management API asked in GraphQL: the same things, by the same rules.

use hookpost_tests::{Call, Tenant};
use serde_json::{Value, json};

async fn ask(tenant: &Tenant<'_>, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    let call = Call::new("POST", "/graphql").json(&body);
    tenant.call(call).await.expect(200)
}

/// The data of an answer without errors.
async fn data(tenant: &Tenant<'_>, query: &str, variables: Value) -> Value {
    let mut answer = ask(tenant, query, variables).await;
    assert_eq!(answer["errors"], Value::Null, "{answer:#}");
    answer["data"].take()
}

#[tokio::test]
async fn an_endpoint_is_made_changed_and_deleted() {
    let tenant = Tenant::new();
    let url = format!(
        "{}/success/{}",
        tenant.system().url("receiver"),
        tenant.unique_name()
    );
    let input = json!({ "url": url, "event_types": ["order.*"], "name": "a", "retry": "minutes" });
    let create = "mutation($input: EndpointDraftInput!) {
        createEndpoint(input: $input) { id secret name event_types retry { delays max_attempts } } }";
    let made = data(&tenant, create, json!({ "input": input })).await;
    let made = &made["createEndpoint"];
    assert!(
        made["secret"].as_str().unwrap().starts_with("whsec_"),
        "{made}"
    );
    assert_eq!(made["event_types"], json!(["order.*"]));
    let id = made["id"].as_str().unwrap();

    let change = "mutation($id: String!) {
        updateEndpoint(id: $id, input: { name: \"b\", retry: null }) { name secret }
        pauseEndpoint(id: $id) { state } resumeEndpoint(id: $id) { state active } }";
    let changed = data(&tenant, change, json!({ "id": id })).await;
    assert_eq!(
        changed["updateEndpoint"],
        json!({ "name": "b", "secret": null })
    );
    assert_eq!(changed["pauseEndpoint"]["state"], "paused");
    assert_eq!(
        changed["resumeEndpoint"],
        json!({ "state": "active", "active": true })
    );
    let over_http = tenant.get(&format!("/endpoints/{id}")).await.expect(200);
    assert_eq!(over_http["name"], "b");

    let listed = data(
        &tenant,
        "{ endpoints(limit: 5) { data { id } next } }",
        json!({}),
    )
    .await;
    assert_eq!(
        listed["endpoints"],
        json!({ "data": [{ "id": id }], "next": null })
    );
    let delete = format!("mutation {{ deleteEndpoint(id: {}) }}", json!(id));
    assert_eq!(
        data(&tenant, &delete, json!({})).await["deleteEndpoint"],
        true
    );
    tenant.get(&format!("/endpoints/{id}")).await.problem(404);
}

#[tokio::test]
async fn an_event_and_its_delivery_are_told() {
    let tenant = Tenant::new();
    tenant.endpoint("/success").create().await;
    let event = tenant
        .publish("order.created", &json!({ "n": [1, { "a": null }] }))
        .await;
    tenant.all_delivered(&event).await;
    let query = "query($event: String!, $delivery: String!) {
        event(id: $event) { event_type payload deliveries { id status } }
        delivery(id: $delivery) { status attempts attempt_log { number status_code } } }";
    let variables = json!({ "event": event.id, "delivery": event.delivery() });
    let told = data(&tenant, query, variables).await;
    assert_eq!(told["event"]["payload"], json!({ "n": [1, { "a": null }] }));
    assert_eq!(told["event"]["deliveries"][0]["status"], "delivered");
    let attempts = json!([{ "number": 1, "status_code": 200 }]);
    assert_eq!(told["delivery"]["attempt_log"], attempts);
}

#[tokio::test]
async fn what_is_refused_says_so_as_over_http() {
    let tenant = Tenant::new();
    let other = Tenant::new();
    let endpoint = other.endpoint("/success").create().await;
    let query = format!("{{ endpoint(id: {}) {{ id }} }}", json!(endpoint.id));
    let missing = ask(&tenant, &query, json!({})).await;
    let extensions = &missing["errors"][0]["extensions"];
    assert_eq!(
        extensions["type"], "urn:hookpost:problem:not-found",
        "{missing:#}"
    );
    assert_eq!(extensions["status"], 404);
    let create = "mutation { createEndpoint(input: { url: \"http://10.0.0.1/\", event_types: [\"*\"] }) { id } }";
    let refused = ask(&tenant, create, json!({})).await;
    let errors = &refused["errors"][0]["extensions"]["errors"];
    assert_eq!(errors[0]["field"], "url", "{refused:#}");
}

#[tokio::test]
async fn a_document_has_bounds() {
    let tenant = Tenant::new();
    let post = async |body: Value| tenant.call(Call::new("POST", "/graphql").json(&body)).await;
    let calls: Vec<_> = (0..11)
        .map(|n| format!("a{n}: endpoints {{ next }}"))
        .collect();
    let calls = calls.join(" ");
    post(json!({ "query": format!("{{ {calls} }}") }))
        .await
        .refuses(422, "query");
    post(json!([{ "query": "{ metrics { approximate } }" }]))
        .await
        .problem(400);
    post(json!({})).await.refuses(422, "query");
    let many: Vec<_> = (0..700).map(|n| format!("a{n}: next")).collect();
    let many = many.join(" ");
    let wide = post(json!({ "query": format!("{{ endpoints {{ {many} }} }}") })).await;
    assert!(wide.expect(200)["errors"][0].is_object());
    let unreadable = post(json!({ "query": "{" })).await.expect(200);
    assert!(unreadable["errors"][0].is_object());
    // The question that tools ask first is within them.
    let schema = "{ __schema { types { name fields { name args { name type { name ofType { name ofType {
        name ofType { name } } } } } type { name ofType { name ofType { name ofType { name } } } } } } } }";
    let schema = data(&tenant, schema, json!({})).await;
    assert!(schema["__schema"]["types"].as_array().unwrap().len() > 10);
    tenant.call(Call::new("GET", "/graphql")).await.problem(404);
}

#[tokio::test]
async fn secrets_are_rotated_breakers_opened_and_events_listed_and_called_off() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let rotate = "mutation($id: String!) { rotateSecret(id: $id) { id secret } }";
    let rotated = data(&tenant, rotate, json!({ "id": endpoint.id })).await;
    let secret = rotated["rotateSecret"]["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{rotated}");
    let opened = data(
        &tenant,
        "mutation($id: String!) { openBreaker(id: $id) { breaker { state } } }",
        json!({ "id": endpoint.id }),
    )
    .await;
    assert_eq!(opened["openBreaker"]["breaker"]["state"], "open");

    let event = tenant.publish("order.created", &json!({})).await;
    let listed = data(
        &tenant,
        "{ events(event_type: \"order.*\", limit: 10) { data { id delivery_count } next } }",
        json!({}),
    )
    .await;
    assert_eq!(
        listed["events"],
        json!({ "data": [{ "id": event.id, "delivery_count": 1 }], "next": null })
    );
    let cancel = "mutation($id: String!) { cancelEvent(id: $id) { cancelled finished } }";
    let cancelled = data(&tenant, cancel, json!({ "id": event.id })).await;
    assert_eq!(
        cancelled["cancelEvent"],
        json!({ "cancelled": 1, "finished": 0 })
    );
}
