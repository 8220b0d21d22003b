//! What a request came to.

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With no status of its own: a command, a job.
    Done,
    /// With an HTTP status; one outside 100 to 599 is as none.
    Http(u16),
    /// With an exception that nobody caught, or a fatal error, whatever status was sent.
    Failed,
}

/// Classes of status that count as errors.
pub(super) const SERVER_ERROR: usize = 5;
pub(super) const FAILED: usize = 6;

impl Status {
    /// 0: none. 1 to 5: the status's hundreds. 6: failed.
    pub(super) fn class(self) -> usize {
        match self {
            Status::Done => 0,
            Status::Http(status) => match status / 100 {
                class @ 1..=5 => usize::from(class),
                _ => 0,
            },
            Status::Failed => FAILED,
        }
    }

    /// Whether it counts as an error.
    pub(super) fn is_error(self) -> bool {
        matches!(self.class(), SERVER_ERROR | FAILED)
    }
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub status: Status,
    /// Nanoseconds of a clock that does not go back.
    pub clock: u64,
    /// Microseconds since 1970.
    pub now: i64,
}
