//! Untrusted text on its way to a terminal, a log or a viewer.

use std::path::Path;

/// True for characters that are not text to a terminal or change how it shows the text around them: control characters, marks of
/// direction and of format, characters without width, and tags (Unicode Technical Report 36, section 3.1).
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A path for a line of text: control characters cannot forge another line.
pub(crate) fn printable(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A path as a word of a shell command.
pub(crate) fn shell(path: &Path) -> String {
    let text = printable(path);
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | ':' | '@');
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
