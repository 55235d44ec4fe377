//! The receiver over real connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, Mac};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

use super::{Receiver, Settings, serve};
use crate::clock;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"id":"evt_1","event":"order.created","data":{}}"#;

struct Running {
    address: SocketAddr,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

struct Answered {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn start(settings: Settings) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        listener,
        Receiver::new(settings),
        std::future::pending(),
    ));
    let client = Client::builder(TokioExecutor::new()).build_http();
    Running { address, client }
}

impl Running {
    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Answered {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answered {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, &[], "").await.json()
    }

    async fn put(&self, path: &str, body: Value) -> Answered {
        let json = ("content-type", "application/json".to_owned());
        self.call(Method::PUT, path, &[json], &body.to_string())
            .await
    }

    async fn post(&self, path: &str, webhook_id: &str) -> Answered {
        let headers = [("webhook-id", webhook_id.to_owned())];
        self.call(Method::POST, path, &headers, BODY).await
    }
}

fn unix_seconds(at: SystemTime) -> i64 {
    i64::try_from(clock::epoch_ms(at) / 1_000).unwrap()
}

fn signed(secret: &str, id: &str, at: SystemTime, body: &str) -> Vec<(&'static str, String)> {
    let seconds = unix_seconds(at);
    let webhook = Webhook::new(secret).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mac = mac.finalize().into_bytes();
    let hex = mac
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        (
            "webhook-signature",
            webhook.sign(id, seconds, body.as_bytes()).unwrap(),
        ),
        ("x-webhook-signature", format!("sha256={hex}")),
    ]
}

#[tokio::test]
async fn a_signature_is_held_against_the_bytes_that_came() {
    let receiver = start(Settings::default()).await;
    let now = clock::wall();
    let secrets = json!({ "/success/alice": SECRET, "/success/old": ["whsec_AAAA", SECRET] });
    assert_eq!(receiver.put("/_control/secrets", secrets).await.status, 204);

    let right = signed(SECRET, "evt_1", now, BODY);
    let hour = Duration::from_hours(1);
    let late = signed(SECRET, "evt_1", now - hour, BODY);
    let cases = [
        ("/success/alice", right.clone(), BODY, "verified"),
        ("/success/alice/deeper?q=1", right.clone(), BODY, "verified"),
        ("/success/old", right.clone(), BODY, "verified"),
        ("/success/alice", right.clone(), "{}", "bad"),
        ("/success/alice", right[1..].to_vec(), BODY, "bad"),
        ("/success/alice", right[..3].to_vec(), BODY, "bad"),
        ("/success/alice", late, BODY, "bad"),
        (
            "/success/alice",
            signed("whsec_AAAA", "evt_1", now, BODY),
            BODY,
            "bad",
        ),
        ("/success/alicia", right, BODY, "unknown_secret"),
    ];
    for (path, headers, body, _) in &cases {
        receiver.call(Method::POST, path, headers, body).await;
    }

    let seen = receiver.get("/_requests").await;
    let requests = seen["requests"].as_array().unwrap();
    assert_eq!(requests.len(), cases.len());
    for (request, (path, _, body, verdict)) in requests.iter().zip(&cases) {
        assert_eq!(request["signature"], *verdict, "{path}");
        assert_eq!(request["body"], *body);
        assert_eq!(request["status"], 200);
    }
    // Each form has a verdict of its own.
    assert_eq!(requests[4]["signatures"]["sha256"], "verified");
    assert_eq!(
        requests[4]["signatures"]["standard_fault"],
        "a header is missing"
    );
    assert_eq!(requests[5]["signatures"]["standard"], "verified");
    assert_eq!(
        requests[5]["signatures"]["sha256_fault"],
        "the header is missing"
    );
    assert_eq!(
        requests[6]["signatures"]["standard_fault"],
        "the time stamp is too old"
    );

    let counts = receiver.get("/_counts?prefix=/success/alice").await;
    assert_eq!(counts["paths"]["/success/alice"]["verified"], 1);
    assert_eq!(counts["total"]["verified"], 2);
    assert_eq!(counts["total"]["bad"], 5);
}

#[tokio::test]
async fn a_secret_that_is_none_is_refused_and_null_forgets_one() {
    let receiver = start(Settings::default()).await;
    for secrets in [
        json!({ "/x": "whsec_%%%" }),
        json!({ "/x": "" }),
        json!({ "x": SECRET }),
        json!([1]),
    ] {
        let refused = receiver.put("/_control/secrets", secrets).await;
        assert!((400..500).contains(&refused.status), "{}", refused.body);
    }
    receiver
        .put("/_control/secrets", json!({ "/": SECRET }))
        .await;
    receiver.post("/success", "a").await;
    receiver
        .put("/_control/secrets", json!({ "/": null }))
        .await;
    receiver.post("/success", "b").await;
    let seen = receiver.get("/_requests").await;
    assert_eq!(seen["requests"][0]["signature"], "bad");
    assert_eq!(seen["requests"][1]["signature"], "unknown_secret");
}

#[tokio::test]
async fn flaky_fails_the_first_requests_of_each_webhook() {
    let receiver = start(Settings::default()).await;
    let mut statuses = Vec::new();
    for id in ["a", "a", "b", "a", "b", "b", "a"] {
        statuses.push(receiver.post("/flaky/alice?fail=2", id).await.status);
    }
    assert_eq!(statuses, [500, 500, 500, 200, 500, 200, 200]);
    let counts = receiver.get("/_counts?prefix=/flaky").await;
    let counts = &counts["paths"]["/flaky/alice"];
    assert_eq!(counts["requests"], 7);
    assert_eq!(counts["distinct_ids"], 2);
    assert_eq!(counts["statuses"], json!({ "200": 3, "500": 4 }));
}

#[tokio::test]
async fn throttle_says_when_to_come_back() {
    let receiver = start(Settings::default()).await;
    let refused = receiver.post("/throttle?after=7&times=2", "a").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "7");
    assert_eq!(
        receiver.post("/throttle?after=7&times=2", "a").await.status,
        429
    );
    let accepted = receiver.post("/throttle?after=7&times=2", "a").await;
    assert_eq!(accepted.status, 200);
    assert!(!accepted.headers.contains_key("retry-after"));

    let dated = receiver.post("/throttle?after=date&in=60", "b").await;
    let date = dated.headers["retry-after"].to_str().unwrap();
    let ahead = httpdate::parse_http_date(date)
        .unwrap()
        .duration_since(clock::wall());
    let ahead = ahead.unwrap().as_secs();
    assert!((57..=60).contains(&ahead), "{ahead} s ahead");
}

#[tokio::test]
async fn plain_answers_are_what_their_paths_say() {
    let receiver = start(Settings::default()).await;
    for (path, status) in [
        ("/success", 200),
        ("/fail", 500),
        ("/gone/bob", 410),
        ("/status/418", 418),
        ("/status/204", 204),
        ("/slow?ms=1", 200),
        ("/nothing", 404),
        ("/_nothing", 404),
        ("/status/99", 400),
        ("/redirect/bob", 302),
    ] {
        assert_eq!(receiver.post(path, "a").await.status, status, "{path}");
    }
    let redirect = receiver.post("/redirect/bob", "a").await;
    assert_eq!(redirect.headers["location"], "/success/bob");
    let busy = receiver.post("/status/503?after=3", "a").await;
    assert_eq!(busy.headers["retry-after"], "3");
    assert_eq!(
        receiver.post("/big?bytes=70000", "a").await.body.len(),
        70_000
    );
}

#[tokio::test]
async fn a_switch_is_set_while_running() {
    let receiver = start(Settings::default()).await;
    assert_eq!(receiver.post("/switch/x/named", "a").await.status, 200);
    receiver
        .put("/_control/switch/x", json!({ "status": 503 }))
        .await;
    assert_eq!(receiver.post("/switch/x/named", "a").await.status, 503);
    assert_eq!(receiver.post("/switch/y", "a").await.status, 200);
    assert_eq!(receiver.get("/_control/switch/x").await["status"], 503);
    let nonsense = json!({ "status": 1 });
    assert_eq!(
        receiver.put("/_control/switch/x", nonsense).await.status,
        400
    );
}

#[tokio::test]
async fn the_record_is_bounded_and_can_be_followed() {
    let receiver = start(Settings {
        max_requests: 5,
        ..Settings::default()
    })
    .await;
    for n in 0..8 {
        receiver.post("/success/a", &n.to_string()).await;
    }
    let seen = receiver.get("/_requests?since=0").await;
    assert_eq!(seen["last_id"], 8);
    assert_eq!(seen["requests"].as_array().unwrap().len(), 5);
    let seen = receiver.get("/_requests?since=6&limit=1").await;
    assert_eq!(seen["requests"][0]["id"], 7);
    let seen = receiver.get("/_requests?webhook_id=7").await;
    assert_eq!(seen["requests"][0]["headers"]["webhook-id"], "7");
    assert_eq!(receiver.get("/_counts").await["total"]["requests"], 8);

    receiver.post("/success/b", "x").await;
    let cleared = receiver
        .call(Method::DELETE, "/_requests?path=/success/a", &[], "")
        .await;
    assert_eq!(cleared.status, 204);
    let seen = receiver.get("/_requests").await;
    assert_eq!(seen["requests"].as_array().unwrap().len(), 1);
    assert_eq!(receiver.get("/_counts").await["total"]["requests"], 1);
}

#[tokio::test]
async fn without_recording_the_counts_go_on() {
    let receiver = start(Settings::default()).await;
    let settings = json!({ "record": false, "measure": true });
    assert_eq!(
        receiver.put("/_control/settings", settings).await.status,
        204
    );
    let sent_at_us = clock::epoch_ms(clock::wall()) * 1_000 - 5_000_000;
    let body = json!({ "data": { "sent_at_us": sent_at_us } }).to_string();
    receiver.call(Method::POST, "/success", &[], &body).await;
    assert_eq!(receiver.get("/_requests").await["requests"], json!([]));
    let counts = receiver.get("/_counts").await;
    assert_eq!(counts["total"]["requests"], 1);
    let p50 = counts["paths"]["/success"]["latency_us"]["p50"]
        .as_u64()
        .unwrap();
    assert!((5_000_000..7_000_000).contains(&p50), "{p50}");
}

#[tokio::test]
async fn a_sender_that_does_not_wait_is_told_of() {
    let receiver = start(Settings::default()).await;
    let hanging = tokio::time::timeout(Duration::from_millis(100), receiver.post("/hang", "a"));
    let (hanging, during) = tokio::join!(hanging, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        receiver.get("/_counts").await
    });
    assert!(hanging.is_err());
    assert_eq!(during["paths"]["/hang"]["in_flight"], 1);
    let mut state = json!(null);
    for _ in 0..100 {
        state = receiver.get("/_requests").await["requests"][0]["state"].clone();
        if state == "abandoned" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(state, "abandoned");
    assert_eq!(receiver.get("/_counts").await["total"]["in_flight"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reset_breaks_off_and_drip_goes_on() {
    let receiver = start(Settings::default()).await;
    let address = receiver.address;
    let raw = move |path: &str| {
        let mut connection = TcpStream::connect(address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        write!(
            connection,
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
        )
        .unwrap();
        connection
    };
    let (reset, dripped) = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        // The connection may end with an error or without one: it ends.
        let _ended = raw("/reset").read_to_end(&mut all);
        let mut dripping = raw("/drip?ms=1");
        let mut some = [0; 400];
        dripping.read_exact(&mut some).unwrap();
        (String::from_utf8(all).unwrap(), some.len())
    })
    .await
    .unwrap();
    assert!(reset.contains("content-length: 1000"), "{reset}");
    assert!(reset.ends_with("half of the answer"), "{reset}");
    assert_eq!(dripped, 400);
}

#[tokio::test]
async fn the_page_escapes_what_came() {
    let receiver = start(Settings::default()).await;
    let evil = "<script>alert(1)</script>";
    let event = [("x-webhook-event", format!("{evil}\"'"))];
    receiver
        .call(Method::POST, "/success/%3Cscript%3E", &event, evil)
        .await;
    let page = receiver.call(Method::GET, "/", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains(evil));
    assert!(
        page.body
            .contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;")
    );
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    let filtered = receiver
        .call(Method::GET, "/?path=%3Cscript%3E", &[], "")
        .await;
    assert!(filtered.body.contains("<code>&lt;script&gt;</code>"));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, Receiver::default(), async {
        stopped.await.unwrap();
    }));
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "POST /hang HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
    )
    .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), serving).await;
    ended.unwrap().unwrap().unwrap();
}

#[test]
fn informational_statuses_end_nothing() {
    assert!(super::behaviour::final_status("100").is_err());
    assert_eq!(
        super::behaviour::final_status("200").unwrap(),
        StatusCode::OK
    );
}
