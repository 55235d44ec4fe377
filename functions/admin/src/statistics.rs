//! What is told of what happened.

use hookpost_adapters::api::{Problem, Reply};
use hookpost_domain::ports::World;

use crate::routes::Statistics;
use crate::{Admin, Admitted};

/// The media type of Prometheus's text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl<W: World> Admin<W> {
    pub(crate) async fn statistics(
        &self,
        what: Statistics,
        admitted: &Admitted<'_>,
    ) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let services = &self.services;
        Ok(match what {
            Statistics::Stats => Reply::json(200, &services.stats(caller, call.query_as()?).await?),
            Statistics::Criteria => {
                Reply::json(200, &services.criteria(caller, call.query_as()?).await?)
            }
            Statistics::Backlog => Reply::json(200, &services.backlog(caller).await?),
            Statistics::Metrics => Reply::json(200, &services.metrics(caller).await?),
            Statistics::Prometheus => {
                Reply::document(PROMETHEUS, services.prometheus(caller).await?)
            }
            Statistics::HealthOfAll => {
                Reply::json(200, &services.list_health(caller, call.query_as()?).await?)
            }
        })
    }
}
