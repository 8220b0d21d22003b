//! Copies a field of one flag to another.

use super::fields::Field;
use crate::definition::Flag;
use std::borrow::Cow;

pub(super) fn take(field: &Field, to: &mut Flag, from: &Flag) {
    if !(field.same)(to, from) {
        (field.take)(to, from);
    }
}

/// Copies the file's value of a field to the base.
pub(super) fn note(field: &Field, base: &mut Cow<Flag>, says: &Flag) {
    if !(field.same)(base, says) {
        (field.take)(base.to_mut(), says);
    }
}
