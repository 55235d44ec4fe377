//! What is said of keys, tokens and the audit log.

use hookpost_management::page::Page;
use hookpost_management::{
    AuditEntryView, AuditQuery, CallerView, DeploymentView, KeyDraft, KeyQuery, KeyView,
    TokenDraft, TokenView,
};
use schemars::generate::SchemaGenerator;

use super::describe::{CONFLICT, Described, call};

pub(super) fn list_keys(shapes: &mut SchemaGenerator) -> Described {
    call("listKeys", "keys", "API keys, newest first")
        .query::<KeyQuery>(shapes)
        .json::<Page<KeyView>>(200, shapes)
}

pub(super) fn create_key(shapes: &mut SchemaGenerator) -> Described {
    call("createKey", "keys", "Make an API key; it is shown once")
        .body::<KeyDraft>(shapes)
        .json::<KeyView>(201, shapes)
}

pub(super) fn get_key(shapes: &mut SchemaGenerator) -> Described {
    call("getKey", "keys", "An API key").json::<KeyView>(200, shapes)
}

pub(super) fn revoke_key() -> Described {
    let summary = "Revoke an API key; it may work for 10 seconds more";
    call("revokeKey", "keys", summary)
        .answers(204, "Revoked", None)
        .problems(CONFLICT)
}

pub(super) fn create_token(shapes: &mut SchemaGenerator) -> Described {
    let summary = "Make a short-lived token that reads one tenant's things";
    call("createToken", "keys", summary)
        .body::<TokenDraft>(shapes)
        .json::<TokenView>(201, shapes)
}

pub(super) fn list_audit(shapes: &mut SchemaGenerator) -> Described {
    call("listAudit", "audit", "Who did what, newest first")
        .query::<AuditQuery>(shapes)
        .json::<Page<AuditEntryView>>(200, shapes)
}

pub(super) fn whoami(shapes: &mut SchemaGenerator) -> Described {
    call("whoami", "keys", "Whose key this is, and what it may do").json::<CallerView>(200, shapes)
}

pub(super) fn deployment(shapes: &mut SchemaGenerator) -> Described {
    let summary = "What the deployment has set for all of its tenants";
    call("deployment", "system", summary).json::<DeploymentView>(200, shapes)
}
