//! Marks: the begin and end of a request or job, as an application reports them in a process that serves many.
//!
//! The outermost mark is the request: it holds the content and is counted. Marks that begin within it are a part of it, and
//! marks beside it, in another fiber or coroutine, are not counted. A mark that is lost, since an exception passed its end,
//! must not hold the content for ever: it is given up when a mark begins at the same place again, and when it is as old as
//! [`MAX_MARK_MILLIS`].
//!
//! In a loop of promises all requests begin at one place. A mark that ends after it was given up shows that: for
//! [`MAX_MARK_MILLIS`] none is given up by its place.

/// Milliseconds for which a mark holds the content, at most: an hour.
pub const MAX_MARK_MILLIS: u64 = 3_600_000;

/// Marks that are open at once, at most, and that are known as given up. The oldest open one that is not the outermost makes room.
const MAX_OPEN: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Mark {
    token: u64,
    place: u64,
    begun: u64,
    outermost: bool,
}

/// The marks of one thread that began and did not end.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    open: Vec<Mark>,
    /// Tokens of marks that were given up by their place, and when.
    given_up: Vec<(u64, u64)>,
    /// Until then none is.
    overlap_until: u64,
    last: u64,
}

/// A new mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkBegun {
    /// The token that ends it.
    pub token: u64,
    /// True if it is the request.
    pub outermost: bool,
}

impl Marks {
    /// Begins a mark. `place` identifies the call that begins it among those that are not over; 0 if unknown. `now` is in
    /// milliseconds of a clock that does not go back.
    pub fn begin(&mut self, place: u64, now: u64) -> MarkBegun {
        // A mark that begins again at the same place has lost its end, and so have the marks within it.
        if let Some(again) = self.open.iter().position(|mark| place != 0 && mark.place == place)
            && now >= self.overlap_until
        {
            self.given_up.retain(|(_, at)| now.saturating_sub(*at) < MAX_MARK_MILLIS);
            let room = MAX_OPEN - self.given_up.len();
            self.given_up.extend(self.open.drain(again..).map(|mark| (mark.token, now)).take(room));
        }
        if self.outermost().is_some_and(|mark| is_over(mark, now)) {
            self.open.clear();
        }
        if self.open.len() >= MAX_OPEN
            && let Some(oldest) = self.open.iter().position(|mark| !mark.outermost)
        {
            self.open.remove(oldest);
        }
        self.last += 1;
        let mark = Mark { token: self.last, place, begun: now, outermost: self.outermost().is_none() };
        self.open.push(mark);
        MarkBegun { token: mark.token, outermost: mark.outermost }
    }

    /// Ends the mark of that token, or without one, the mark that began last. True if that was the outermost.
    pub fn end(&mut self, token: Option<u64>) -> bool {
        let ended = match token {
            None => self.open.pop(),
            Some(token) => {
                let known = self.open.iter().position(|mark| mark.token == token);
                if known.is_none()
                    && let Some(early) = self.given_up.iter().position(|(given_up, _)| *given_up == token)
                {
                    self.overlap_until = self.given_up.swap_remove(early).1 + MAX_MARK_MILLIS;
                }
                known.map(|known| self.open.remove(known))
            }
        };
        ended.is_some_and(|mark| mark.outermost)
    }

    /// True if a request is open.
    pub fn is_open(&self) -> bool {
        self.outermost().is_some()
    }

    /// True if any mark is open.
    pub fn any(&self) -> bool {
        !self.open.is_empty()
    }

    /// True if a request holds the content.
    pub fn holds(&self, now: u64) -> bool {
        self.outermost().is_some_and(|mark| !is_over(mark, now))
    }

    /// Drops all marks.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    fn outermost(&self) -> Option<&Mark> {
        self.open.iter().find(|mark| mark.outermost)
    }
}

fn is_over(mark: &Mark, now: u64) -> bool {
    now.saturating_sub(mark.begun) >= MAX_MARK_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins at places of their own.
    fn begun(marks: &mut Marks, place: u64) -> (u64, bool) {
        let begun = marks.begin(place, 0);
        (begun.token, begun.outermost)
    }

    #[test]
    fn marks_nest_and_the_outermost_is_the_request() {
        let mut marks = Marks::default();
        assert_eq!(begun(&mut marks, 1), (1, true));
        assert_eq!(begun(&mut marks, 2), (2, false));
        assert!(!marks.end(None));
        assert!(marks.holds(0) && marks.end(None) && !marks.holds(0));
        assert!(!marks.end(None));
    }

    #[test]
    fn overlapping_marks_end_by_their_tokens() {
        // Two that overlapped held the content for as long as there were any.
        let mut marks = Marks::default();
        let (first, _) = begun(&mut marks, 1);
        let (second, is_request) = begun(&mut marks, 2);
        assert!(!is_request);
        assert!(marks.end(Some(first)), "the outermost is the first, whatever ended meanwhile");
        assert!(!marks.holds(0));
        let (third, is_request) = begun(&mut marks, 3);
        assert!(is_request, "the next one is a request again");
        assert!(!marks.end(Some(second)));
        assert!(marks.end(Some(third)));
        assert!(!marks.end(Some(third)), "a token ends once");
        assert!(!marks.any());
    }

    #[test]
    fn a_mark_that_begins_where_another_began_gives_that_one_up() {
        let mut marks = Marks::default();
        begun(&mut marks, 7);
        begun(&mut marks, 8);
        assert_eq!(begun(&mut marks, 7), (3, true));
        assert!(marks.end(None));
        assert!(!marks.any());
        // Marks at an unknown place nest.
        begun(&mut marks, 0);
        assert!(!begun(&mut marks, 0).1);
    }

    // In a loop of promises all requests begin at one place: each took the one before for lost, so that the long ones were never counted.
    #[test]
    fn a_mark_that_ends_after_it_was_given_up_shows_that_marks_at_one_place_overlap() {
        let mut marks = Marks::default();
        let (first, _) = begun(&mut marks, 7);
        assert!(begun(&mut marks, 7).1, "the first may be lost");
        assert!(!marks.end(Some(first)));
        let (third, is_request) = begun(&mut marks, 7);
        assert!(!is_request);
        assert!(marks.end(Some(2)), "the second was not given up");
        assert!(!marks.end(Some(2)), "an end that is said twice shows nothing");
        assert!(!marks.end(Some(third)));
        // An hour later a mark may be lost again.
        assert!(marks.begin(7, MAX_MARK_MILLIS - 1).outermost);
        assert!(!marks.begin(7, MAX_MARK_MILLIS - 1).outermost);
        assert!(marks.begin(7, MAX_MARK_MILLIS).outermost);
    }

    #[test]
    fn lost_marks_at_one_place_do_not_pile_up() {
        let mut marks = Marks::default();
        (0..10_000).for_each(|_| _ = begun(&mut marks, 7));
        assert!(marks.given_up.len() <= MAX_OPEN);
        begun(&mut marks, 7);
        assert_eq!(marks.begin(7, MAX_MARK_MILLIS).token, 10_002);
        assert!(marks.given_up.len() <= 2, "those of the last hour");
    }

    #[test]
    fn a_mark_without_an_end_holds_nothing_for_ever() {
        let mut marks = Marks::default();
        marks.begin(1, 10);
        assert!(marks.holds(10 + MAX_MARK_MILLIS - 1) && !marks.holds(10 + MAX_MARK_MILLIS));
        assert!(marks.begin(2, 10 + MAX_MARK_MILLIS).outermost);
    }

    #[test]
    fn lost_marks_beside_a_request_do_not_pile_up() {
        let mut marks = Marks::default();
        let (request, _) = begun(&mut marks, 1);
        (2..10_000).for_each(|place| _ = begun(&mut marks, place));
        assert!(marks.open.len() <= MAX_OPEN);
        assert!(marks.end(Some(request)));
    }
}
