//! Table of strings, each stored once.

use super::error::CompileError;
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Strings<'a> {
    bytes: Vec<u8>,
    known: HashMap<&'a str, u32>,
}

impl<'a> Strings<'a> {
    /// Adds `text` and returns its byte offset and length.
    pub(super) fn add(&mut self, text: &'a str) -> (u32, u32) {
        if let Some(offset) = self.known.get(text) {
            return (*offset, text.len() as u32);
        }
        // Past 4 GiB the offset is wrong, and `finish` refuses the result.
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(text.as_bytes());
        self.known.insert(text, offset);
        (offset, text.len() as u32)
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, CompileError> {
        let (found, limit) = (self.bytes.len() as u64, u64::from(u32::MAX) - 16);
        if found > limit {
            Err(CompileError::TooMany { what: "bytes of strings", found, limit })
        } else {
            Ok(self.bytes)
        }
    }
}
