//! The calls of the documents that this product was wished for in work as they are written there,
//! host, port and key aside: `tests/seeds` has them as text, and curl makes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use hookpost_tests::{Tenant, wait};
use serde_json::Value;

/// The documents' hosts are led to the local system, and the key's place is taken by the tenant:
/// the commands themselves stay what they are. The status goes where no pipe takes it from.
const CURL: &str = r#"curl() {
    command curl -sS --max-time 20 -w '%{stderr}%{http_code}' -H "X-Tenant: $TENANT" \
        --connect-to "localhost:8000:$API" --connect-to "localhost:8080:$API" "$@"
}
"#;

/// A command of a document, and what it promises of the answer.
#[derive(Debug, Default)]
struct Step {
    title: String,
    command: String,
    promises: Vec<Promise>,
}

#[derive(Debug)]
enum Promise {
    Status(String),
    Text(String),
    /// At a JSON pointer.
    Value(String, Wanted),
}

#[derive(Debug)]
enum Wanted {
    Something,
    Named(String),
    This(String),
}

fn read(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            let title = title.to_owned();
            steps.push(Step {
                title,
                ..Step::default()
            });
            continue;
        }
        let step = steps.last_mut().unwrap();
        match line.strip_prefix("=> ") {
            Some(promise) => step.promises.push(Promise::read(promise)),
            None => writeln!(step.command, "{line}").unwrap(),
        }
    }
    steps
}

impl Promise {
    fn read(text: &str) -> Self {
        match text.split_once(' ') {
            None => Self::Status(text.to_owned()),
            Some(("~", text)) => Self::Text(text.to_owned()),
            Some((pointer, wanted)) => {
                let name = wanted
                    .strip_prefix('{')
                    .and_then(|name| name.strip_suffix('}'));
                let wanted = match name {
                    Some(name) if !name.contains('"') => Wanted::Named(name.to_owned()),
                    _ if wanted == "?" => Wanted::Something,
                    _ => Wanted::This(wanted.to_owned()),
                };
                Self::Value(pointer.to_owned(), wanted)
            }
        }
    }

    /// Holds an answer against it; gives what is to be remembered.
    fn check(&self, answer: &Answered, known: &Names) -> Result<Option<(String, String)>, String> {
        match self {
            Self::Status(status) if answer.status == *status => Ok(None),
            Self::Status(status) => Err(format!("not {status}")),
            Self::Text(text) if answer.body.contains(&fill(text, known)) => Ok(None),
            Self::Text(text) => Err(format!("without {text}")),
            Self::Value(pointer, wanted) => {
                let body: Value = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
                let found = body.pointer(pointer).filter(|found| !found.is_null());
                let found = found.ok_or_else(|| format!("nothing at {pointer}"))?;
                match wanted {
                    Wanted::Something => Ok(None),
                    Wanted::Named(name) => {
                        let text = found.as_str().ok_or("no text")?;
                        Ok(Some((name.clone(), text.to_owned())))
                    }
                    Wanted::This(json) => {
                        let wanted: Value = serde_json::from_str(&fill(json, known)).unwrap();
                        if *found == wanted {
                            Ok(None)
                        } else {
                            Err(format!("{pointer} is {found}, not {wanted}"))
                        }
                    }
                }
            }
        }
    }
}

/// What was remembered of answers before.
type Names = BTreeMap<String, String>;

fn fill(text: &str, known: &Names) -> String {
    let fill = |text: String, (name, value): (&String, &String)| {
        text.replace(&format!("{{{name}}}"), value)
    };
    known.iter().fold(text.to_owned(), fill)
}

#[derive(Debug)]
struct Answered {
    status: String,
    body: String,
}

async fn run(tenant: &Tenant<'_>, command: &str) -> Answered {
    let system = tenant.system();
    let (api, receiver) = (system.authority("api"), system.authority("receiver"));
    // What the system is to call has to be said in its own words.
    let (_, port) = api.rsplit_once(':').unwrap();
    let command = command
        .replace(
            "\"http://localhost:8000/test",
            &format!("\"http://localhost:{port}/test"),
        )
        .replace("http://localhost:9090", &format!("http://{receiver}"));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{CURL}{command}")])
        .env("API", api)
        .env("TENANT", &tenant.id);
    let ran = tokio::task::spawn_blocking(move || shell.output().unwrap());
    let ran = ran.await.unwrap();
    Answered {
        status: String::from_utf8(ran.stderr).unwrap(),
        body: String::from_utf8(ran.stdout).unwrap(),
    }
}

/// Makes the calls of a document, in order.
async fn hold(document: &str) {
    let path = format!("{}/seeds/{document}.txt", env!("CARGO_MANIFEST_DIR"));
    let tenant = Tenant::new();
    let mut known = Names::new();
    for step in read(&std::fs::read_to_string(path).unwrap()) {
        let command = fill(&step.command, &known);
        // What changes something is done once, and its answer is what it is; but a new endpoint has
        // a moment until events find it.
        let changes = command.contains("-X ") && !command.contains("/api/v1/events");
        let learned = wait::within(wait::DEADLINE, &step.title, || async {
            let answer = run(&tenant, &command).await;
            let checked = step
                .promises
                .iter()
                .map(|promise| promise.check(&answer, &known));
            let checked: Result<Vec<_>, String> = checked.collect();
            match checked {
                Ok(learned) => Ok(learned),
                Err(why) if changes => panic!("{}: {why}: {answer:#?}", step.title),
                Err(why) => Err(format!("{why}: {answer:#?}")),
            }
        })
        .await;
        known.extend(learned.into_iter().flatten());
    }
}

#[tokio::test]
async fn what_seed_000_wishes_for_can_be_called() {
    hold("000").await;
}

#[tokio::test]
async fn the_shapes_of_seed_002_work() {
    hold("002").await;
}

#[tokio::test]
async fn the_calls_of_seed_001_work_as_written() {
    hold("001").await;
}

#[tokio::test]
async fn the_calls_of_seed_003_work_as_written() {
    hold("003").await;
}

#[tokio::test]
async fn the_calls_of_seed_004_work_as_written() {
    hold("004").await;
}
