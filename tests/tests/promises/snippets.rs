//! The README's ways to verify a request, run as they are printed there on a request that was
//! really received. A tool that this machine lacks is passed over, and named.

use std::process::{Command, Output};

use hookpost_tests::{Received, Tenant};
use serde_json::json;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
/// Where `.ci/tools` puts a Python that has the library.
const PYTHON: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../.tools/conformance/bin/python"
);

/// The README's code in a language, in order.
fn snippets(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(README).unwrap();
    let (_, section) = readme.split_once("## Receive and verify").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let opening = format!("\n```{language}\n");
    let fences = section.split(opening.as_str()).skip(1);
    fences
        .map(|rest| rest.split("\n```").next().unwrap().to_owned())
        .collect()
}

/// A request as it came, and one that somebody changed.
async fn requests() -> (Received, Received, String) {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let payload = json!({ "text": "é \\ \" $HOME `x` %s", "n": 1.5 });
    tenant.publish("order.created", &payload).await;
    let received = endpoint.receives(1).await.remove(0);
    let mut changed = received.clone();
    changed.body = changed.body.replace("1.5", "2.5");
    assert_ne!(changed.body, received.body);
    (received, changed, endpoint.secret)
}

/// Runs a program on a request; nothing if there is no such program.
fn run(program: &str, arguments: &[&str], request: &Received, secret: &str) -> Option<Output> {
    let ran = Command::new(program)
        .args(arguments)
        .env("secret", secret)
        .env("body", &request.body)
        .env("headers", serde_json::to_string(&request.headers).unwrap())
        .env("id", request.header("webhook-id"))
        .env("timestamp", request.header("webhook-timestamp"))
        .output();
    if ran.is_err() {
        eprintln!("not tried: there is no {program}");
    }
    ran.ok()
}

fn output(ran: &Output) -> &str {
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}");
    std::str::from_utf8(&ran.stdout).unwrap().trim()
}

#[tokio::test]
async fn the_python_of_the_readme_verifies_what_is_received() {
    let has_library = Command::new(PYTHON)
        .args(["-c", "import standardwebhooks"])
        .output();
    let python = if has_library.is_ok_and(|ran| ran.status.success()) {
        PYTHON
    } else {
        "python3"
    };
    let (received, changed, secret) = requests().await;
    let code = format!(
        "import json, os, sys\n\
         try:\n import standardwebhooks\nexcept ImportError:\n print('no library'); sys.exit()\n\
         secret, body = os.environ['secret'], os.environ['body']\n\
         headers = json.loads(os.environ['headers'])\n{}\nprint(message['event'])",
        snippets("python").join("\n")
    );
    let Some(ran) = run(python, &["-c", &code], &received, &secret) else {
        return;
    };
    if output(&ran) == "no library" {
        eprintln!("not tried: standardwebhooks is not installed");
        return;
    }
    assert_eq!(output(&ran), "order.created");
    let ran = run(python, &["-c", &code], &changed, &secret).unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(
        !ran.status.success() && told.contains("WebhookVerificationError"),
        "{told}"
    );
}

#[tokio::test]
async fn the_node_of_the_readme_verifies_what_is_received() {
    let (received, changed, secret) = requests().await;
    let code = format!(
        "{}\nconst {{ secret, headers, body }} = process.env;\n\
         console.log(verify(secret, JSON.parse(headers), Buffer.from(body)));",
        snippets("js").join("\n")
    );
    let arguments = ["--input-type=module", "-e", &code];
    let verdict = |request: &Received, secret: &str| {
        let ran = run("node", &arguments, request, secret)?;
        Some(output(&ran).to_owned())
    };
    let Some(verified) = verdict(&received, &secret) else {
        return;
    };
    assert_eq!(verified, "true");
    assert_eq!(verdict(&changed, &secret).unwrap(), "false");
    assert_eq!(verdict(&received, "whsec_AAAA").unwrap(), "false");
    let mut old = received.clone();
    old.headers
        .insert("webhook-timestamp".to_owned(), "1614265330".to_owned());
    assert_eq!(verdict(&old, &secret).unwrap(), "false");
}

#[tokio::test]
async fn the_openssl_of_the_readme_makes_the_same_signatures() {
    let (received, changed, secret) = requests().await;
    let [standard, plain] = &snippets("sh")[..] else {
        panic!("there are two");
    };
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("not tried: there is no openssl");
        return;
    }
    let shell = |code: &str, request: &Received| {
        let ran = run("sh", &["-c", code], request, &secret).unwrap();
        output(&ran).to_owned()
    };
    for (code, prefix, header) in [
        (standard, "v1,", "webhook-signature"),
        (plain, "sha256=", "x-webhook-signature"),
    ] {
        let made = format!("{prefix}{}", shell(code, &received));
        assert_eq!(made, received.header(header));
        assert_ne!(
            format!("{prefix}{}", shell(code, &changed)),
            received.header(header)
        );
    }
}
