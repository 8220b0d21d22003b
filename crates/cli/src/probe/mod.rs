//! HTTP probes: what is asked, of whom, and what the answer has to be.

pub mod judge;
pub mod read;
pub mod run;
pub mod times;

use std::time::Duration;

/// One request and what is expected of its answer.
#[derive(Debug, Clone)]
pub struct Probe {
    /// For people; unique only if its author made it so.
    pub name: String,
    pub method: String,
    /// Absolute, with variables filled in.
    pub url: String,
    /// As it is written in the file: no secret that came from the environment.
    pub shown: String,
    /// Whose headers and cookies it has.
    pub company: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// How many redirects are followed; 0: a redirect is the answer.
    pub redirects: u32,
    /// After so long the request has failed.
    pub timeout: Duration,
    pub expect: Expect,
}

/// What an answer has to be.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// One of these.
    pub status: Vec<u16>,
    /// The body contains each, byte for byte.
    pub contains: Vec<String>,
    /// And none of these.
    pub lacks: Vec<String>,
    /// Names in lower case, with what the value has to contain.
    pub headers: Vec<(String, String)>,
    /// From the request to the last byte of the body.
    pub max_time: Option<Duration>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub took: Duration,
}
