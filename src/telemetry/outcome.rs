//! The outcome of a request.

/// The status with which a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No status: a command, a job.
    Done,
    /// An HTTP status; one outside 100 to 599 counts as none.
    Http(u16),
    /// An uncaught exception or a fatal error, whatever status was sent.
    Failed,
}

/// Classes of status that count as errors.
pub(super) const SERVER_ERROR: usize = 5;
pub(super) const FAILED: usize = 6;

impl Status {
    /// 0: none. 1 to 5: the hundreds of the status. 6: failed.
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

    /// True if it counts as an error.
    pub(super) fn is_error(self) -> bool {
        matches!(self.class(), SERVER_ERROR | FAILED)
    }
}

/// PHP's state at the end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// Bit set of the types of its errors that no handler of the script was asked about.
    pub raised: i32,
    /// Type of the last error that no handler took; 0 for none.
    pub last_error: i32,
    /// The exit status of the script. PHP keeps it from one response to the next.
    pub exit_status: i32,
    /// HTTP status sent to the client, 0 for PHP's default; none if there is no client.
    pub response: Option<u16>,
}

/// `E_ERROR`, `E_PARSE`, `E_CORE_ERROR`, `E_COMPILE_ERROR`: they end the script, and no handler is asked. An uncaught
/// exception is the first of these. Then `E_USER_ERROR` and `E_RECOVERABLE_ERROR`, which a handler may take.
const FATAL: i32 = 1 | 4 | 16 | 64 | 256 | 4096;

impl Observation {
    /// The status of the request. The last error alone is not enough: a warning in a shutdown function hides the fatal error before it.
    pub fn status(&self) -> Status {
        match self.response {
            _ if (self.raised | self.last_error) & FATAL != 0 => Status::Failed,
            Some(0) => Status::Http(200),
            Some(status) => Status::Http(status),
            None if self.exit_status != 0 => Status::Failed,
            None => Status::Done,
        }
    }
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The status that it ended with.
    pub status: Status,
    /// Time on a clock that does not go back, in nanoseconds.
    pub clock: u64,
    /// Time of the end, in microseconds since 1970.
    pub now: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Observation = Observation { raised: 0, last_error: 0, exit_status: 0, response: Some(200) };

    #[test]
    fn a_response_has_the_status_that_was_sent() {
        for (sent, status) in [(0, 200), (404, 404), (503, 503)] {
            let observed = Observation { response: Some(sent), ..PLAIN };
            assert_eq!(observed.status(), Status::Http(status));
        }
    }

    #[test]
    fn a_fatal_error_fails_whatever_came_after_it() {
        for fatal in [1, 4, 16, 64, 256, 4096] {
            let observed = Observation { raised: fatal | 2, last_error: 2, exit_status: 255, ..PLAIN };
            assert_eq!(observed.status(), Status::Failed, "{fatal}");
        }
    }

    #[test]
    fn an_error_that_the_handler_gave_back_fails() {
        let observed = Observation { last_error: 256, exit_status: 255, ..PLAIN };
        assert_eq!(observed.status(), Status::Failed);
    }

    #[test]
    fn warnings_notices_and_deprecations_are_no_failure() {
        for kind in [2, 8, 32, 128, 512, 1024, 2048, 8192, 16384] {
            let observed = Observation { raised: kind, last_error: kind, ..PLAIN };
            assert_eq!(observed.status(), Status::Http(200), "{kind}");
        }
    }

    #[test]
    fn the_exit_status_counts_only_where_there_is_no_client() {
        let failed = Observation { exit_status: 1, ..PLAIN };
        assert_eq!(failed.status(), Status::Http(200));
        assert_eq!(Observation { response: None, ..failed }.status(), Status::Failed);
        assert_eq!(Observation { response: None, ..PLAIN }.status(), Status::Done);
    }
}
