//! The receiver's page: what came lately, at what pace, and whether it was
//! signed. Self-contained, and nothing that came from outside is ever markup.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::Deserialize;

use super::Receiver;
use super::record::{Answer, Received, Wanted};
use super::signature::{Judged, Verdict};
use super::tally::Counts;

const SHOWN_REQUESTS: usize = 60;
const SHOWN_PATHS: usize = 100;
const SHOWN_BODY_CHARS: usize = 20_000;
const CHART_SECONDS: u64 = 120;
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";

#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    path: Option<String>,
}

/// `GET /`.
pub(super) async fn show(
    State(receiver): State<Receiver>,
    Query(query): Query<PageQuery>,
) -> Response {
    let path = query.path.as_deref();
    let wanted = |limit| Wanted {
        path,
        limit,
        ..Wanted::default()
    };
    let view = View {
        path,
        requests: receiver.0.record.select(wanted(SHOWN_REQUESTS)),
        bars: bars(
            &receiver.0.record.select(wanted(usize::MAX)),
            receiver.now_us() / 1_000_000,
        ),
        paths: receiver.0.tallies.under(path.unwrap_or("/")),
    };
    let policy = HeaderValue::from_static(POLICY);
    ([(CONTENT_SECURITY_POLICY, policy)], Html(view.to_string())).into_response()
}

/// `GET /_page.js`.
pub(super) async fn script() -> impl IntoResponse {
    let javascript = HeaderValue::from_static("text/javascript");
    ([(CONTENT_TYPE, javascript)], include_str!("page.js"))
}

struct View<'a> {
    path: Option<&'a str>,
    requests: Vec<(u64, Arc<Received>)>,
    bars: Vec<Bar>,
    paths: BTreeMap<String, Counts>,
}

/// The requests of one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bar {
    accepted: u32,
    others: u32,
}

fn bars(requests: &[(u64, Arc<Received>)], now_s: u64) -> Vec<Bar> {
    let first_s = (now_s + 1).saturating_sub(CHART_SECONDS);
    let mut bars: Vec<Bar> = (first_s..=now_s).map(|_| Bar::default()).collect();
    for (_, received) in requests {
        let second = (received.at_us / 1_000_000).checked_sub(first_s);
        let bar = second
            .and_then(|second| usize::try_from(second).ok())
            .and_then(|second| bars.get_mut(second));
        if let Some(bar) = bar {
            match received.answer() {
                Answer::Given(200..=299) => bar.accepted += 1,
                Answer::Given(_) | Answer::Waiting | Answer::Abandoned => bar.others += 1,
            }
        }
    }
    bars
}

impl Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<!doctype html><html lang=en><meta charset=utf-8><title>Webhook receiver</title>\
             <meta name=viewport content=\"width=device-width\"><link rel=icon href=\"data:,\">\
             <noscript><meta http-equiv=refresh content=2></noscript><style>{}</style>\
             <script src=/_page.js defer></script><main><h1>Webhook receiver</h1>",
            include_str!("page.css")
        )?;
        match self.path {
            Some(path) => write!(
                f,
                "<p><code>{}</code> · <a href=/>all paths</a>",
                Text(path)
            )?,
            None => f.write_str(
                "<p>Plays endpoints, checks signatures, shows what it got. As JSON: \
                 <a href=/_requests>requests</a>, <a href=/_counts>counts</a>.",
            )?,
        }
        if self.paths.is_empty() {
            return f.write_str("<p>Nothing has come yet.</main></html>");
        }
        self.chart(f)?;
        self.path_table(f)?;
        self.request_table(f)?;
        f.write_str("</main></html>")
    }
}

impl View<'_> {
    fn chart(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let highest = self.bars.iter().map(|bar| bar.accepted + bar.others).max();
        let highest = highest.unwrap_or_default();
        let scale = highest.max(10);
        write!(
            f,
            "<h2>Requests a second, last {CHART_SECONDS} s <span class=mute>(highest {highest})</span></h2>\
             <svg viewBox=\"0 0 {CHART_SECONDS} {scale}\" preserveAspectRatio=none role=img \
             aria-label=\"requests a second, highest {highest}\">"
        )?;
        for (second, bar) in self.bars.iter().enumerate() {
            let floor = scale - bar.accepted;
            for (class, top, height) in [
                ("ok", floor, bar.accepted),
                ("no", floor - bar.others, bar.others),
            ] {
                if height > 0 {
                    write!(
                        f,
                        "<rect class={class} x={second} y={top} width=.85 height={height} />"
                    )?;
                }
            }
        }
        f.write_str("</svg>")
    }

    fn path_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "<h2>Endpoints</h2><table><tr><th>path<th class=number>requests<th class=number>webhooks\
             <th class=number>at once<th>answers<th>signatures",
        )?;
        for (path, counts) in self.paths.iter().take(SHOWN_PATHS) {
            write!(
                f,
                "<tr><td><a href=\"/?path={}\"><code>{}</code></a><td class=number>{}<td class=number>{}\
                 <td class=number title=\"now {}\">{}<td>",
                UrlText(path),
                Text(path),
                counts.requests,
                counts.distinct_ids,
                counts.in_flight,
                counts.max_in_flight,
            )?;
            for (status, times) in &counts.statuses {
                let class = class_of(*status);
                write!(f, "<span class=\"tag {class}\">{status} × {times}</span> ")?;
            }
            if counts.unknown_secret == counts.requests {
                f.write_str("<td class=mute>unknown secret")?;
            } else {
                write!(f, "<td>{} of {} verified", counts.verified, counts.requests)?;
            }
            if counts.bad > 0 {
                write!(f, " <span class=\"tag no\">{} bad</span>", counts.bad)?;
            }
        }
        f.write_str("</table>")?;
        match self.paths.len().checked_sub(SHOWN_PATHS) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "<p>and {more} more"),
        }
    }

    fn request_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "<h2>Last requests</h2><table><tr><th>time (UTC)<th>path<th>event<th>answer\
             <th>webhook-signature<th>X-Webhook-Signature",
        )?;
        for (id, received) in self.requests.iter().rev() {
            let event = received.header("x-webhook-event").unwrap_or_default();
            write!(
                f,
                "<tr id=r{id}><td>{}<td><code>{} {}</code><td>{}<td>{}<td>{}<td>{}\
                 <tr><td><td colspan=5><details><summary class=mute>{} bytes · {}</summary><pre>",
                Time(received.at_us),
                Text(received.method.as_str()),
                Text(&received.path),
                Text(&event),
                AnswerTag(received.answer()),
                SignatureTag(received.verdicts.standard),
                SignatureTag(received.verdicts.sha256),
                received.body.len(),
                Text(&received.header("webhook-id").unwrap_or_default()),
            )?;
            for (name, value) in received.headers() {
                writeln!(f, "{}: {}", Text(&name), Text(&value))?;
            }
            write!(
                f,
                "</pre><pre>{}</pre></details>",
                Text(&readable(&received.body))
            )?;
        }
        f.write_str("</table>")
    }
}

/// JSON on several lines, anything else as it is; not without end.
fn readable(body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<serde_json::Value>(body);
    let text = parsed
        .and_then(|json| serde_json::to_string_pretty(&json))
        .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    match text.char_indices().nth(SHOWN_BODY_CHARS) {
        Some((end, _)) => format!("{} …", text.split_at(end).0),
        None => text,
    }
}

fn class_of(status: u16) -> &'static str {
    if (200..300).contains(&status) {
        "ok"
    } else {
        "no"
    }
}

struct AnswerTag(Answer);

impl Display for AnswerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Answer::Given(status) => {
                write!(
                    f,
                    "<span class=\"tag {}\">{status}</span>",
                    class_of(status)
                )
            }
            Answer::Waiting => f.write_str("<span class=tag>waiting</span>"),
            Answer::Abandoned => f.write_str("<span class=\"tag no\">sender left</span>"),
        }
    }
}

struct SignatureTag(Judged);

impl Display for SignatureTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.verdict() {
            Verdict::Verified => f.write_str("<span class=\"tag ok\">verified</span>"),
            Verdict::UnknownSecret => f.write_str("<span class=\"tag mute\">unknown secret</span>"),
            Verdict::Bad => write!(
                f,
                "<span class=\"tag no\">bad</span> <span class=mute>{}</span>",
                self.0.fault().unwrap_or_default()
            ),
        }
    }
}

/// `12:34:56.789`, from microseconds since 1970.
struct Time(u64);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0 / 1_000;
        let (s, ms) = (ms / 1_000, ms % 1_000);
        write!(
            f,
            "{:02}:{:02}:{:02}.{ms:03}",
            s / 3_600 % 24,
            s / 60 % 60,
            s % 60
        )
    }
}

/// Text that stays text in HTML, between tags and between double quotes.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                plain => f.write_char(plain)?,
            }
        }
        Ok(())
    }
}

/// Text as the value of a query parameter in an attribute.
struct UrlText<'a>(&'a str);

impl Display for UrlText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        url::form_urlencoded::byte_serialize(self.0.as_bytes())
            .try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let text = Text("<script>alert(\"x\" & 'y')</script>").to_string();
        assert_eq!(
            text,
            "&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;"
        );
        assert_eq!(UrlText("/a b\"<").to_string(), "%2Fa+b%22%3C");
    }

    #[test]
    fn times_are_read_off_the_epoch() {
        assert_eq!(Time(1_773_342_238_004_000).to_string(), "19:03:58.004");
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let shown = readable("ä".repeat(SHOWN_BODY_CHARS + 1).as_bytes());
        assert_eq!(shown.chars().count(), SHOWN_BODY_CHARS + 2);
        assert_eq!(readable(b"{\"a\":1}"), "{\n  \"a\": 1\n}");
    }
}
