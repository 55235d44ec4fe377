//! The audit log, in `settings`: `audit#tenant#shard` / `id`, and `audit#*#shard` for what is no
//! tenant's.
//!
//! The ids sort by time, so that a list needs no index and no knowledge of which days have entries;
//! four partitions a tenant take more than API Gateway lets through.

use futures::future::try_join_all;
use hookpost_domain::audit::{AUDIT_SHARDS, AuditFilter, Entry};
use hookpost_domain::ids::AuditId;
use hookpost_domain::ports::Error;
use hookpost_domain::{TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

/// Entries looked at for one page before it is answered short.
const MAX_LOOKED_AT: usize = 2_000;

/// A page of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Those that are meant, newest first.
    pub entries: Vec<Entry>,
    /// The last that was looked at, if there may be more.
    pub next: Option<AuditId>,
}

fn pk(tenant: Option<&TenantId>, shard: u8) -> String {
    let tenant = tenant.map_or("*", TenantId::as_str);
    format!("audit#{tenant}#{shard}")
}

fn entry(item: &Item) -> Result<Entry, Error> {
    let read = || -> Result<Entry, String> {
        serde_json::from_str(item.text("entry")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("settings", item.maybe_text("sk").unwrap_or("?"), what))
}

impl Store {
    /// Writes an entry, over what was there of it, to be kept until `until`.
    ///
    /// # Errors
    /// The write failed.
    pub async fn store_audit(&self, entry: &Entry, until: Timestamp) -> Result<(), Error> {
        let shard = entry.id.shard(AUDIT_SHARDS);
        self.db
            .put_item()
            .table_name(&self.tables.settings)
            .item("pk", s(pk(entry.tenant.as_ref(), shard)))
            .item("sk", s(entry.id.as_str()))
            .item("entry", s(serde_json::to_string(entry).unwrap_or_default()))
            .item("expires_at", n(until.as_secs()))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("PutItem settings"))
    }

    /// Up to `limit` entries of a tenant (of the deployment, if none is named) that are meant,
    /// newest first, older than `after`.
    ///
    /// # Errors
    /// A read failed.
    pub async fn audit(
        &self,
        tenant: Option<&TenantId>,
        filter: &AuditFilter,
        after: Option<AuditId>,
        limit: usize,
    ) -> Result<AuditPage, Error> {
        let from = AuditId::floor(filter.from.unwrap_or_default());
        let end = filter.to.unwrap_or(Timestamp::from_millis(u64::MAX));
        let mut before = after.map_or(AuditId::floor(end), |after| after.min(AuditId::floor(end)));
        let mut page = AuditPage::default();
        let mut looked_at = 0;
        while looked_at < MAX_LOOKED_AT {
            let shards = (0..AUDIT_SHARDS)
                .map(|shard| self.audit_shard(pk(tenant, shard), &from, &before, limit));
            let shards = try_join_all(shards).await?;
            // Below the last of a shard that has more, the others are not the newest for sure.
            let sure = shards.iter().filter_map(|(_, last)| last.clone()).max();
            let mut found: Vec<Entry> = shards.into_iter().flat_map(|(found, _)| found).collect();
            found.retain(|entry| sure.as_ref().is_none_or(|sure| entry.id >= *sure));
            found.sort_by(|one, other| other.id.cmp(&one.id));
            looked_at += found.len();
            for entry in found {
                if page.entries.len() == limit {
                    page.next = page.entries.last().map(|entry| entry.id.clone());
                    return Ok(page);
                }
                if filter.matches(&entry) {
                    page.entries.push(entry);
                }
            }
            let Some(sure) = sure else {
                return Ok(page);
            };
            page.next = Some(sure.clone());
            if page.entries.len() == limit {
                return Ok(page);
            }
            before = sure;
        }
        Ok(page)
    }

    /// Entries of one shard between two ids, newest first, and the last of them if there are more.
    async fn audit_shard(
        &self,
        pk: String,
        from: &AuditId,
        before: &AuditId,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<AuditId>), Error> {
        if before <= from {
            return Ok((Vec::new(), None));
        }
        let answer = self
            .db
            .query()
            .table_name(&self.tables.settings)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :before")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":from", s(from.as_str()))
            .expression_attribute_values(":before", s(before.as_str()))
            .consistent_read(true)
            .scan_index_forward(false)
            // One may be `before` itself.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failed("Query settings"))?;
        let last = answer.last_evaluated_key.as_ref().and_then(|key| {
            let last = key.maybe_text("sk")?;
            last.parse().ok()
        });
        let items = answer.items.unwrap_or_default();
        let found = items.iter().filter_map(readable(entry));
        Ok((found.filter(|entry| entry.id < *before).collect(), last))
    }
}
