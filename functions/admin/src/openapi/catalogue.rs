//! What is said of event types, and of what holds for them.

use hookpost_domain::catalogue::{EventTypeDraft, ImportDraft, RetryPolicyDraft, SettingsDraft};
use hookpost_management::page::Page;
use hookpost_management::view::{EventTypeView, ImportView, RetryPolicyView, SettingsView};
use hookpost_management::{EventTypeQuery, RetryPolicyQuery};
use schemars::generate::SchemaGenerator;
use serde_json::json;

use super::describe::{CONFLICT, Described, call};
use crate::routes::Catalogue;

fn page(call: Described) -> Described {
    let text = json!({ "type": "string" });
    call.answers(200, "The page", Some(("text/html; charset=utf-8", text)))
}

pub(super) fn describe(what: Catalogue, shapes: &mut SchemaGenerator) -> Described {
    match what {
        Catalogue::ListTypes => call("listEventTypes", "event types", "Event types, newest first")
            .query::<EventTypeQuery>(shapes)
            .json::<Page<EventTypeView>>(200, shapes),
        Catalogue::CreateType => call("createEventType", "event types", "Tell of a new event type")
            .body::<EventTypeDraft>(shapes)
            .json::<EventTypeView>(201, shapes)
            .problems(&[(409, "It is told of already, or others change the catalogue")]),
        Catalogue::ImportTypes => call(
            "importEventTypes",
            "event types",
            "Tell of several event types and retry policies: all of them are taken, or none",
        )
        .body::<ImportDraft>(shapes)
        .json::<ImportView>(200, shapes)
        .problems(CONFLICT),
        Catalogue::GetType => {
            call("getEventType", "event types", "An event type").json::<EventTypeView>(200, shapes)
        }
        Catalogue::PutType => call(
            "putEventType",
            "event types",
            "Tell of an event type, whether it has been told of or not",
        )
        .body::<EventTypeDraft>(shapes)
        .json::<EventTypeView>(200, shapes)
        .json::<EventTypeView>(201, shapes)
        .problems(CONFLICT),
        Catalogue::DeleteType => call(
            "deleteEventType",
            "event types",
            "Stop telling of an event type; in strict mode its events are refused",
        )
        .answers(204, "Deleted", None)
        .problems(CONFLICT),
        Catalogue::ListPolicies => call(
            "listRetryPolicies",
            "event types",
            "Retry policies for event types, by name",
        )
        .query::<RetryPolicyQuery>(shapes)
        .json::<Page<RetryPolicyView>>(200, shapes),
        Catalogue::GetPolicy => call("getRetryPolicy", "event types", "A retry policy")
            .json::<RetryPolicyView>(200, shapes),
        Catalogue::PutPolicy => call(
            "putRetryPolicy",
            "event types",
            "Set a retry policy for event types; the closest pattern counts",
        )
        .body::<RetryPolicyDraft>(shapes)
        .json::<RetryPolicyView>(200, shapes)
        .json::<RetryPolicyView>(201, shapes)
        .problems(CONFLICT),
        Catalogue::DeletePolicy => call(
            "deleteRetryPolicy",
            "event types",
            "Take a retry policy away",
        )
        .answers(204, "Deleted", None)
        .problems(CONFLICT),
        Catalogue::GetSettings => call(
            "getSettings",
            "event types",
            "What the tenant has set for all of its events",
        )
        .json::<SettingsView>(200, shapes),
        Catalogue::ChangeSettings => call(
            "changeSettings",
            "event types",
            "Change what the body names: strict mode, and whether anybody may read the catalogue",
        )
        .body::<SettingsDraft>(shapes)
        .json::<SettingsView>(200, shapes)
        .problems(CONFLICT),
        Catalogue::Page => page(call(
            "catalogue",
            "event types",
            "The event types as a page for those who receive them",
        )),
        Catalogue::PublicPage => page(call(
            "publicCatalogue",
            "event types",
            "The same for anybody, of a tenant that has said so",
        ))
        .problems(&[
            (403, "Calls from this address are not let in"),
            (404, "No catalogue is public here"),
            (503, "A service this depends on did not answer"),
        ]),
    }
}
