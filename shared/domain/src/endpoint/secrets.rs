//! The part of an endpoint that is kept encrypted, taken out of it and put back.
//!
//! An endpoint without its secrets shows everything that may be shown of it, and can neither sign
//! nor be stored.

use serde::{Deserialize, Serialize};

use super::Endpoint;
use crate::signature::Secret;

/// Signing keys, the password, and the values of headers, in the endpoint's order. Never shown by
/// `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSecrets {
    keys: Vec<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
}

impl std::fmt::Debug for EndpointSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EndpointSecrets(..)")
    }
}

/// The secrets are not those of this endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secrets do not fit the endpoint")]
pub struct Unfitting;

impl Endpoint {
    /// The endpoint as it may be seen by anybody who may see it, and what was taken out.
    pub fn split(&self) -> (Self, EndpointSecrets) {
        let mut shown = self.clone();
        let keys = shown.signing_keys.iter_mut();
        let headers = shown.headers.iter_mut();
        let secrets = EndpointSecrets {
            keys: keys
                .map(|key| std::mem::replace(&mut key.secret, Secret::withheld()))
                .collect(),
            password: shown
                .auth
                .as_mut()
                .map(|auth| std::mem::take(&mut auth.password)),
            headers: headers
                .map(|header| std::mem::take(&mut header.value))
                .collect(),
        };
        (shown, secrets)
    }

    /// The endpoint with what was taken out of it.
    ///
    /// # Errors
    /// It is not what was taken out of this one.
    pub fn join(mut self, secrets: EndpointSecrets) -> Result<Self, Unfitting> {
        let fits = secrets.keys.len() == self.signing_keys.len()
            && secrets.headers.len() == self.headers.len()
            && secrets.password.is_some() == self.auth.is_some();
        if !fits {
            return Err(Unfitting);
        }
        for (key, secret) in self.signing_keys.iter_mut().zip(secrets.keys) {
            key.secret = secret;
        }
        for (header, value) in self.headers.iter_mut().zip(secrets.headers) {
            header.value = value;
        }
        if let (Some(auth), Some(password)) = (&mut self.auth, secrets.password) {
            auth.password = password;
        }
        Ok(self)
    }

    /// Whether its secrets are there, so that it can sign and be stored.
    pub fn has_secrets(&self) -> bool {
        let there = |key: &super::SigningKey| !key.secret.is_withheld();
        !self.signing_keys.is_empty() && self.signing_keys.iter().all(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointDraft;
    use crate::target::AllowedTargets;
    use crate::{TenantId, Timestamp};

    fn endpoint(json: &str) -> Endpoint {
        let draft: EndpointDraft = serde_json::from_str(json).unwrap();
        let id = "ep_1".parse().unwrap();
        let secret = Secret::given("signing-secret").unwrap();
        let (allowed, now) = (AllowedTargets::default(), Timestamp::default());
        draft
            .create(id, TenantId::default(), secret, &allowed, now)
            .unwrap()
    }

    #[test]
    fn what_is_split_holds_no_secret_and_is_joined_to_what_it_was() {
        let whole = endpoint(
            r#"{"url":"https://a.example/","event_types":["*"],"headers":{"X-Key":"header-secret","X-B":""},
                "auth":{"username":"me","password":"auth-secret"}}"#,
        );
        let (shown, secrets) = whole.split();
        let text = serde_json::to_string(&shown).unwrap();
        assert!(
            !text.contains("secret\":\"s") && !text.contains("-secret"),
            "{text}"
        );
        assert!(text.contains("X-Key") && text.contains("\"me\""), "{text}");
        assert!(whole.has_secrets() && !shown.has_secrets());
        assert_eq!(format!("{secrets:?}"), "EndpointSecrets(..)");
        let stored: Endpoint = serde_json::from_str(&text).unwrap();
        let secrets = serde_json::to_string(&secrets).unwrap();
        let joined = stored.join(serde_json::from_str(&secrets).unwrap());
        assert_eq!(joined.unwrap(), whole);
    }

    #[test]
    fn secrets_of_another_endpoint_do_not_fit() {
        let plain = endpoint(r#"{"url":"https://a.example/","event_types":["*"]}"#);
        let other =
            endpoint(r#"{"url":"https://a.example/","event_types":["*"],"headers":{"X-Key":"v"}}"#);
        assert_eq!(plain.split().0.join(other.split().1), Err(Unfitting));
        assert_eq!(other.split().0.join(plain.split().1), Err(Unfitting));
    }
}
