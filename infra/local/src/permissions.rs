//! Holds each call of a function against its role in the template, as IAM
//! would: nothing is allowed that no statement allows, and a deny wins.
//!
//! Conditions of a statement are not evaluated: a statement with one is taken
//! to match.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

/// The statements of one role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    role: String,
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    deny: bool,
    /// With `NotAction` the list names what the statement does not cover.
    actions: Vec<String>,
    inverted: bool,
    resources: Vec<String>,
}

impl Policy {
    /// Reads resolved policy documents. The error names what is malformed.
    pub fn parse(role: String, documents: &[Value]) -> Result<Self, String> {
        let mut statements = Vec::new();
        for document in documents {
            let declared = document
                .get("Statement")
                .ok_or("a policy without Statement")?;
            for statement in one_or_many(declared) {
                statements.push(parse_statement(statement)?);
            }
        }
        Ok(Self { role, statements })
    }

    /// Whether the role may do `action` on `resource`.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let mut allowed = false;
        for statement in &self.statements {
            if statement.covers(action, resource) {
                if statement.deny {
                    return false;
                }
                allowed = true;
            }
        }
        allowed
    }
}

impl Statement {
    fn covers(&self, action: &str, resource: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let named = self.actions.iter().any(|pattern| matches(pattern, &action));
        named != self.inverted
            && self
                .resources
                .iter()
                .any(|pattern| matches(pattern, resource))
    }
}

fn parse_statement(declared: &Value) -> Result<Statement, String> {
    let texts = |key: &str| -> Vec<String> {
        declared
            .get(key)
            .map(|value| {
                one_or_many(value)
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    };
    let deny = match declared.get("Effect").and_then(Value::as_str) {
        Some("Allow") => false,
        Some("Deny") => true,
        other => return Err(format!("a policy statement has the effect {other:?}")),
    };
    let inverted = declared.get("NotAction").is_some();
    let actions = texts(if inverted { "NotAction" } else { "Action" });
    Ok(Statement {
        deny,
        actions: actions.iter().map(|a| a.to_ascii_lowercase()).collect(),
        inverted,
        resources: texts("Resource"),
    })
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array().map(|items| items.iter());
    let one = many.is_none().then_some(value);
    many.into_iter().flatten().chain(one)
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut restart: Option<(usize, usize)> = None;
    while let Some(&wanted) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                restart = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == wanted => {
                p += 1;
                t += 1;
            }
            _ => match restart {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    restart = Some((after_star, t));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == b'*')
}

/// Who may do what, by access key id. Keys that belong to no function, such as
/// a developer's own, may do everything.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    by_caller: Arc<HashMap<String, Policy>>,
}

/// A call that the caller's role does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{caller} may not {action} on {resource}: its role {role} in infra/template.yaml lacks it")]
pub struct Denied {
    /// The function's logical id.
    pub caller: String,
    /// `service:Operation`.
    pub action: String,
    /// The resource's ARN, less its account part.
    pub resource: String,
    /// The role's name.
    pub role: String,
}

impl Permissions {
    /// The roles of all functions by logical id.
    pub fn new(policies: impl IntoIterator<Item = (String, Policy)>) -> Self {
        Self {
            by_caller: Arc::new(policies.into_iter().collect()),
        }
    }

    /// Whether `caller` is a function, and so held to its role.
    pub fn binds(&self, caller: &str) -> bool {
        self.by_caller.contains_key(caller)
    }

    /// Holds one call against the caller's role.
    pub fn check(&self, caller: &str, action: &str, resource: &str) -> Result<(), Denied> {
        let Some(policy) = self.by_caller.get(caller) else {
            return Ok(());
        };
        if policy.allows(action, resource) {
            return Ok(());
        }
        Err(Denied {
            caller: caller.to_owned(),
            action: action.to_owned(),
            resource: resource
                .splitn(6, ':')
                .last()
                .unwrap_or(resource)
                .to_owned(),
            role: policy.role.clone(),
        })
    }
}

/// The access key id of a signed request: who calls.
pub fn caller(headers: &http::HeaderMap) -> &str {
    headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, credential)| credential.split('/').next())
        .unwrap_or("anonymous")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/hookpost-local-EventsTable";

    fn permissions(statements: &Value) -> Permissions {
        let document = json!({ "Statement": statements });
        let policy = Policy::parse("IngestRole".to_owned(), &[document]).unwrap();
        Permissions::new([("IngestFunction".to_owned(), policy)])
    }

    #[test]
    fn what_no_statement_allows_is_denied_and_the_message_says_where_it_is_missing() {
        let permissions = permissions(&json!([
            {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": TABLE}
        ]));
        assert_eq!(
            permissions.check("IngestFunction", "dynamodb:GetItem", TABLE),
            Ok(())
        );
        let denied = permissions
            .check("IngestFunction", "dynamodb:PutItem", TABLE)
            .unwrap_err();
        assert_eq!(
            denied.to_string(),
            "IngestFunction may not dynamodb:PutItem on table/hookpost-local-EventsTable: \
             its role IngestRole in infra/template.yaml lacks it"
        );
    }

    #[test]
    fn an_index_is_a_resource_of_its_own() {
        let permissions = permissions(&json!([
            {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": TABLE},
        ]));
        let index = format!("{TABLE}/index/by-status");
        assert!(
            permissions
                .check("IngestFunction", "dynamodb:Query", TABLE)
                .is_ok()
        );
        assert!(
            permissions
                .check("IngestFunction", "dynamodb:Query", &index)
                .is_err()
        );
    }

    #[test]
    fn wildcards_match_and_a_deny_wins() {
        let permissions = permissions(&json!([
            {"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": "arn:aws:dynamodb:*:table/*"},
            {"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"},
        ]));
        assert!(
            permissions
                .check("IngestFunction", "dynamodb:PutItem", TABLE)
                .is_ok()
        );
        assert!(
            permissions
                .check("IngestFunction", "dynamodb:DeleteItem", TABLE)
                .is_err()
        );
        assert!(
            permissions
                .check("IngestFunction", "dynamodb:Query", TABLE)
                .is_err()
        );
    }

    #[test]
    fn callers_that_are_no_function_may_do_everything() {
        let permissions = permissions(&json!([]));
        assert!(
            permissions
                .check("AKIADEVELOPER", "sqs:PurgeQueue", "arn:x")
                .is_ok()
        );
        assert!(permissions.binds("IngestFunction"));
        assert!(!permissions.binds("AKIADEVELOPER"));
    }

    #[test]
    fn the_caller_is_the_access_key_of_the_signature() {
        let mut headers = http::HeaderMap::new();
        assert_eq!(caller(&headers), "anonymous");
        headers.insert(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=IngestFunction/20261121/us-east-1/sqs/aws4_request, x"
                .parse()
                .unwrap(),
        );
        assert_eq!(caller(&headers), "IngestFunction");
    }

    #[test]
    fn patterns_match_as_iam_does() {
        assert!(matches("a*c?e", "abbbcde"));
        assert!(!matches("a*c?e", "abbbce"));
        assert!(matches("*", ""));
        assert!(!matches("", "a"));
    }
}
