//! Names of the files in a store.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use crate::error::StoreError;
use crate::files::Folder;
use crate::snapshot::ContentId;

pub(crate) const HEAD: &str = "head";
pub(crate) const SNAPSHOTS: &str = "snapshots";
#[cfg(feature = "publisher")]
pub(crate) const LOCK: &str = "lock";
#[cfg(feature = "publisher")]
pub(crate) const HEAD_LOCK: &str = "head.lock";
#[cfg(feature = "publisher")]
pub(crate) const AUDIT: &str = "audit.jsonl";
#[cfg(feature = "publisher")]
pub(crate) const CONFIG: &str = "config.json";
/// The largest snapshot that is read, in bytes.
pub(crate) const SNAPSHOT_LIMIT: u64 = 4 << 30;

/// The name of a snapshot in `snapshots`.
pub(crate) fn snapshot_name(generation: u64, content: ContentId) -> String {
    format!("{generation:020}-{content}.snapshot")
}

/// Parses a name in `snapshots`; `None` if it is not exactly such a name.
pub(crate) fn parse_snapshot_name(name: &str) -> Option<(u64, ContentId)> {
    let (generation, content) = name.strip_suffix(".snapshot")?.split_once('-')?;
    let (generation, content) = (generation.parse().ok()?, content.parse().ok()?);
    (snapshot_name(generation, content) == name).then_some((generation, content))
}

/// The retained generations, ascending.
pub(crate) fn retained(store: &Folder) -> Result<Vec<(u64, ContentId)>, StoreError> {
    let snapshots = store.expect_folder(SNAPSHOTS)?;
    let names = snapshots.names();
    let names = names.map_err(|source| StoreError::io("list the snapshots of", store.path(), source))?;
    let mut found: Vec<_> =
        names.iter().filter_map(|name| name.to_str().and_then(parse_snapshot_name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// That generation, if its snapshot is there.
pub(crate) fn kept(store: &Folder, generation: u64) -> Result<Option<(u64, ContentId)>, StoreError> {
    Ok(retained(store)?.into_iter().find(|kept| kept.0 == generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_name_says_its_generation_and_content() {
        let content = ContentId([0xab; 16]);
        let name = snapshot_name(42, content);
        assert_eq!(name, format!("00000000000000000042-{}.snapshot", "ab".repeat(16)));
        assert_eq!(parse_snapshot_name(&name), Some((42, content)));
    }

    #[test]
    fn another_name_is_no_snapshot() {
        let name = snapshot_name(42, ContentId([0xab; 16]));
        for other in [
            name.to_uppercase(),
            name.replace("ab", "AB"),
            name.replacen("000", "", 1),
            format!(".{name}"),
            format!("{name}.tmp"),
            name.replacen('0', "+", 1),
            String::new(),
        ] {
            assert_eq!(parse_snapshot_name(&other), None, "{other}");
        }
    }
}
