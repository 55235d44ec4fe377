//! What is said of sources.

use hookpost_domain::inbound::SourceDraft;
use hookpost_management::page::Page;
use hookpost_management::{SourceQuery, SourceView};
use schemars::generate::SchemaGenerator;

use super::describe::{CONFLICT, Described, call};
use crate::routes::Source;

pub(super) fn source(what: Source, shapes: &mut SchemaGenerator) -> Described {
    match what {
        Source::List => call(
            "listSources",
            "sources",
            "Where webhooks come from, newest first",
        )
        .query::<SourceQuery>(shapes)
        .json::<Page<SourceView>>(200, shapes),
        Source::Create => call(
            "createSource",
            "sources",
            "Take somebody else's webhooks at `/in/{id}`; a secret that is made is shown once",
        )
        .body::<SourceDraft>(shapes)
        .json::<SourceView>(201, shapes),
        Source::Get => call("getSource", "sources", "A source").json::<SourceView>(200, shapes),
        Source::Change => call(
            "changeSource",
            "sources",
            "Change a source; webhooks may be judged by the old one for 5 seconds more",
        )
        .body::<SourceDraft>(shapes)
        .json::<SourceView>(200, shapes)
        .problems(CONFLICT),
        Source::Delete => call(
            "deleteSource",
            "sources",
            "Take no more webhooks from there",
        )
        .answers(204, "Deleted", None),
    }
}
