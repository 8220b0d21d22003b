//! The set of fields that a flag's text writes.

/// A set of fields. It is no part of a flag's meaning: flags with the same values are equal, however much of them is written out.
#[derive(Debug, Clone, Copy)]
pub struct Written(u32);

impl Written {
    /// Every field: a flag that was not read from a text has all of them.
    pub const ALL: Written = Written(u32::MAX);
    /// The empty set.
    pub const NONE: Written = Written(0);
    /// `enabled`.
    pub const ENABLED: Written = Written(1);
    /// `rollout.percentage` or `schedule`.
    pub const PERCENTAGE: Written = Written(1 << 1);
    /// `companies.allow`.
    pub const ALLOW: Written = Written(1 << 2);
    /// `companies.deny`.
    pub const DENY: Written = Written(1 << 3);
    /// `emergency`.
    pub const EMERGENCY: Written = Written(1 << 4);
    /// `rollout.by`.
    pub const BY: Written = Written(1 << 5);
    /// `rollout.salt`.
    pub const SALT: Written = Written(1 << 6);
    /// `rollout.bucketing`.
    pub const BUCKETING: Written = Written(1 << 7);
    /// `requires`.
    pub const REQUIRES: Written = Written(1 << 8);
    /// `rules`.
    pub const RULES: Written = Written(1 << 9);
    /// `variants`.
    pub const VARIANTS: Written = Written(1 << 10);
    /// `plan`.
    pub const PLAN: Written = Written(1 << 11);
    /// `guard`, in the flag or for all flags.
    pub const GUARD: Written = Written(1 << 12);
    /// `managed`.
    pub const MANAGED: Written = Written(1 << 13);
    /// `expires`.
    pub const EXPIRES: Written = Written(1 << 14);
    /// `description`.
    pub const DESCRIPTION: Written = Written(1 << 15);
    /// `owner`.
    pub const OWNER: Written = Written(1 << 16);
    /// `was`.
    pub const WAS: Written = Written(1 << 17);

    /// True if all of those fields are written.
    pub const fn has(self, fields: Written) -> bool {
        self.0 & fields.0 == fields.0
    }

    /// Adds fields if the condition holds.
    pub(super) fn add(&mut self, fields: Written, condition: bool) {
        self.0 |= if condition { fields.0 } else { 0 };
    }
}

impl Default for Written {
    fn default() -> Self {
        Self::ALL
    }
}

/// Always equal, so that two flags differ only in their values.
impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
