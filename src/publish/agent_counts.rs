//! What a store's agent counted since it began, for metrics.

use super::Store;
use super::exclusive::Place;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest file, in bytes.
const MAX_COUNTS_BYTES: u64 = 1 << 20;

/// Counters of an agent's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentCounts {
    /// Answers by the right that the route asks for, and status.
    pub answers: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Connections that were served.
    pub connections: u64,
    /// Connections that were one too many.
    pub refused_connections: u64,
}

impl Store {
    /// Keeps what the agent counted.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep_agent_counts(&self, counts: &AgentCounts) -> Result<(), StoreError> {
        place().write(&self.folder()?, counts)
    }

    /// What the agent counted until it kept that last; none if no agent did.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn agent_counts(&self) -> Result<Option<AgentCounts>, StoreError> {
        place().kept(&self.folder()?, MAX_COUNTS_BYTES, "the next agent writes it again")
    }
}

fn place() -> Place {
    Place { folder: "guard", lock: "lock".to_owned(), keeps: "agent.json".to_owned() }
}
