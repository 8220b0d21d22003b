//! Edits of a file's shared part that do not reach this environment, since its overlay replaces the edited value.

use super::result::{Merged, Shadowed};
use crate::definition::{Definitions, OverlayValues, ReplacedValue};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

type Digests = BTreeMap<String, String>;

impl Merged {
    /// Reports edits that an overlay replaces, and keeps the digests of the file's values for the next publish.
    pub(super) fn shadow(&mut self, running: &Definitions, overlaid: &OverlayValues) {
        let none = Digests::new();
        for (key, flag) in &mut self.definitions.flags {
            let Some(file) = flag.state.file.as_mut().filter(|_| flag.state.orphaned.is_none()) else {
                continue;
            };
            let replaced = overlaid.flags.get(key).map_or(&[][..], Vec::as_slice);
            let before = running.flags.get(key).and_then(|flag| flag.state.file.as_ref());
            let before = before.map_or(&none, |file| &file.shared);
            self.shadowed.extend(
                edited(replaced, before).map(|replaced| {
                    Shadowed::of(key, replaced.path.clone(), replaced, &overlaid.environment)
                }),
            );
            let next = digests(replaced);
            if file.shared != next {
                Arc::make_mut(file).shared = next;
            }
        }
        for (name, replaced) in &overlaid.segments {
            let before = running.segments_shared.get(name).unwrap_or(&none);
            self.shadowed.extend(edited(replaced, before).map(|replaced| {
                let path = format!("{name}/{}", replaced.path);
                Shadowed::of("segments", path, replaced, &overlaid.environment)
            }));
            if self.definitions.segments.contains_key(name) {
                self.definitions.segments_shared.insert(name.clone(), digests(replaced));
            }
        }
    }
}

impl Shadowed {
    fn of(flag: &str, path: String, replaced: &ReplacedValue, environment: &str) -> Shadowed {
        Shadowed {
            flag: flag.to_owned(),
            path,
            shared: replaced.shared.text.clone(),
            shared_line: replaced.shared.line,
            environment: environment.to_owned(),
            overlay: replaced.overlay.text.clone(),
            overlay_line: replaced.overlay.line,
        }
    }
}

impl fmt::Display for Shadowed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{}: {}: {} on line {} does not reach {}, which says {} on line {}",
            self.flag,
            self.path.replace('/', "."),
            self.shared,
            self.shared_line,
            self.environment,
            self.overlay,
            self.overlay_line
        )
    }
}

/// The values that changed since their known digest, and that the overlay replaces by another value.
fn edited<'r>(replaced: &'r [ReplacedValue], before: &Digests) -> impl Iterator<Item = &'r ReplacedValue> {
    let mut place = (0, 0);
    replaced.iter().filter(move |replaced| {
        let shared = &replaced.shared;
        let is_edited = before.get(&replaced.path).is_some_and(|before| *before != shared.digest);
        let is_told = is_edited
            && !shared.digest.is_empty()
            && shared.digest != replaced.overlay.digest
            // The short form of a flag is one value for several paths.
            && (shared.line, shared.column) != place;
        if is_told {
            place = (shared.line, shared.column);
        }
        is_told
    })
}

fn digests(replaced: &[ReplacedValue]) -> Digests {
    let digest = |replaced: &ReplacedValue| (replaced.path.clone(), replaced.shared.digest.clone());
    replaced.iter().map(digest).collect()
}
