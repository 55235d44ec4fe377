//! `replays`: how far one has got. They are asked for at the replay function.

use hookpost_adapters::api::{Problem, Reply};
use hookpost_adapters::auth::Caller;
use hookpost_domain::ports::World;

use crate::Admin;

impl<W: World> Admin<W> {
    pub(crate) async fn get_replay(&self, caller: &Caller, id: &str) -> Result<Reply, Problem> {
        let job = self.store.replay_job(&caller.tenant, id).await?;
        let job = job.ok_or_else(|| Problem::not_found("no replay has this id"))?;
        Ok(Reply::json(200, &job.shown()))
    }
}
