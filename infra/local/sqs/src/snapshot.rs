//! The queues on disk, so that they outlive a restart of the local system.
//!
//! A snapshot is written beside its file and renamed over it: a crash leaves
//! the old one or the new one, never half of one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dedup::{Deduplication, DeduplicationKey, Original};
use crate::errors::SqsError;
use crate::message::Message;
use crate::moves::MoveTask;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::state::State;

const VERSION: u32 = 1;
/// Sequences skipped at a restore: what was handed out after the snapshot is
/// never handed out again, so no old receipt handle fits a new message.
const SKIPPED: u64 = 1 << 32;

/// All queues at one moment. Bodies are shared with the queues, not copied.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    version: u32,
    next_seq: u64,
    queues: BTreeMap<String, StoredQueue>,
    tasks: Vec<MoveTask>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredQueue {
    id: u64,
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    created_ms: u64,
    modified_ms: u64,
    purged_ms: Option<u64>,
    deduplication: Vec<(u64, DeduplicationKey, Original)>,
    messages: Vec<(u64, Message)>,
}

impl Snapshot {
    pub(crate) fn of(state: &State) -> Self {
        let queues = state
            .queues
            .iter()
            .map(|(name, queue)| (name.clone(), StoredQueue::of(queue)));
        Self {
            version: VERSION,
            next_seq: state.next_seq,
            queues: queues.collect(),
            tasks: state.tasks.clone(),
        }
    }

    /// Puts the snapshot's queues in place of the state's.
    pub(crate) fn restore(self, state: &mut State) -> Result<(), SqsError> {
        let mut queues = BTreeMap::new();
        for (name, stored) in self.queues {
            queues.insert(name, stored.restored()?);
        }
        state.next_seq = state.next_seq.max(self.next_seq.saturating_add(SKIPPED));
        state.queues = queues;
        state.tasks = self.tasks;
        Ok(())
    }

    /// Writes the snapshot so that it replaces the file whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let mut file = BufWriter::new(fs::File::create(&temporary)?);
        serde_json::to_writer(&mut file, self)?;
        file.flush()?;
        file.get_ref().sync_data()?;
        fs::rename(&temporary, path)
    }

    /// Reads a snapshot; `None` where there is no such file.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let snapshot: Self = serde_json::from_reader(BufReader::new(file))?;
        if snapshot.version == VERSION {
            Ok(Some(snapshot))
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("snapshot version {} is not {VERSION}", snapshot.version),
            ))
        }
    }
}

impl StoredQueue {
    fn of(queue: &Queue) -> Self {
        let messages = queue
            .messages()
            .map(|(seq, message)| (seq, message.clone()));
        Self {
            id: queue.id,
            attributes: queue.settings.given().clone(),
            tags: queue.tags.clone(),
            created_ms: queue.created_ms,
            modified_ms: queue.modified_ms,
            purged_ms: queue.purged_ms,
            deduplication: queue.deduplication.entries(),
            messages: messages.collect(),
        }
    }

    fn restored(self) -> Result<Queue, SqsError> {
        let settings = Settings::parse(&self.attributes)?;
        let mut queue = Queue::new(self.id, settings, self.created_ms);
        queue.tags = self.tags;
        queue.modified_ms = self.modified_ms;
        queue.purged_ms = self.purged_ms;
        queue.deduplication = Deduplication::restored(self.deduplication);
        for (seq, message) in self.messages {
            queue.insert(seq, message);
        }
        Ok(queue)
    }
}
