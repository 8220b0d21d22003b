//! The agent's API: HTTP and JSON on a Unix socket, for whoever is not the store's owner. `docs/api.md` is for its users.

mod answer;
mod client;
mod limits;
#[cfg(test)]
mod openapi;
mod peer;
mod request;
mod routes;
mod server;
mod socket;

pub use client::ask_or_change;
pub use server::{Agent, MadeSocket};
use std::io;
use std::sync::Arc;
use std::thread;

/// Threads for commands and files. Each connection needs one at most: kills find one free whatever else runs.
const MAX_THREADS: usize = limits::MAX_CONNECTIONS + 2 * limits::MAX_USER_CONNECTIONS + 16;

/// Serves the store's socket in a thread of its own, for as long as the process lives. `first` is what came of the first attempt to make
/// the socket.
///
/// # Errors
///
/// When no thread can be started.
pub fn serve(agent: &Arc<Agent>, first: MadeSocket) -> io::Result<()> {
    let served = Arc::clone(agent);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_THREADS)
        .build()?;
    thread::Builder::new().spawn(move || runtime.block_on(served.serve(first))).map(drop)
}
