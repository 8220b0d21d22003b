//! HTTP probes: requests, the companies that send them, and the expected answers.

pub mod judge;
pub mod read;
pub mod run;
pub mod times;

use std::time::Duration;

/// One request, and the conditions for its answer.
#[derive(Debug, Clone)]
pub struct Probe {
    /// A name for people; unique only if its author made it so.
    pub name: String,
    pub method: String,
    /// The absolute address, with variables filled in.
    pub url: String,
    /// The address as written in the file: without secrets from the environment.
    pub shown: String,
    /// The company that the headers and cookies belong to.
    pub company: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// The most redirects that are followed; 0: a redirect is the answer.
    pub redirects: u32,
    /// The time after which the request has failed.
    pub timeout: Duration,
    pub expect: Expect,
}

/// The conditions for an answer.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// Accepted statuses.
    pub status: Vec<u16>,
    /// Texts that the body must contain, byte for byte.
    pub contains: Vec<String>,
    /// Texts that the body must not contain.
    pub lacks: Vec<String>,
    /// Names in lower case, each with a text that the value must contain.
    pub headers: Vec<(String, String)>,
    /// Limit from the request to the last byte of the body.
    pub max_time: Option<Duration>,
}

/// The answer of a server.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub took: Duration,
}
