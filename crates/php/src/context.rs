//! A PHP array as attributes, read in place.

use crate::php;
use engine::{Attribute, Context};
use ext_php_rs::ffi::zend_hash_str_find;
use ext_php_rs::types::{ZendHashTable, Zval};

/// The array of a question; none is empty.
#[derive(Clone, Copy)]
pub(crate) struct PhpContext<'a>(Option<&'a ZendHashTable>);

impl<'a> PhpContext<'a> {
    #[inline(always)]
    pub(crate) fn empty() -> PhpContext<'a> {
        PhpContext(None)
    }

    #[inline(always)]
    pub(crate) fn of(array: &'a ZendHashTable) -> PhpContext<'a> {
        PhpContext(Some(array))
    }
}

impl Context for PhpContext<'_> {
    fn attribute(&self, name: &[u8], _: u64) -> Attribute<'_> {
        let Some(array) = self.0 else { return Attribute::Missing };
        // SAFETY: a live array and a name of that length; PHP does not change the array to look into it.
        let found = unsafe { zend_hash_str_find(array, name.as_ptr().cast(), name.len()) };
        // SAFETY: null, or a value of the array, which lives as long as the array.
        match unsafe { found.as_ref() } {
            Some(value) => attribute(php::dereferenced(value)),
            None => Attribute::Missing,
        }
    }
}

fn attribute(value: &Zval) -> Attribute<'_> {
    if let Some(string) = value.zend_str() {
        Attribute::Text(string.as_bytes())
    } else if let Some(int) = value.long() {
        Attribute::Int(int)
    } else if let Some(float) = value.double() {
        Attribute::Float(float)
    } else if let Some(bool) = value.bool() {
        Attribute::Bool(bool)
    } else {
        Attribute::Missing
    }
}
