//! Untrusted text on its way to a terminal, a log or a viewer.

/// True for characters that are not text to a terminal or change how it shows the text around them: control characters, marks of
/// direction and of format, characters without width, and tags (Unicode Technical Report 36, section 3.1).
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
