//! CORS as API Gateway does it: it answers preflights by itself, and its own
//! headers replace those of a function.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::http::Answer;
use crate::template::Cors;

/// The answer to a preflight, or `None` if the request is none.
pub(super) fn preflight(cors: &Cors, method: &Method, request: &HeaderMap) -> Option<Answer> {
    if method != Method::OPTIONS
        || !request.contains_key(header::ORIGIN)
        || !request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if let Some(origin) = allowed_origin(cors, request) {
        let headers = answer.headers_mut();
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        put(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &cors.allow_methods.join(","),
        );
        put(
            headers,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &cors.allow_headers.join(","),
        );
        if let Some(age) = cors.max_age {
            put(headers, header::ACCESS_CONTROL_MAX_AGE, &age.to_string());
        }
        allow_credentials(cors, headers);
    }
    Some(answer)
}

/// Sets the headers of an ordinary answer.
pub(super) fn apply(cors: &Cors, request: &HeaderMap, answer: &mut HeaderMap) {
    let theirs: Vec<HeaderName> = answer
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in theirs {
        answer.remove(name);
    }
    if let Some(origin) = allowed_origin(cors, request) {
        put(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        put(
            answer,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &cors.expose_headers.join(","),
        );
        allow_credentials(cors, answer);
    }
}

fn allowed_origin(cors: &Cors, request: &HeaderMap) -> Option<String> {
    let origin = request.get(header::ORIGIN)?.to_str().ok()?;
    cors.allow_origins
        .iter()
        .any(|allowed| allowed == "*" || allowed == origin)
        .then(|| {
            let any = cors.allow_origins.iter().any(|allowed| allowed == "*");
            if any {
                "*".to_owned()
            } else {
                origin.to_owned()
            }
        })
}

fn allow_credentials(cors: &Cors, headers: &mut HeaderMap) {
    if cors.allow_credentials {
        put(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        Cors {
            allow_origins: vec!["https://a.example".to_owned()],
            allow_methods: vec!["GET".to_owned(), "POST".to_owned()],
            allow_headers: vec!["authorization".to_owned()],
            max_age: Some(600),
            ..Cors::default()
        }
    }

    fn request(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("access-control-request-method", "POST".parse().unwrap());
        headers
    }

    #[test]
    fn a_preflight_of_a_listed_origin_is_allowed_and_others_get_no_headers() {
        let listed = preflight(&cors(), &Method::OPTIONS, &request("https://a.example")).unwrap();
        assert_eq!(listed.status(), 204);
        assert_eq!(
            listed.headers()["access-control-allow-origin"],
            "https://a.example"
        );
        assert_eq!(listed.headers()["access-control-allow-methods"], "GET,POST");
        assert_eq!(listed.headers()["access-control-max-age"], "600");
        let other = preflight(&cors(), &Method::OPTIONS, &request("https://b.example")).unwrap();
        assert!(other.headers().is_empty());
    }

    #[test]
    fn options_without_preflight_headers_goes_to_the_function() {
        assert!(preflight(&cors(), &Method::OPTIONS, &HeaderMap::new()).is_none());
        assert!(preflight(&cors(), &Method::GET, &request("https://a.example")).is_none());
    }

    #[test]
    fn the_apis_headers_replace_the_functions() {
        let mut answer = HeaderMap::new();
        answer.insert("access-control-allow-origin", "*".parse().unwrap());
        apply(&cors(), &request("https://b.example"), &mut answer);
        assert!(answer.is_empty());
        apply(&cors(), &request("https://a.example"), &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "https://a.example");
    }
}
