//! What a path asks the receiver to play. Pure: a path and a query in, a [`Behaviour`] out.
//!
//! Anything after the behaviour is a name without meaning (`/success/alice`),
//! so that those who send can tell their own requests apart.

use std::time::Duration;

use http::StatusCode;
use url::form_urlencoded;

const DEFAULT_SLOW_MS: u64 = 20_000;
const DEFAULT_DRIP_MS: u64 = 100;
const DEFAULT_BIG_BYTES: u64 = 10 * 1024 * 1024;
const DEFAULT_FLAKY_FAILURES: u32 = 2;
const DEFAULT_THROTTLE_REFUSALS: u32 = 1;
const DEFAULT_RETRY_AFTER_SECONDS: u64 = 2;
const MAX_WAIT_MS: u64 = 3_600_000;
const MAX_BIG_BYTES: u64 = 1024 * 1024 * 1024;

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// At once, always the same.
    Status {
        status: StatusCode,
        retry_after: Option<RetryAfter>,
    },
    /// 200, after a wait.
    Slow { wait: Duration },
    /// 500 for the first requests with a `webhook-id`, then 200.
    Flaky { failures: u32 },
    /// 429 for the first requests with a `webhook-id`, then 200.
    Throttle {
        refusals: u32,
        retry_after: RetryAfter,
    },
    /// 302.
    Redirect { to: String },
    /// 200 with a long body.
    Big { bytes: u64 },
    /// 200 with a body that never ends, a byte at a time.
    Drip { every: Duration },
    /// Never.
    Hang,
    /// The connection is closed in the middle of the answer.
    Reset,
    /// Whatever the switch of this name is set to.
    Switch { name: String },
}

/// The value of a `Retry-After` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// The HTTP date that lies so far ahead.
    DateIn(Duration),
    /// These very characters, whether they make sense or not.
    Text(String),
}

/// Why a path plays nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoBehaviour {
    #[error(
        "nothing is played here; try /success /fail /slow /flaky /gone /throttle /status/{{code}} \
         /redirect /big /drip /hang /reset /switch/{{name}}"
    )]
    UnknownPath,
    #[error("`{0}` is not a value that this path understands")]
    BadValue(String),
}

impl Behaviour {
    /// Reads a path and its query.
    pub(super) fn of(path: &str, query: Option<&str>) -> Result<Self, NoBehaviour> {
        let query = Query(query.unwrap_or_default());
        let (first, rest) = split_first(path);
        // The documents this product was wished for in have their own names for some of these.
        let (first, rest) = match first {
            "webhook" => split_first(rest),
            "test" if split_first(rest).0 == "webhook" => ("success", ""),
            _ => (first, rest),
        };
        let always = |status| Self::Status {
            status,
            retry_after: None,
        };
        Ok(match first {
            "success" => always(StatusCode::OK),
            "fail" => always(StatusCode::INTERNAL_SERVER_ERROR),
            "gone" => always(StatusCode::GONE),
            "slow" => Self::Slow {
                wait: query.wait("ms", DEFAULT_SLOW_MS)?,
            },
            "flaky" => Self::Flaky {
                failures: query.number("fail", DEFAULT_FLAKY_FAILURES)?,
            },
            "throttle" => Self::Throttle {
                refusals: query.number("times", DEFAULT_THROTTLE_REFUSALS)?,
                retry_after: query
                    .retry_after()?
                    .unwrap_or(RetryAfter::Seconds(DEFAULT_RETRY_AFTER_SECONDS)),
            },
            "status" => Self::Status {
                status: final_status(split_first(rest).0)?,
                retry_after: query.retry_after()?,
            },
            "redirect" => Self::Redirect {
                to: query
                    .text("to")
                    .unwrap_or_else(|| format!("/success{rest}")),
            },
            "big" => Self::Big {
                bytes: query.number("bytes", DEFAULT_BIG_BYTES)?.min(MAX_BIG_BYTES),
            },
            "drip" => Self::Drip {
                every: query
                    .wait("ms", DEFAULT_DRIP_MS)?
                    .max(Duration::from_millis(1)),
            },
            "hang" => Self::Hang,
            "reset" => Self::Reset,
            "switch" => match split_first(rest).0 {
                "" => return Err(NoBehaviour::UnknownPath),
                name => Self::Switch { name: name.into() },
            },
            _ => return Err(NoBehaviour::UnknownPath),
        })
    }
}

/// Reads a status that can end an answer: 200 to 999.
pub(super) fn final_status(text: &str) -> Result<StatusCode, NoBehaviour> {
    text.parse::<StatusCode>()
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| NoBehaviour::BadValue(text.into()))
}

/// `/a/b/c` is `a` and `/b/c`.
fn split_first(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.find('/')
        .map_or((path, ""), |slash| path.split_at(slash))
}

struct Query<'a>(&'a str);

impl Query<'_> {
    fn text(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.0.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, NoBehaviour> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| NoBehaviour::BadValue(text)),
        }
    }

    fn wait(&self, name: &str, default_ms: u64) -> Result<Duration, NoBehaviour> {
        let wait_ms = self.number(name, default_ms)?.min(MAX_WAIT_MS);
        Ok(Duration::from_millis(wait_ms))
    }

    /// `after=3`, `after=date` (with `in=3`), or `after=` anything that a test wants said.
    fn retry_after(&self) -> Result<Option<RetryAfter>, NoBehaviour> {
        let Some(text) = self.text("after") else {
            return Ok(None);
        };
        Ok(Some(if text == "date" {
            let ahead_s = self.number("in", DEFAULT_RETRY_AFTER_SECONDS)?;
            RetryAfter::DateIn(Duration::from_secs(ahead_s.min(MAX_WAIT_MS)))
        } else if let Ok(seconds) = text.parse() {
            RetryAfter::Seconds(seconds)
        } else {
            RetryAfter::Text(text)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path_and_query: &str) -> Result<Behaviour, NoBehaviour> {
        match path_and_query.split_once('?') {
            Some((path, query)) => Behaviour::of(path, Some(query)),
            None => Behaviour::of(path_and_query, None),
        }
    }

    fn always(code: u16) -> Behaviour {
        Behaviour::Status {
            status: StatusCode::from_u16(code).unwrap(),
            retry_after: None,
        }
    }

    #[test]
    fn a_name_after_the_behaviour_changes_nothing() {
        for (path, named) in [
            ("/success", "/success/alice"),
            ("/fail", "/fail/bob/2"),
            ("/status/418", "/status/418/teapot"),
            ("/switch/x", "/switch/x/y"),
            ("/hang", "/hang/"),
        ] {
            assert_eq!(of(path), of(named));
        }
        assert_eq!(of("/success"), Ok(always(200)));
        assert_eq!(of("/status/418"), Ok(always(418)));
    }

    #[test]
    fn the_paths_of_the_wished_for_documents_are_known() {
        assert_eq!(of("/test/webhook"), of("/success"));
        for path in [
            "/success",
            "/fail",
            "/flaky?fail=3",
            "/slow?ms=5",
            "/nothing",
        ] {
            assert_eq!(of(&format!("/webhook{path}")), of(path));
        }
        assert_eq!(of("/test"), Err(NoBehaviour::UnknownPath));
    }

    #[test]
    fn the_query_sets_the_numbers() {
        let wait = Duration::from_millis(250);
        assert_eq!(of("/slow?ms=250"), Ok(Behaviour::Slow { wait }));
        assert_eq!(of("/drip?ms=250"), Ok(Behaviour::Drip { every: wait }));
        assert_eq!(of("/flaky/a?fail=3"), Ok(Behaviour::Flaky { failures: 3 }));
        assert_eq!(of("/big?bytes=70000"), Ok(Behaviour::Big { bytes: 70_000 }));
    }

    #[test]
    fn retry_after_is_seconds_a_date_or_any_text() {
        let throttle = |retry_after| {
            Ok(Behaviour::Throttle {
                refusals: 1,
                retry_after,
            })
        };
        assert_eq!(of("/throttle?after=7"), throttle(RetryAfter::Seconds(7)));
        let ahead = Duration::from_secs(9);
        assert_eq!(
            of("/throttle?after=date&in=9"),
            throttle(RetryAfter::DateIn(ahead))
        );
        assert_eq!(
            of("/throttle?after=soon"),
            throttle(RetryAfter::Text("soon".into()))
        );
    }

    #[test]
    fn a_redirect_keeps_the_name() {
        let to = |to: &str| Ok(Behaviour::Redirect { to: to.into() });
        assert_eq!(of("/redirect/alice"), to("/success/alice"));
        assert_eq!(of("/redirect?to=http%3A%2F%2Fx%2F"), to("http://x/"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for path in ["/", "/nothing", "/successful", "/switch", "/switch/"] {
            assert_eq!(of(path), Err(NoBehaviour::UnknownPath), "{path}");
        }
        for path in [
            "/status/abc",
            "/status/101",
            "/status/1000",
            "/slow?ms=-1",
            "/flaky?fail=x",
        ] {
            assert!(matches!(of(path), Err(NoBehaviour::BadValue(_))), "{path}");
        }
    }
}
