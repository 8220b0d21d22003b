//! The set of fields that a flag's text writes.

/// A set of fields. It is no part of a flag's meaning: flags with the same values are equal, however much of them is written out.
#[derive(Debug, Clone, Copy)]
pub struct FieldSet(u32);

impl FieldSet {
    /// Every field: a flag that was not read from a text has all of them.
    pub const ALL: FieldSet = FieldSet(u32::MAX);
    /// The empty set.
    pub const NONE: FieldSet = FieldSet(0);
    /// `enabled`.
    pub const ENABLED: FieldSet = FieldSet(1);
    /// `rollout.percentage` or `schedule`.
    pub const PERCENTAGE: FieldSet = FieldSet(1 << 1);
    /// `companies.allow`.
    pub const ALLOW: FieldSet = FieldSet(1 << 2);
    /// `companies.deny`.
    pub const DENY: FieldSet = FieldSet(1 << 3);
    /// `emergency`.
    pub const EMERGENCY: FieldSet = FieldSet(1 << 4);
    /// `rollout.by`.
    pub const BY: FieldSet = FieldSet(1 << 5);
    /// `rollout.salt`.
    pub const SALT: FieldSet = FieldSet(1 << 6);
    /// `rollout.bucketing`.
    pub const BUCKETING: FieldSet = FieldSet(1 << 7);
    /// `requires`.
    pub const REQUIRES: FieldSet = FieldSet(1 << 8);
    /// `rules`.
    pub const RULES: FieldSet = FieldSet(1 << 9);
    /// `variants`.
    pub const VARIANTS: FieldSet = FieldSet(1 << 10);
    /// `plan`.
    pub const PLAN: FieldSet = FieldSet(1 << 11);
    /// `guard`, in the flag or for all flags.
    pub const GUARD: FieldSet = FieldSet(1 << 12);
    /// `managed`.
    pub const MANAGED: FieldSet = FieldSet(1 << 13);
    /// `expires`.
    pub const EXPIRES: FieldSet = FieldSet(1 << 14);
    /// `description`.
    pub const DESCRIPTION: FieldSet = FieldSet(1 << 15);
    /// `owner`.
    pub const OWNER: FieldSet = FieldSet(1 << 16);
    /// `was`.
    pub const WAS: FieldSet = FieldSet(1 << 17);

    /// True if all of those fields are written.
    pub const fn has(self, fields: FieldSet) -> bool {
        self.0 & fields.0 == fields.0
    }

    /// Adds fields if the condition holds.
    pub(super) fn add(&mut self, fields: FieldSet, condition: bool) {
        self.0 |= if condition { fields.0 } else { 0 };
    }
}

impl Default for FieldSet {
    fn default() -> Self {
        Self::ALL
    }
}

/// Always equal, so that two flags differ only in their values.
impl PartialEq for FieldSet {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
