//! Queues themselves: made, found, described, tagged, emptied, deleted.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call, Nothing, OnQueue};
use crate::api::QueueInfo;
use crate::errors::SqsError;
use crate::names::{queue_arn, queue_url};
use crate::settings::{COMPUTED, is_settable};

/// Queues that one call lists at most.
const PAGE: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    #[serde(default)]
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// The API spells it in lower case.
    #[serde(default, rename = "tags", alias = "Tags")]
    tags: BTreeMap<String, String>,
}

pub(super) fn create(call: &mut Call<'_>, request: Create) -> Result<Answer, SqsError> {
    let name = named(&request.queue_name)?;
    call.allow(queue_arn(name))?;
    call.sqs
        .run(|state, now_ms| state.create_queue(name, &request.attributes, request.tags, now_ms))?;
    Answer::plain(&json!({ "QueueUrl": queue_url(call.authority, name) }))
}

pub(super) fn delete(call: &mut Call<'_>, request: &OnQueue) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    call.sqs.delete_queue(name)?;
    Answer::plain(&Nothing {})
}

pub(super) fn purge(call: &mut Call<'_>, request: &OnQueue) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    call.sqs.run(|state, now_ms| state.purge(name, now_ms))?;
    Answer::plain(&Nothing {})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUrl {
    #[serde(default)]
    queue_name: String,
}

pub(super) fn get_url(call: &mut Call<'_>, request: &GetUrl) -> Result<Answer, SqsError> {
    let name = named(&request.queue_name)?;
    call.allow(queue_arn(name))?;
    call.sqs.run(|state, _| state.queue(name).map(|_| ()))?;
    Answer::plain(&json!({ "QueueUrl": queue_url(call.authority, name) }))
}

fn named(name: &str) -> Result<&str, SqsError> {
    if name.is_empty() {
        return Err(SqsError::MissingParameter("QueueName"));
    }
    Ok(name)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    #[serde(default)]
    queue_name_prefix: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(call: &mut Call<'_>, request: &List) -> Result<Answer, SqsError> {
    call.allow("*".to_owned())?;
    let mut names: Vec<String> = call.sqs.run(|state, _| {
        let names = state.queues.keys();
        names
            .filter(|name| name.starts_with(&request.queue_name_prefix))
            .cloned()
            .collect()
    });
    let next = page(
        &mut names,
        request.max_results,
        request.next_token.as_deref(),
    )?;
    let mut answer = json!({ "QueueUrls": urls(call, &names) });
    put_token(&mut answer, next);
    Answer::plain(&answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSources {
    #[serde(default)]
    queue_url: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list_sources(call: &mut Call<'_>, request: &ListSources) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    let mut names = call.sqs.run(|state, _| state.sources_of(name))?;
    let next = page(
        &mut names,
        request.max_results,
        request.next_token.as_deref(),
    )?;
    let mut answer = json!({ "queueUrls": urls(call, &names) });
    put_token(&mut answer, next);
    Answer::plain(&answer)
}

fn urls(call: &Call<'_>, names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| queue_url(call.authority, name))
        .collect()
}

/// Cuts sorted names down to a page; answers the next page's token, which is
/// this page's last name. Without `MaxResults` there is one page only.
fn page(
    names: &mut Vec<String>,
    max: Option<usize>,
    token: Option<&str>,
) -> Result<Option<String>, SqsError> {
    let refuse = || SqsError::InvalidParameterValue("Invalid or expired next token.".to_owned());
    if let Some(token) = token {
        let bytes = STANDARD.decode(token).map_err(|_| refuse())?;
        let last = String::from_utf8(bytes).map_err(|_| refuse())?;
        names.retain(|name| *name > last);
    }
    let size = max.unwrap_or(PAGE).clamp(1, PAGE);
    let more = names.len() > size;
    names.truncate(size);
    let last = names.last().filter(|_| more && max.is_some());
    Ok(last.map(|last| STANDARD.encode(last)))
}

fn put_token(answer: &mut serde_json::Value, token: Option<String>) {
    if let (Some(token), Some(fields)) = (token, answer.as_object_mut()) {
        fields.insert("NextToken".to_owned(), token.into());
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

pub(super) fn get_attributes(
    call: &mut Call<'_>,
    request: &GetAttributes,
) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    let asked = &request.attribute_names;
    let is_known =
        |one: &String| one == "All" || is_settable(one) || COMPUTED.contains(&one.as_str());
    if let Some(unknown) = asked.iter().find(|one| !is_known(one)) {
        return Err(SqsError::InvalidAttributeName(unknown.clone()));
    }
    let mut shown = call.sqs.run(|state, now_ms| {
        let queue = state.queue_mut(name, now_ms)?;
        Ok::<_, SqsError>(QueueInfo::of(name, queue, now_ms).attributes)
    })?;
    shown.retain(|attribute, _| asked.iter().any(|one| one == "All" || one == attribute));
    if shown.is_empty() {
        return Answer::plain(&Nothing {});
    }
    Answer::plain(&json!({ "Attributes": shown }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

pub(super) fn set_attributes(
    call: &mut Call<'_>,
    request: &SetAttributes,
) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    call.sqs.set_attributes(name, &request.attributes)?;
    Answer::plain(&Nothing {})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

pub(super) fn tag(call: &mut Call<'_>, request: Tag) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    call.sqs.run(|state, now_ms| {
        state.queue_mut(name, now_ms)?.tags.extend(request.tags);
        state.touch(name);
        Ok::<_, SqsError>(())
    })?;
    Answer::plain(&Nothing {})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Untag {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    tag_keys: Vec<String>,
}

pub(super) fn untag(call: &mut Call<'_>, request: &Untag) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    call.sqs.run(|state, now_ms| {
        let tags = &mut state.queue_mut(name, now_ms)?.tags;
        tags.retain(|key, _| !request.tag_keys.contains(key));
        state.touch(name);
        Ok::<_, SqsError>(())
    })?;
    Answer::plain(&Nothing {})
}

pub(super) fn list_tags(call: &mut Call<'_>, request: &OnQueue) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    let tags = call
        .sqs
        .run(|state, _| state.queue(name).map(|queue| queue.tags.clone()))?;
    Answer::plain(&json!({ "Tags": tags }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let all: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let mut names = all.clone();
            token = page(&mut names, Some(2), token.as_deref()).unwrap();
            seen.extend(names);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
        assert!(page(&mut all.clone(), None, Some("?")).is_err());
    }
}
