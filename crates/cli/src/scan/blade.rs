//! The PHP in a Blade view, piece by piece: echoes, directives' arguments, blocks of PHP, and components' bound attributes.
//!
//! Comments (`{{-- --}}`) and `@verbatim` hold none. A directive escaped as `@@flagstone`, and an echo escaped as `@{{ }}`,
//! are text.

/// A piece of PHP.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Line in the view, from 0.
    pub line: usize,
    /// Code to parse after `<?php `; on the same line as in the view.
    pub code: String,
}

/// Loop directives, each with the PHP statement that it becomes.
const LOOPS: [(&str, &str); 3] = [("foreach", "foreach"), ("forelse", "foreach"), ("for", "for")];

/// All pieces, in order.
pub fn pieces(view: &str) -> Vec<Piece> {
    let mut reader = Reader { view, at: 0, line: 0, pieces: Vec::new() };
    while reader.at < view.len() {
        reader.step();
    }
    reader.pieces
}

struct Reader<'a> {
    view: &'a str,
    at: usize,
    line: usize,
    pieces: Vec<Piece>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.view.get(self.at..).unwrap_or("")
    }

    /// Advances by a number of bytes.
    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.view.len());
        self.line += self.view.as_bytes()[self.at..end].iter().filter(|byte| **byte == b'\n').count();
        self.at = end;
    }

    /// Advances past the next occurrence of the text, or to the end.
    fn past(&mut self, text: &str) -> &'a str {
        let rest = self.rest();
        let found = rest.find(text);
        self.skip(found.map_or(rest.len(), |found| found + text.len()));
        &rest[..found.unwrap_or(rest.len())]
    }

    fn piece(&mut self, line: usize, code: String) {
        self.pieces.push(Piece { line, code });
    }

    fn step(&mut self) {
        let rest = self.rest();
        if rest.starts_with("{{--") {
            self.past("--}}");
        } else if rest.starts_with("@{{") || rest.starts_with("@{!!") || rest.starts_with("@@") {
            self.skip(3);
        } else if rest.starts_with("{{") || rest.starts_with("{!!") {
            let (open, close) = if rest.starts_with("{{") { (2, "}}") } else { (3, "!!}") };
            self.skip(open);
            let line = self.line;
            let code = self.past(close);
            self.piece(line, format!("{};", code.trim_start_matches('{').trim_end_matches('}')));
        } else if rest.starts_with("<?") {
            let open = if rest.starts_with("<?php") {
                5
            } else if rest.starts_with("<?=") {
                3
            } else {
                2
            };
            self.skip(open);
            let line = self.line;
            let code = self.past("?>").to_owned();
            self.piece(line, format!("{code};"));
        } else if rest.starts_with("<x-") {
            self.component();
        } else if rest.starts_with('@') && !self.follows_word() {
            self.directive();
        } else {
            // Advances to the next character that may begin a piece.
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let next = rest[first..].find(['{', '@', '<']).map_or(rest.len(), |next| first + next);
            self.skip(next);
        }
    }

    /// `name@example.com` is no directive.
    fn follows_word(&self) -> bool {
        let before = self.view[..self.at].chars().next_back();
        before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    fn directive(&mut self) {
        let rest = self.rest();
        let name: String = rest[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        self.skip(1 + name.len());
        if name == "verbatim" {
            self.past("@endverbatim");
            return;
        }
        let spaces = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        let inner =
            self.rest()[spaces..].starts_with('(').then(|| parenthesised(&self.rest()[spaces..])).flatten();
        let Some(inner) = inner else {
            if name == "php" {
                let line = self.line;
                let code = self.past("@endphp").to_owned();
                self.piece(line, format!("{code};"));
            }
            return;
        };
        self.skip(spaces);
        let line = self.line;
        let lower = name.to_ascii_lowercase();
        let code = match LOOPS.iter().find(|(known, _)| *known == lower) {
            Some((_, statement)) => format!("{statement}({inner});"),
            None if lower == "php" => format!("{inner};"),
            None => format!("blade_{lower}({inner});"),
        };
        // The PHP inside is not read as Blade.
        self.skip(inner.len() + 2);
        self.piece(line, code);
    }

    /// `<x-button :shown="feature_enabled('x')">`: reads the bound attributes. The rest of the tag is read as the rest of a view.
    fn component(&mut self) {
        let rest = self.rest();
        let (mut at, bytes) = (3, rest.as_bytes());
        let mut bound = Vec::new();
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'>' => break,
                b'"' | b'\'' => {
                    let Some(length) = rest[at + 1..].find(char::from(*byte)) else { break };
                    let before = rest[..at].trim_end_matches('=');
                    let name = before.rsplit([' ', '\t', '\n', '\r']).next().unwrap_or("");
                    if name.starts_with(':') && !name.starts_with("::") {
                        bound.push((at + 1, &rest[at + 1..at + 1 + length]));
                    }
                    at += length + 2;
                }
                _ => at += 1,
            }
        }
        for (at, code) in bound {
            let line = self.line + rest[..at].matches('\n').count();
            self.piece(line, format!("blade_bound({code});"));
        }
        self.skip(3);
    }
}

/// The content of the parenthesis that the text begins with; closing parentheses in strings of PHP do not count.
fn parenthesised(text: &str) -> Option<&str> {
    let (mut depth, mut quote) = (0_usize, None);
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (byte, Some(open)) if byte == open => quote = None,
            (_, Some(_)) => {}
            (b'"' | b'\'', None) => quote = Some(byte),
            (b'(', None) => depth += 1,
            (b')', None) => {
                depth -= 1;
                if depth == 0 {
                    return text.get(1..at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(view: &str) -> Vec<(usize, String)> {
        pieces(view).into_iter().map(|piece| (piece.line, piece.code.trim().to_owned())).collect()
    }

    #[test]
    fn every_kind_of_piece_is_found_with_its_line() {
        let view = "a\n@flagstone('x')\n{{ $a }} {!! $b !!}\n@if (f(')'))\n@php($c = 1)\n@php\n$d;\n@endphp\n<?php $e ?><?= $f ?>\n<x-b\n :on=\"$g\" at=\"{{ $h }}\">";
        assert_eq!(
            found(view),
            [
                (1, "blade_flagstone('x');".to_owned()),
                (2, "$a ;".to_owned()),
                (2, "$b ;".to_owned()),
                (3, "blade_if(f(')'));".to_owned()),
                (4, "$c = 1;".to_owned()),
                (5, "$d;\n;".to_owned()),
                (8, "$e ;".to_owned()),
                (8, "$f ;".to_owned()),
                (10, "blade_bound($g);".to_owned()),
                (10, "$h ;".to_owned()),
            ]
        );
    }

    #[test]
    fn comments_text_and_what_is_escaped_are_no_pieces() {
        for view in [
            "{{-- @flagstone('x') {{ y }} --}}",
            "@verbatim {{ x }} @flagstone('x') @endverbatim",
            "@{{ x }}",
            "@@flagstone('x')",
            "me@flagstone('x')",
            "@else",
            "@flagstone('x'",
            "<a :on=\"$x\">",
            "ä{ö<ü",
        ] {
            let pieces: Vec<_> = found(view).into_iter().filter(|(_, code)| code.contains('x')).collect();
            assert_eq!(pieces, [], "{view}");
        }
    }
}
