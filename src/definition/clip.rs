//! Long texts in messages.

use std::borrow::Cow;

/// Shortens a text for a message.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    const MAX_CHARACTERS: usize = 60;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}
