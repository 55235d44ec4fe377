//! What the client promises to those who publish, with the answers of the API getting lost.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use hookpost_client::verify::{Message, Verifier, VerifyError, verify_plain};
use hookpost_client::{Client, Event, PublishError};
use hookpost_tests::{Endpoint, Tenant};
use serde_json::{Value, json};

/// A way to the API on which the next answers get lost, after the API has given them.
#[derive(Debug)]
struct LossyWay {
    address: SocketAddr,
    to_lose: Arc<AtomicU32>,
}

impl LossyWay {
    fn to(api: &str, answers_to_lose: u32) -> Self {
        let api: SocketAddr = api.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to_lose = Arc::new(AtomicU32::new(answers_to_lose));
        let lose = Arc::clone(&to_lose);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let lose = Arc::clone(&lose);
                std::thread::spawn(move || pass_on(connection, api, &lose));
            }
        });
        Self { address, to_lose }
    }

    fn client(&self, tenant: &Tenant<'_>) -> Client {
        Client::builder(&format!("http://{}", self.address), "")
            .tenant(&tenant.id)
            .backoff(Duration::from_millis(5), Duration::from_millis(50))
            .build()
            .unwrap()
    }

    fn has_lost_all(&self) -> bool {
        self.to_lose.load(Ordering::SeqCst) == 0
    }
}

/// One request and its answer, or no answer.
fn pass_on(mut connection: TcpStream, api: SocketAddr, to_lose: &AtomicU32) {
    let mut request = Vec::new();
    let mut chunk = [0; 8 * 1024];
    while !is_whole(&request) {
        match connection.read(&mut chunk) {
            Ok(read) if read > 0 => request.extend(&chunk[..read]),
            Ok(_) | Err(_) => return,
        }
    }
    let line = request.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (line, rest) = request.split_at(line);
    let mut upstream = TcpStream::connect(api).unwrap();
    let alone = [line, b"connection: close\r\n", rest].concat();
    upstream.write_all(&alone).unwrap();
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).unwrap();
    let less_one = |left: u32| left.checked_sub(1);
    if to_lose
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less_one)
        .is_err()
    {
        let _gone = connection.write_all(&answer);
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

/// The ids of what an endpoint got, once all that was sent before is through.
async fn got(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>) -> Vec<String> {
    for _ in 0..2 {
        let fence = tenant.publish("fence", &json!({})).await;
        tenant.all_delivered(&fence).await;
    }
    let received = endpoint.received().await;
    let orders = received
        .iter()
        .filter(|r| r.header("x-webhook-event") != "fence");
    orders.map(|r| r.header("webhook-id").to_owned()).collect()
}

fn order(n: u32) -> Event {
    Event::new("order.created", &json!({ "n": n })).unwrap()
}

#[tokio::test]
async fn an_event_whose_answers_get_lost_is_sent_once() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let way = LossyWay::to(tenant.system().authority("api"), 3);
    let client = way.client(&tenant);
    let event = order(1);
    let accepted = client.publish(&event).await.unwrap();
    assert!(accepted.duplicate && way.has_lost_all());
    assert_eq!(accepted.delivery_count, 1);
    tenant
        .delivery_is(&accepted.deliveries[0].id, "delivered")
        .await;
    let later = client.publish(&event).await.unwrap();
    assert_eq!(
        (later.id.as_str(), later.duplicate),
        (accepted.id.as_str(), true)
    );
    assert_eq!(got(&tenant, &endpoint).await, [accepted.id]);
}

#[tokio::test]
async fn a_batch_whose_answers_get_lost_is_sent_once() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let way = LossyWay::to(tenant.system().authority("api"), 2);
    let client = way.client(&tenant);
    let events = [order(1), order(2), order(3).id("order-3")];
    let batch = client.publish_batch(&events).await.unwrap();
    assert!(way.has_lost_all());
    let ids: Vec<String> = batch.into_iter().map(|result| result.unwrap().id).collect();
    // Alone, or in another batch, each is still the same event.
    for (event, id) in events.iter().zip(&ids) {
        let again = client.publish(event).await.unwrap();
        assert_eq!((&again.id, again.duplicate), (id, true));
    }
    let [one, two, three] = events;
    let other = client
        .publish_batch(&[three, order(4), two, one])
        .await
        .unwrap();
    let other: Vec<_> = other.into_iter().map(|result| result.unwrap()).collect();
    let duplicates: Vec<bool> = other.iter().map(|accepted| accepted.duplicate).collect();
    assert_eq!(duplicates, [true, false, true, true]);
    let mut wanted = ids;
    wanted.push(other[1].id.clone());
    for id in &wanted {
        tenant
            .delivery_is(&endpoint.delivery_of(id), "delivered")
            .await;
    }
    let mut got = got(&tenant, &endpoint).await;
    got.sort();
    wanted.sort();
    assert_eq!(got, wanted);
}

#[tokio::test]
async fn a_refusal_names_the_field_and_one_does_not_spoil_a_batch() {
    let tenant = Tenant::new();
    let way = LossyWay::to(tenant.system().authority("api"), 0);
    let client = way.client(&tenant);
    let bad = || Event::new("no such type!", &json!({})).unwrap();
    let error = client.publish(&bad()).await.unwrap_err();
    let PublishError::Refused(problem) = error else {
        panic!("{error:?}");
    };
    assert_eq!((problem.status, problem.name()), (422, "invalid"));
    assert_eq!(problem.errors[0].field, "event_type");
    let results = client.publish_batch(&[order(1), bad()]).await.unwrap();
    assert!(results[0].is_ok());
    assert_eq!(results[1].as_ref().unwrap_err().name(), "invalid");
    let results = client.publish_batch(&[bad()]).await.unwrap();
    assert_eq!(
        results[0].as_ref().unwrap_err().errors[0].field,
        "events[0].event_type"
    );
    let first = client
        .publish(&order(1).idempotency_key("k"))
        .await
        .unwrap();
    assert!(!first.duplicate);
    let error = client
        .publish(&order(2).idempotency_key("k"))
        .await
        .unwrap_err();
    assert_eq!(error.problem().unwrap().status, 409);
}

#[tokio::test]
async fn what_is_received_can_be_verified() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    tenant
        .publish("order.created", &json!({ "text": "é" }))
        .await;
    let received = &endpoint.receives(1).await[0];
    let (headers, body) = (&received.headers, received.body.as_bytes());
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(received.at_ms);
    let verifier = Verifier::new([endpoint.secret.as_str(), "another"]).unwrap();
    let verified = verifier.verify(headers, body, at).unwrap();
    assert_eq!(verified.id, received.header("webhook-id"));
    let message: Message<Value> = verified.message().unwrap();
    assert_eq!(message.event, "order.created");
    assert_eq!(message.data, json!({ "text": "é" }));
    verify_plain(&endpoint.secret, headers, body).unwrap();
    let late = at + Duration::from_secs(310);
    assert_eq!(
        verifier.verify(headers, body, late),
        Err(VerifyError::TooOld)
    );
    let changed = received.body.replace('é', "e");
    let verdict = verifier.verify(headers, changed.as_bytes(), at);
    assert_eq!(verdict, Err(VerifyError::NoMatch));
}
