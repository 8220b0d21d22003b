//! The agent's API: HTTP and JSON on a Unix socket, for whoever is not the store's owner. `docs/api.md` is for its users.

mod answer;
mod limits;
#[cfg(test)]
mod openapi;
mod peer;
mod request;
mod routes;
mod server;
mod socket;

use crate::output::Output;
use server::Agent;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// Threads for commands and files: kills find one free whatever else runs.
const MAX_THREADS: usize = 16;

/// Serves the store's socket in a thread of its own, for as long as the process lives.
///
/// # Errors
///
/// When no thread can be started.
pub fn serve(directory: PathBuf, memory: PathBuf, log: Output) -> io::Result<Arc<Agent>> {
    let agent = Arc::new(Agent::new(directory, memory, log));
    let served = Arc::clone(&agent);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_THREADS)
        .build()?;
    thread::Builder::new().spawn(move || runtime.block_on(served.serve()))?;
    Ok(agent)
}
