//! `replays`: how far one has got. They are asked for at the replay function.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::ReplayJob;
use hookpost_domain::ports::World;

use crate::Management;

impl<W: World> Management<W> {
    /// A replay by its id.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_replay(&self, caller: &Caller, id: &str) -> Result<ReplayJob, Problem> {
        let job = self.store.replay_job(&caller.tenant, id).await?;
        job.ok_or_else(|| Problem::not_found("no replay has this id"))
    }
}
