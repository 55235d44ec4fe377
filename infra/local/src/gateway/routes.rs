//! Which function a request goes to: API Gateway's precedence for HTTP APIs.
//!
//! The most specific path wins, a literal segment over a variable over a
//! greedy one; a route for the method wins over `ANY`; `$default` takes the
//! rest. A path that matches with another method only is passed over.

use std::collections::BTreeMap;

/// All routes of the API.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    method: String,
    segments: Vec<Segment>,
    is_default: bool,
    key: String,
    function: String,
}

/// The order is the precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Variable(String),
    Greedy(String),
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched<'a> {
    /// The function's logical id.
    pub function: &'a str,
    /// `POST /path/{id}`, `ANY /{proxy+}` or `$default`.
    pub route_key: &'a str,
    /// The path's variables, decoded.
    pub parameters: BTreeMap<&'a str, String>,
}

impl Routes {
    /// Adds a route to `function`.
    pub(super) fn add(&mut self, method: &str, path: &str, function: &str) {
        let is_default = path == "$default";
        let segments = path
            .trim_start_matches('/')
            .split('/')
            .map(segment)
            .collect();
        self.routes.push(Entry {
            method: method.to_owned(),
            segments: if is_default { Vec::new() } else { segments },
            is_default,
            key: if is_default {
                path.to_owned()
            } else {
                format!("{method} {path}")
            },
            function: function.to_owned(),
        });
        // A stable sort by precedence: the first that matches is the one.
        self.routes.sort_by(|left, right| {
            (left.is_default, ranks(&left.segments), left.method == "ANY").cmp(&(
                right.is_default,
                ranks(&right.segments),
                right.method == "ANY",
            ))
        });
    }

    /// The keys of all routes.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| route.key.as_str())
    }

    /// Finds the route of a request.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<Matched<'_>> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        self.routes.iter().find_map(|route| {
            let parameters = if route.is_default {
                BTreeMap::new()
            } else if route.method == "ANY" || route.method == method {
                route.matches(&parts)?
            } else {
                return None;
            };
            Some(Matched {
                function: &route.function,
                route_key: &route.key,
                parameters,
            })
        })
    }
}

impl Entry {
    fn matches(&self, parts: &[&str]) -> Option<BTreeMap<&str, String>> {
        let mut parameters = BTreeMap::new();
        let mut rest = parts;
        for segment in &self.segments {
            let (first, after) = rest.split_first()?;
            match segment {
                Segment::Literal(literal) if literal == first => {}
                Segment::Literal(_) => return None,
                Segment::Variable(_) | Segment::Greedy(_) if first.is_empty() => return None,
                Segment::Variable(name) => {
                    parameters.insert(name.as_str(), decoded(first));
                }
                Segment::Greedy(name) => {
                    parameters.insert(name.as_str(), decoded(&rest.join("/")));
                    return Some(parameters);
                }
            }
            rest = after;
        }
        rest.is_empty().then_some(parameters)
    }
}

fn segment(text: &str) -> Segment {
    match text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        Some(name) => match name.strip_suffix('+') {
            Some(greedy) => Segment::Greedy(greedy.to_owned()),
            None => Segment::Variable(name.to_owned()),
        },
        None => Segment::Literal(text.to_owned()),
    }
}

fn ranks(segments: &[Segment]) -> Vec<u8> {
    segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Variable(_) => 1,
            Segment::Greedy(_) => 2,
        })
        .collect()
}

/// `%41` as `A`; what is no such escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = after
            .get(if escaped.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let mut routes = Routes::default();
        for (method, path, function) in [
            ("ANY", "/{proxy+}", "Admin"),
            ("POST", "/api/v1/dead-letters/{id}/replay", "Replay"),
            ("POST", "/api/v1/events", "Ingest"),
            ("ANY", "/api/{version}/events", "Any"),
            ("POST", "/api/v1/{kind}", "Kind"),
        ] {
            routes.add(method, path, function);
        }
        routes
    }

    fn function(method: &str, path: &str) -> Option<String> {
        routes()
            .find(method, path)
            .map(|found| found.function.to_owned())
    }

    #[test]
    fn the_most_specific_path_wins() {
        assert_eq!(
            function("POST", "/api/v1/events").as_deref(),
            Some("Ingest")
        );
        assert_eq!(function("POST", "/api/v1/other").as_deref(), Some("Kind"));
        assert_eq!(
            function("POST", "/api/v1/events/batch").as_deref(),
            Some("Admin")
        );
    }

    #[test]
    fn a_path_with_another_method_only_is_passed_over() {
        assert_eq!(function("GET", "/api/v1/events").as_deref(), Some("Any"));
        assert_eq!(function("GET", "/api/v1/other").as_deref(), Some("Admin"));
    }

    #[test]
    fn variables_are_taken_from_the_path_and_decoded() {
        let routes = routes();
        let found = routes
            .find("POST", "/api/v1/dead-letters/a%20b/replay")
            .unwrap();
        assert_eq!(found.route_key, "POST /api/v1/dead-letters/{id}/replay");
        assert_eq!(found.parameters["id"], "a b");
        let greedy = routes.find("GET", "/a/b/c").unwrap();
        assert_eq!(greedy.parameters["proxy"], "a/b/c");
    }

    #[test]
    fn nothing_matches_the_root_but_default() {
        assert_eq!(function("GET", "/"), None);
        let mut routes = routes();
        routes.add("ANY", "$default", "Rest");
        assert_eq!(routes.find("GET", "/").unwrap().route_key, "$default");
        assert_eq!(routes.find("GET", "/x").unwrap().function, "Admin");
    }
}
