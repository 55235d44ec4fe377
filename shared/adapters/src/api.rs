//! HTTP as the functions see it: API Gateway's HTTP API, payload version 2.0, in; JSON or RFC 9457
//! problem details out.

use std::collections::HashMap;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine;
use hookpost_domain::Invalid;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One HTTP call.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    query: HashMap<String, String>,
    raw_query: String,
    headers: HeaderMap,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// Where it comes from.
    pub source_ip: String,
    /// What API Gateway calls it.
    pub request_id: String,
}

impl Call {
    /// Reads API Gateway's payload.
    ///
    /// # Errors
    /// A body that is not the base64 it is said to be.
    pub fn from_gateway(request: ApiGatewayV2httpRequest) -> Result<Self, Problem> {
        let request_id = request.request_context.request_id.unwrap_or_default();
        let http = request.request_context.http;
        let body = request.body.unwrap_or_default();
        let body = if request.is_base64_encoded {
            base64::engine::general_purpose::STANDARD
                .decode(&body)
                .map_err(|_| Problem::bad_request("the body is not readable"))?
        } else {
            body.into_bytes()
        };
        Ok(Self {
            method: http.method.to_string(),
            path: request.raw_path.or(http.path).unwrap_or_default(),
            query: request
                .query_string_parameters
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            raw_query: request.raw_query_string.unwrap_or_default(),
            headers: request.headers,
            body,
            source_ip: http.source_ip.unwrap_or_default(),
            request_id,
        })
    }

    /// A call without body or query.
    #[doc(hidden)]
    pub fn for_tests(method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().filter_map(|(name, value)| {
            Some((
                HeaderName::try_from(*name).ok()?,
                HeaderValue::try_from(*value).ok()?,
            ))
        });
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: HashMap::new(),
            raw_query: String::new(),
            headers: headers.collect(),
            body: Vec::new(),
            source_ip: String::new(),
            request_id: String::new(),
        }
    }

    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers, by their names in lower case; those that are not ASCII have no value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().ok()))
    }

    /// A header that has to be text, if it is there.
    ///
    /// # Errors
    /// 422 for one that is not ASCII.
    pub fn text_header(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let Some(value) = self.headers.get(name.to_ascii_lowercase()) else {
            return Ok(None);
        };
        value.to_str().map(Some).map_err(|_| {
            Problem::invalid(&Invalid::new(name, "must be printable ASCII characters"))
        })
    }

    /// The `Idempotency-Key` header.
    ///
    /// # Errors
    /// 422 for one that is empty, too long or not ASCII.
    pub fn idempotency_key(&self) -> Result<Option<String>, Problem> {
        let Some(key) = self.text_header("Idempotency-Key")? else {
            return Ok(None);
        };
        if key.is_empty() || key.len() > 255 {
            let rule = "must be 1 to 255 characters";
            return Err(Problem::invalid(&Invalid::new("Idempotency-Key", rule)));
        }
        Ok(Some(key.to_owned()))
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The query parameters as a known shape.
    ///
    /// # Errors
    /// 422 with the parameter's name for what does not fit.
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let pairs = form_urlencoded::parse(self.raw_query.as_bytes());
        let reader = serde_urlencoded::Deserializer::new(pairs);
        serde_path_to_error::deserialize(reader).map_err(|error| misfit(&error))
    }

    /// As [`Self::query_as`], without the parameter of this name.
    ///
    /// # Errors
    /// 422 with the parameter's name for what does not fit.
    pub fn query_without<T: DeserializeOwned>(&self, name: &str) -> Result<T, Problem> {
        let pairs = form_urlencoded::parse(self.raw_query.as_bytes());
        let mut rest = form_urlencoded::Serializer::new(String::new());
        rest.extend_pairs(pairs.filter(|(other, _)| other != name));
        let rest = rest.finish();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(rest.as_bytes()));
        serde_path_to_error::deserialize(reader).map_err(|error| misfit(&error))
    }

    /// The query as it came, but with this parameter instead of any of its name.
    pub fn query_with(&self, name: &str, value: &str) -> String {
        let pairs = form_urlencoded::parse(self.raw_query.as_bytes());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs.filter(|(other, _)| other != name));
        query.append_pair(name, value).finish()
    }

    /// The body as a JSON object of a known shape, or what stands for none.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(T::default());
        }
        self.json()
    }

    /// The segments of the path below `/api/v1`, or of the whole path.
    pub fn segments(&self) -> Vec<&str> {
        let path = self.path.strip_prefix("/api/v1").unwrap_or(&self.path);
        path.split('/')
            .filter(|segment| !segment.is_empty())
            .collect()
    }

    /// The body as a JSON object of a known shape.
    ///
    /// # Errors
    /// 400 for what is not JSON or no object; 422 with the field's name for what does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_object(&self.body)
    }
}

/// Reads a JSON object of a known shape.
///
/// # Errors
/// 400 for what is not JSON or no object; 422 with the field's name for what does not fit.
pub fn parse_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::bad_request(
            "the body is empty; a JSON object is expected",
        ));
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        return Err(Problem::bad_request(format!(
            "the body is not JSON: {error}"
        )));
    }
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::bad_request("the body is not a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| misfit(&error))
}

/// A problem that names the field which does not fit its shape.
fn misfit<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> Problem {
    let path = error.path().to_string();
    let text = error.inner().to_string();
    let rule = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    // A missing or unknown field is told in the text, under the object's own path.
    let named = rule.split('`').nth(1).filter(|_| rule.contains("field `"));
    let field = match (path.as_str(), named) {
        (".", Some(name)) => name.to_owned(),
        (".", None) => "body".to_owned(),
        (path, Some(name)) if !path.ends_with(name) => format!("{path}.{name}"),
        (path, _) => path.to_owned(),
    };
    Problem::invalid(&Invalid::new(field, rule))
}

/// An answer that is no error.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    is_base64: bool,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: serde_json::to_string(body).unwrap_or_default(),
            is_base64: false,
        }
    }

    /// A document that is not JSON, with its content type.
    pub fn document(content_type: &'static str, body: String) -> Self {
        Self {
            status: 200,
            content_type,
            headers: Vec::new(),
            body,
            is_base64: false,
        }
    }

    /// Bytes that need not be text, with their content type.
    pub fn bytes(content_type: &'static str, body: &[u8]) -> Self {
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        Self {
            is_base64: true,
            ..Self::document(content_type, body)
        }
    }

    /// Nothing (204).
    pub fn empty() -> Self {
        Self {
            status: 204,
            content_type: "application/json",
            headers: Vec::new(),
            body: String::new(),
            is_base64: false,
        }
    }

    /// With another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The answer's status.
    pub fn status(&self) -> u16 {
        self.status
    }
}

/// One field that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field, as the caller wrote it.
    pub field: String,
    /// The rule, and what would be right.
    pub rule: String,
}

/// Problem details (RFC 9457). `type` is stable; texts may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    /// The status.
    pub status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    headers: Vec<(&'static str, String)>,
}

impl Problem {
    fn new(status: u16, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hookpost:problem:{kind}"),
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 400: the call itself is not readable.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, "bad-request", "The call cannot be read", detail)
    }

    /// 401: a webhook that is not known to be its sender's own. It is not told why.
    pub fn unsigned() -> Self {
        let detail = "the webhook is not signed as this source signs";
        Self::new(401, "unsigned", "The signature does not hold", detail)
    }

    /// 401: no key, or not one that is known.
    pub fn unauthorized() -> Self {
        let detail = "send a key as `Authorization: Bearer <key>` or `X-Api-Key: <key>`";
        let mut problem = Self::new(401, "unauthorized", "A valid API key is needed", detail);
        problem
            .headers
            .push(("www-authenticate", "Bearer".to_owned()));
        problem
    }

    /// 403: the key is known, but not good for this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, "forbidden", "This is not allowed", detail)
    }

    /// 429: more calls than the key may make.
    pub fn too_many(wait: std::time::Duration) -> Self {
        let wait = hookpost_domain::time::ceil_secs(wait).max(1);
        let detail = format!("this key has made too many calls; try again in {wait} s");
        let mut problem = Self::new(429, "too-many-calls", "Too many calls", detail);
        problem.headers.push(("retry-after", wait.to_string()));
        problem
    }

    /// 415: the body is of a type that is not read here.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        let title = "The body is of a type that is not read here";
        Self::new(415, "unsupported-media-type", title, detail)
    }

    /// 404: there is no such thing, or not for this caller.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, "not-found", "There is no such thing", detail)
    }

    /// 405: the path exists, but not for this method.
    pub fn method_not_allowed(allow: impl Into<String>) -> Self {
        let allow = allow.into();
        let mut problem = Self::new(
            405,
            "method-not-allowed",
            "This method is not for this path",
            format!("allowed: {allow}"),
        );
        problem.headers.push(("allow", allow));
        problem
    }

    /// 409: it clashes with what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            409,
            "conflict",
            "This conflicts with what is stored",
            detail,
        )
    }

    /// 409: a field clashes with what is there.
    pub fn conflict_of(field: &str, rule: &str) -> Self {
        let mut problem = Self::conflict(format!("{field} {rule}"));
        problem.errors.push(FieldError {
            field: field.to_owned(),
            rule: rule.to_owned(),
        });
        problem
    }

    /// 413: too much.
    pub fn too_large(field: &str, rule: &str) -> Self {
        let mut problem = Self::new(
            413,
            "too-large",
            "This is too large",
            format!("{field} {rule}"),
        );
        problem.errors.push(FieldError {
            field: field.to_owned(),
            rule: rule.to_owned(),
        });
        problem
    }

    /// 422: a field breaks its rule.
    pub fn invalid(invalid: &Invalid) -> Self {
        let mut problem = Self::new(422, "invalid", "A field is not valid", invalid.to_string());
        problem.errors.push(FieldError {
            field: invalid.field.clone().into_owned(),
            rule: invalid.rule.clone().into_owned(),
        });
        problem
    }

    /// 422: fields that break their rules; `None` if there are none.
    pub fn invalid_all(faults: &[Invalid]) -> Option<Self> {
        let (first, others) = faults.split_first()?;
        let mut problem = Self::invalid(first);
        problem
            .errors
            .extend(others.iter().map(|invalid| FieldError {
                field: invalid.field.clone().into_owned(),
                rule: invalid.rule.clone().into_owned(),
            }));
        Some(problem)
    }

    /// 503: AWS did not do its part; nothing was promised. Logged here, as nobody else knows why.
    pub fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        tracing::error!(error = causes.join(": "), "a call was not served");
        let detail =
            "nothing was promised; try again, with the same Idempotency-Key if there is one";
        let mut problem = Self::new(
            503,
            "unavailable",
            "A service this depends on did not answer",
            detail,
        );
        problem.headers.push(("retry-after", "1".to_owned()));
        problem
    }

    /// With the caller's own position in a batch or path before each field.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        for error in &mut self.errors {
            error.field = format!("{place}.{}", error.field);
        }
        self
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(&invalid)
    }
}

impl From<hookpost_domain::ports::Error> for Problem {
    fn from(error: hookpost_domain::ports::Error) -> Self {
        Self::unavailable(&error)
    }
}

/// What API Gateway is answered.
pub fn to_gateway(outcome: Result<Reply, Problem>) -> ApiGatewayV2httpResponse {
    let reply = outcome.unwrap_or_else(|problem| Reply {
        status: problem.status,
        content_type: "application/problem+json",
        headers: problem.headers.clone(),
        body: serde_json::to_string(&problem).unwrap_or_default(),
        is_base64: false,
    });
    let mut headers = HeaderMap::new();
    let all = std::iter::once(("content-type", reply.content_type.to_owned())).chain(reply.headers);
    for (name, value) in all {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = reply.status.into();
    response.headers = headers;
    response.is_base64_encoded = reply.is_base64;
    response.body = (!reply.body.is_empty()).then_some(Body::Text(reply.body));
    response
}

#[cfg(test)]
mod strangers;
