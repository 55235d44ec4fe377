//! `/dashboard`: the web page over this API. It is static, tells nothing of any tenant, and is let
//! out to anybody whose address is let in; what it shows it asks the API for, with the key of
//! whoever looks at it. So it is no call of the API: no audit entry, no key, no meter.
//!
//! Nothing is fetched from elsewhere, and no script or style runs that is not among its files: the
//! component library adds style elements while it runs, which the answer's nonce lets in.

mod assets;

use hookpost_adapters::Config;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::world::secret_bytes;
use serde_json::json;

use assets::{Asset, PAGE};

/// Where the page is.
const HOME: &str = "/dashboard";
/// What stands for the nonce in the page, as its build leaves it.
const NONCE: &str = "hookpost-nonce";
/// For a year, without asking again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// May be kept, but not shown without asking.
const ASK_AGAIN: &str = "no-cache";

/// The answer to a call that is for the page or for a file of it; `None` for any other.
///
/// # Errors
/// 403 from an address that is not let in, 404 for a file that is none, 405 for another method.
pub(crate) fn answer(call: &Call, config: &Config) -> Result<Option<Reply>, Problem> {
    let Some(path) = own_path(&call.path) else {
        return Ok(None);
    };
    if !config.allowed_networks.allow(call.source_ip.parse().ok()) {
        let rule = "calls from this address are not let in";
        return Err(Problem::forbidden(rule));
    }
    if !matches!(call.method.as_str(), "GET" | "HEAD") {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    let reply = match path {
        Own::Root => Reply::empty()
            .with_status(302)
            .with_header("location", HOME),
        Own::Below("deployment.json") => deployment(config),
        Own::Below(path) => match Asset::find(path) {
            Some(asset) => file(call, asset),
            None if is_file(path) => {
                return Err(Problem::not_found(format!("no file is at {}", call.path)));
            }
            // One of the page's own views: it finds out which by itself.
            None => page(call, config)?,
        },
    };
    let reply = reply
        .with_header("x-content-type-options", "nosniff")
        .with_header("referrer-policy", "no-referrer");
    Ok(Some(reply))
}

/// What of the page a call is for.
enum Own<'a> {
    /// The API's root: where people look first.
    Root,
    Below(&'a str),
}

fn own_path(path: &str) -> Option<Own<'_>> {
    if path.is_empty() || path == "/" {
        return Some(Own::Root);
    }
    let rest = path.strip_prefix(HOME)?;
    match rest.strip_prefix('/') {
        Some(below) => Some(Own::Below(below)),
        None => rest.is_empty().then_some(Own::Below("")),
    }
}

/// Views have ids and names in their paths, which may have dots; files are in this folder only.
fn is_file(path: &str) -> bool {
    path.starts_with("assets/")
}

/// What the page has to know before anybody has signed in.
fn deployment(config: &Config) -> Reply {
    let auth = if config.auth_required {
        "required"
    } else {
        "off"
    };
    let told = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "auth": auth,
        "live_url": live_url(config),
    });
    Reply::json(200, &told).with_header("cache-control", ASK_AGAIN)
}

/// Where attempts can be watched over WebSocket, if anywhere.
fn live_url(config: &Config) -> Option<&str> {
    config.live_url.as_deref()
}

fn file(call: &Call, asset: &Asset) -> Reply {
    let kept = if asset.is_hashed() {
        FOR_EVER
    } else {
        ASK_AGAIN
    };
    let reply = if knows(call, asset.tag) {
        Reply::empty().with_status(304)
    } else {
        Reply::bytes(asset.content_type(), asset.gzip).with_header("content-encoding", "gzip")
    };
    reply
        .with_header("cache-control", kept)
        .with_header("etag", asset.tag)
}

/// The page. Whoever has it keeps the nonce and the policy that it came with: what is told when it
/// has not changed names neither.
fn page(call: &Call, config: &Config) -> Result<Reply, Problem> {
    let live = live_url(config).map(origin);
    let tag = format!("\"{}-{}\"", page_tag(), live.map_or(0, str::len));
    if knows(call, &tag) {
        return Ok(Reply::empty()
            .with_status(304)
            .with_header("cache-control", ASK_AGAIN)
            .with_header("etag", tag));
    }
    let nonce = u128::from_ne_bytes(secret_bytes().map_err(|error| Problem::unavailable(&error))?);
    let nonce = format!("{nonce:032x}");
    let reply = Reply::document("text/html; charset=utf-8", PAGE.replace(NONCE, &nonce))
        .with_header("cache-control", ASK_AGAIN)
        .with_header("etag", tag)
        .with_header("content-security-policy", policy(&nonce, live));
    Ok(reply)
}

/// What the page may do.
fn policy(nonce: &str, live: Option<&str>) -> String {
    let live = live.map(|origin| format!(" {origin}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; connect-src 'self'{live}; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    )
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    let path = url.get(after..).and_then(|rest| rest.find('/'));
    path.and_then(|at| url.get(..after + at)).unwrap_or(url)
}

/// Changes with the page: it names its files, and they have their contents in their names.
fn page_tag() -> String {
    let hash = PAGE.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Whether the caller has this already. A cache between may have made the tag a weak one.
fn knows(call: &Call, tag: &str) -> bool {
    call.header("if-none-match").is_some_and(|known| {
        let mut tags = known.split(',').map(str::trim);
        tags.any(|one| one.trim_start_matches("W/") == tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(allowed: &str) -> Config {
        Config::parse(|name| match name {
            "ALLOWED_NETWORKS" => Some(allowed.to_owned()),
            _ => (name.ends_with("_TABLE") || name.ends_with("_URL")).then(|| "x".to_owned()),
        })
        .unwrap()
    }

    fn get(path: &str, headers: &[(&str, &str)]) -> Result<Option<Reply>, Problem> {
        answer(&Call::for_tests("GET", path, headers), &config(""))
    }

    #[test]
    fn every_view_is_the_page_and_its_policy_lets_in_its_own_nonce_only() {
        for path in [
            "/dashboard",
            "/dashboard/",
            "/dashboard/endpoints/ep_1",
            "/dashboard/event-types/order.created",
        ] {
            let reply = get(path, &[]).unwrap().unwrap();
            assert_eq!(reply.status(), 200, "{path}");
            let policy = reply.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
            assert!(!policy.contains("unsafe"));
            assert_ne!(
                get(path, &[])
                    .unwrap()
                    .unwrap()
                    .header("content-security-policy"),
                Some(policy)
            );
        }
    }

    #[test]
    fn what_is_kept_is_not_sent_again() {
        let tag = get("/dashboard", &[]).unwrap().unwrap();
        let tag = tag.header("etag").unwrap();
        let again = get("/dashboard/live", &[("if-none-match", tag)]).unwrap();
        assert_eq!(again.unwrap().status(), 304);
    }

    #[test]
    fn files_are_kept_for_ever_and_come_compressed() {
        for asset in assets::ASSETS.iter().filter(|asset| asset.is_hashed()) {
            let path = format!("/dashboard/{}", asset.path);
            let reply = get(&path, &[]).unwrap().unwrap();
            assert_eq!(reply.header("cache-control"), Some(FOR_EVER));
            assert_eq!(reply.header("content-encoding"), Some("gzip"));
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            assert_ne!(asset.content_type(), "application/octet-stream", "{path}");
            assert!(PAGE.contains("/dashboard/assets/"));
        }
        assert_eq!(get("/dashboard/assets/no.js", &[]).unwrap_err().status, 404);
    }

    #[test]
    fn nothing_else_is_the_dashboard() {
        for path in ["/dashboards", "/api/v1/dashboard", "/health"] {
            assert_eq!(get(path, &[]).unwrap(), None, "{path}");
        }
        let home = get("/", &[]).unwrap().unwrap();
        assert_eq!((home.status(), home.header("location")), (302, Some(HOME)));
    }

    #[test]
    fn strangers_and_other_methods_are_refused() {
        let call = Call::for_tests("GET", "/dashboard", &[]);
        let refused = answer(&call, &config("192.0.2.0/24")).unwrap_err();
        assert_eq!(refused.status, 403);
        let call = Call::for_tests("POST", "/dashboard", &[]);
        assert_eq!(answer(&call, &config("")).unwrap_err().status, 405);
    }

    #[test]
    fn an_origin_is_told_from_its_path() {
        for (url, told) in [
            ("wss://a.example/prod", "wss://a.example"),
            ("ws://127.0.0.1:81", "ws://127.0.0.1:81"),
        ] {
            assert_eq!(origin(url), told);
        }
        assert!(
            policy("n", Some("wss://a.example")).contains("connect-src 'self' wss://a.example;")
        );
    }
}
