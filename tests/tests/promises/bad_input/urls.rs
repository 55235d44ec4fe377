//! Where an endpoint may be: public HTTPS, and what the deployment lists.

use hookpost_tests::Tenant;
use serde_json::json;

use super::written;

const BAD_URLS: &str = "
    example.com
    /hook
    //example.com
    https://
    http://example.com/
    HTTP://example.com/
    ftp://example.com/
    file:///etc/passwd
    javascript:alert(1)
    data:text/plain,x
    https://user:pass@example.com/
    https://user@example.com/
    https://example.com/#fragment
    https://exa<mple.com/
    https://example.com:99999/
    https://[::1
";

/// Every kind of address that a sender must never reach, in every spelling.
const FORBIDDEN_HOSTS: &str = "
    localhost LOCALHOST localhost. a.localhost
    127.0.0.1 127.0.0.1. 127.1 127.255.255.254 2130706433 0x7f000001 0X7F.1 0177.0.0.1
    017700000001 %31%32%37.0.0.1 １２７.0.0.1 127。0。0。1
    0 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 012.1.2.3 100.64.0.1 100.127.255.255
    169.254.169.254 169.254.169.254. 0xa9fea9fe 2852039166 172.16.0.1 172.31.255.255
    192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    [::] [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1]
    [::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::1] [100::1] [2001:db8::1] [2002:7f00:1::]
    [3fff::1] [3fff:fff::1] [5f00::1] [fc00::1] [fdff::1] [fe80::1] [febf::1] [fec0::1]
    [ff02::1]
";

const GOOD_URLS: [&str; 7] = [
    "https://example.com",
    "https://example.com:8443/a/b?c=d",
    "https://bücher.example/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://172.32.0.1/",
    "https://100.128.0.1/",
];

/// Beside what the deployment lists: its receiver, by its very host and port.
fn beside_the_listed(tenant: &Tenant<'_>) -> Vec<String> {
    let receiver = tenant.system().authority("receiver");
    let lambda = tenant.system().authority("lambda");
    let (_, port) = receiver.rsplit_once(':').unwrap();
    vec![
        format!("http://{lambda}/2015-03-31/functions/admin/invocations"),
        format!("http://127.0.0.2:{port}/success"),
        format!("http://0.0.0.0:{port}/success"),
        format!("http://[::1]:{port}/success"),
        format!("http://[::ffff:127.0.0.1]:{port}/success"),
        format!("http://user@{receiver}/success"),
        format!("ftp://{receiver}/success"),
    ]
}

#[tokio::test]
async fn an_url_that_must_not_be_called_is_refused() {
    let tenant = Tenant::new();
    let kept = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}", kept.id);
    let shown = kept.shown().await;
    let before = written(&tenant).await;
    let mut urls = beside_the_listed(&tenant);
    urls.push(String::new());
    urls.push(format!("https://example.com/{}", "x".repeat(2048)));
    urls.extend(BAD_URLS.split_whitespace().map(str::to_owned));
    for host in FORBIDDEN_HOSTS.split_whitespace() {
        urls.push(format!("https://{host}/hook"));
        urls.push(format!("https://{host}:8443/hook"));
    }
    for url in &urls {
        let body = json!({ "url": url, "event_types": ["*"] });
        let answer = tenant.post("/endpoints", &body).await;
        assert_eq!(answer.status, 422, "{url}: {}", answer.text());
        answer.refuses(422, "url");
        let answer = tenant.patch(&path, &json!({ "url": url })).await;
        answer.refuses(422, "url");
    }
    assert_eq!(written(&tenant).await, before);
    assert_eq!(kept.shown().await, shown);
}

#[tokio::test]
async fn a_public_url_is_taken() {
    let tenant = Tenant::new();
    for url in GOOD_URLS {
        let body = json!({ "url": url, "event_types": ["never"] });
        tenant.post("/endpoints", &body).await.expect(201);
    }
}
