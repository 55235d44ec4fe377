//! Single calls of AWS services that speak JSON 1.1: KMS and Secrets Manager.
//!
//! Of those two a function makes a call or two in its life. Their SDK crates would cost each
//! function more of its 3 MB than that is worth, so the calls are written out here, over the SDK's
//! own configuration, signatures and HTTP client.
//!
//! Guarantees: a call ends within three tries of three seconds; what no try mends is tried once;
//! neither what is sent nor what is answered is ever part of an error or a log line.

use std::error::Error as StdError;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_types::body::SdkBody;
use hookpost_domain::ports::World;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::RealWorld;
use crate::aws::{ATTEMPT_TIMEOUT, hyper_client};
use crate::aws_signed;

/// Tries of one call.
const TRIES: u32 = 3;
/// The wait before the second try is up to this long, and twice that before the third.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// More than any answer of these services.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A call that did not work out.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It could not be made: no region, no credentials, nothing to trust.
    #[error("the call cannot be made")]
    NotMade(#[source] BoxError),
    /// There was no answer, or not all of one.
    #[error("there was no answer")]
    NoAnswer(#[source] BoxError),
    /// The service refuses.
    #[error("{code}: {message} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The service's name for it: `DisabledException`.
        code: String,
        /// Its own words.
        message: String,
    },
    /// The answer is not what the service documents.
    #[error("the answer cannot be read")]
    Unreadable,
}

impl CallError {
    /// Whether the same call may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotMade(_) | Self::Unreadable => false,
            Self::NoAnswer(_) => true,
            Self::Refused { status, code, .. } => {
                *status >= 500
                    || *status == 429
                    || code.contains("Throttl")
                    || code == "LimitExceededException"
                    || code == "KeyUnavailableException"
            }
        }
    }

    pub(crate) fn not_made(error: impl Into<BoxError>) -> Self {
        Self::NotMade(error.into())
    }

    pub(crate) fn no_answer(error: impl Into<BoxError>) -> Self {
        Self::NoAnswer(error.into())
    }
}

/// One service.
#[derive(Debug, Clone)]
pub struct JsonService {
    sdk: SdkConfig,
    /// As in signatures and host names.
    name: &'static str,
    /// As in the names of the variables that move its endpoint.
    id: &'static str,
    /// What its operations' names follow in `x-amz-target`.
    target: &'static str,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl JsonService {
    /// KMS.
    pub fn kms(sdk: &SdkConfig) -> Self {
        Self {
            sdk: sdk.clone(),
            name: "kms",
            id: "KMS",
            target: "TrentService",
        }
    }

    /// Secrets Manager.
    pub fn secrets_manager(sdk: &SdkConfig) -> Self {
        Self {
            sdk: sdk.clone(),
            name: "secretsmanager",
            id: "Secrets Manager",
            target: "secretsmanager",
        }
    }

    /// Calls an operation, such as `Decrypt`.
    ///
    /// # Errors
    /// Three tries failed, or the first in a way that no other mends.
    pub async fn call<O: DeserializeOwned>(
        &self,
        operation: &'static str,
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        let input = serde_json::to_vec(input).map_err(CallError::not_made)?;
        let mut nth = 1;
        loop {
            let attempt = self.attempt(operation, &input);
            let outcome = match tokio::time::timeout(ATTEMPT_TIMEOUT, attempt).await {
                Ok(outcome) => outcome,
                Err(elapsed) => Err(CallError::no_answer(elapsed)),
            };
            match outcome {
                Ok(answer) => {
                    // The library's error would quote the answer.
                    return serde_json::from_slice(&answer).map_err(|_| CallError::Unreadable);
                }
                Err(error) if nth == TRIES || !error.is_transient() => return Err(error),
                Err(_) => {
                    let longest = FIRST_BACKOFF * nth;
                    tokio::time::sleep(longest.mul_f64(RealWorld.roll())).await;
                    nth += 1;
                }
            }
        }
    }

    async fn attempt(&self, operation: &str, input: &[u8]) -> Result<Vec<u8>, CallError> {
        let request = self.signed(operation, input).await?;
        // An hour lies between two calls: no connection would live that long.
        let client = hyper_client().map_err(CallError::not_made)?;
        let response = client
            .request(request)
            .await
            .map_err(CallError::no_answer)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
        let answer = body.collect().await.map_err(CallError::NoAnswer)?;
        let answer = answer.to_bytes().to_vec();
        if status.is_success() {
            return Ok(answer);
        }
        let refusal = serde_json::from_slice(&answer).unwrap_or(Refusal {
            code: String::new(),
            message: String::new(),
        });
        // Some services put a namespace before the name.
        let code = refusal.code.rsplit('#').next().unwrap_or_default();
        Err(CallError::Refused {
            status: status.as_u16(),
            code: code.to_owned(),
            message: refusal.message,
        })
    }

    async fn signed(
        &self,
        operation: &str,
        input: &[u8],
    ) -> Result<http::Request<SdkBody>, CallError> {
        let region = aws_signed::region(&self.sdk)?;
        let target = format!("{}.{operation}", self.target);
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
        ];
        aws_signed::post(
            &self.sdk,
            self.name,
            &self.endpoint(region),
            &headers,
            input,
        )
        .await
    }

    /// `AWS_ENDPOINT_URL_<service>`, else `AWS_ENDPOINT_URL`, else AWS.
    fn endpoint(&self, region: &str) -> String {
        let endpoint = aws_signed::endpoint(&self.sdk, self.name, self.id, region);
        format!("{}/", endpoint.trim_end_matches('/'))
    }
}

/// The text of a secret, by its ARN or name.
///
/// # Errors
/// It is not there, not text, or not for us to read.
pub async fn secret_text(sdk: &SdkConfig, secret: &str) -> Result<String, CallError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input<'a> {
        secret_id: &'a str,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        secret_string: String,
    }
    let input = Input { secret_id: secret };
    let service = JsonService::secrets_manager(sdk);
    let answer: Answer = service.call("GetSecretValue", &input).await?;
    Ok(answer.secret_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_config::Region;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn service(endpoint: Option<&str>, region: &'static str) -> JsonService {
        let credentials = Credentials::new("AKID", "secret", None, None, "test");
        let mut sdk = SdkConfig::builder()
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        sdk.set_endpoint_url(endpoint.map(str::to_owned));
        JsonService::kms(&sdk.build())
    }

    /// Answers a connection after the other, and tells what was asked.
    async fn server(
        answers: Vec<(&'static str, &'static str)>,
    ) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"}") {
                    let mut chunk = [0; 4096];
                    let read = stream.read(&mut chunk).await.unwrap();
                    request.extend_from_slice(&chunk[..read]);
                }
                asked.push(String::from_utf8(request).unwrap());
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url, served)
    }

    fn input() -> serde_json::Value {
        serde_json::json!({"CiphertextBlob": "AAAA"})
    }

    #[tokio::test]
    async fn a_call_is_signed_and_names_its_operation() {
        let (url, served) = server(vec![("200 OK", r#"{"Plaintext":"x"}"#)]).await;
        let service = service(Some(&url), "us-east-1");
        let answer: serde_json::Value = service.call("Decrypt", &input()).await.unwrap();
        assert_eq!(answer["Plaintext"], "x");
        let asked = served.await.unwrap().remove(0);
        for part in [
            "POST / HTTP/1.1",
            "x-amz-target: TrentService.Decrypt",
            "content-type: application/x-amz-json-1.1",
            "Credential=AKID/",
            "/us-east-1/kms/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target,",
        ] {
            assert!(asked.contains(part), "{part} is not in {asked}");
        }
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_a_refusal_is_not() {
        let refusal =
            r#"{"__type":"com.amazonaws.kms#DisabledException","message":"it is disabled"}"#;
        let (url, served) = server(vec![
            ("500 Internal Server Error", "{}"),
            ("400 Bad Request", r#"{"__type":"ThrottlingException"}"#),
            ("400 Bad Request", refusal),
        ])
        .await;
        let service = service(Some(&url), "us-east-1");
        let error = service
            .call::<serde_json::Value>("Decrypt", &input())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "DisabledException: it is disabled (HTTP 400)"
        );
        assert!(!error.is_transient());
        assert_eq!(served.await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn what_answers_nothing_is_transient_in_the_end() {
        let service = service(Some("http://127.0.0.1:1"), "us-east-1");
        let error = service
            .call::<serde_json::Value>("Decrypt", &input())
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)) && error.is_transient());
    }

    #[test]
    fn the_endpoint_is_the_regions_unless_it_is_moved() {
        let aws = service(None, "eu-west-1").endpoint("eu-west-1");
        assert_eq!(aws, "https://kms.eu-west-1.amazonaws.com/");
        let china = service(None, "cn-north-1").endpoint("cn-north-1");
        assert_eq!(china, "https://kms.cn-north-1.amazonaws.com.cn/");
        let moved = service(Some("http://127.0.0.1:7"), "eu-west-1").endpoint("eu-west-1");
        assert_eq!(moved, "http://127.0.0.1:7/");
    }
}
