//! Event types, retry policies and settings over HTTP, and the page that tells receivers of them.

mod page;
mod pretty;

use hookpost_adapters::api::{Problem, Reply};
use hookpost_domain::ports::World;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::routes::Catalogue;
use crate::{Admin, Admitted};

/// What was set: 201 if it is new.
fn set(view: &impl Serialize, was_there: bool) -> Reply {
    Reply::json(if was_there { 200 } else { 201 }, view)
}

/// The event type that a path names: all that follows, slashes and all.
fn type_name(path: &str) -> String {
    let (_, name) = path.split_once("/event-types/").unwrap_or_default();
    let name = name.trim_matches('/');
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

impl<W: World> Admin<W> {
    pub(crate) async fn catalogue(
        &self,
        what: Catalogue,
        admitted: &Admitted<'_>,
    ) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let (services, id) = (&self.services, admitted.id());
        let name = type_name(&call.path);
        Ok(match what {
            Catalogue::ListTypes => {
                let listed = services.list_event_types(caller, call.query_as()?).await?;
                Reply::json(200, &listed)
            }
            Catalogue::CreateType => {
                let made = services.create_event_type(caller, call.json()?).await?;
                let location = format!("/api/v1/event-types/{}", made.name);
                Reply::json(201, &made).with_header("location", location)
            }
            Catalogue::ImportTypes => {
                let imported = services.import_event_types(caller, call.json()?).await?;
                Reply::json(200, &imported)
            }
            Catalogue::GetType => Reply::json(200, &services.get_event_type(caller, &name).await?),
            Catalogue::PutType => {
                let draft = call.json()?;
                let (view, was_there) = services.put_event_type(caller, &name, draft).await?;
                set(&view, was_there)
            }
            Catalogue::DeleteType => {
                services.delete_event_type(caller, &name).await?;
                Reply::empty()
            }
            Catalogue::ListPolicies => {
                let query = call.query_as()?;
                Reply::json(200, &services.list_retry_policies(caller, query).await?)
            }
            Catalogue::GetPolicy => Reply::json(200, &services.get_retry_policy(caller, id).await?),
            Catalogue::PutPolicy => {
                let draft = call.json()?;
                let (view, was_there) = services.put_retry_policy(caller, id, draft).await?;
                set(&view, was_there)
            }
            Catalogue::DeletePolicy => {
                services.delete_retry_policy(caller, id).await?;
                Reply::empty()
            }
            Catalogue::GetSettings => Reply::json(200, &services.get_settings(caller).await?),
            Catalogue::ChangeSettings => {
                let draft = call.json()?;
                Reply::json(200, &services.change_settings(caller, draft).await?)
            }
            Catalogue::Page => page::reply(&services.catalogue(&caller.tenant).await?),
            Catalogue::PublicPage => {
                // Nobody has asked at the door.
                let from = call.source_ip.parse().ok();
                if !services.config().allowed_networks.allow(from) {
                    let rule = "calls from this address are not let in";
                    return Err(Problem::forbidden(rule));
                }
                let told = services.public_catalogue(id).await?;
                page::reply(&told).with_header("cache-control", "public, max-age=60")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_what_paths_are_made_of() {
        for (path, name) in [
            ("/api/v1/event-types/order.created", "order.created"),
            (
                "/api/v1/event-types/com.example/order%3Acreated",
                "com.example/order:created",
            ),
            (
                "/api/v1/event-types/com.example%2Forder/",
                "com.example/order",
            ),
            ("/api/v1/event-types", ""),
        ] {
            assert_eq!(type_name(path), name, "{path}");
        }
    }
}
