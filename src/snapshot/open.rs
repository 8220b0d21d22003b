//! Opens and checks a snapshot.

use super::format::{HEADER_SIZE, Section, Slot};
use super::map::Bytes;
use super::validate;
use super::view::Table;
use super::{ContentId, MapMode, Snapshot, SnapshotError};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;
use zerocopy::IntoBytes;

impl Snapshot {
    /// Opens a copy of `bytes`, checking everything but the definitions' checksum.
    ///
    /// # Errors
    ///
    /// When the bytes are not a snapshot that this build reads; `docs/snapshot-format.md` lists the reasons.
    pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        Snapshot::over(Bytes::copy_of(bytes)?)
    }

    /// Opens a file, checking everything but the definitions' checksum. `size_limit` is in bytes.
    ///
    /// # Errors
    ///
    /// When [`from_bytes`](Self::from_bytes) fails, the file cannot be read, or it is larger than the limit.
    pub fn open(file: &File, mode: MapMode, size_limit: u64) -> Result<Snapshot, SnapshotError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(SnapshotError::NotAFile);
        }
        let size = metadata.len();
        if size > size_limit {
            return Err(SnapshotError::TooLarge { found: size, limit: size_limit });
        }
        let size = match usize::try_from(size) {
            Ok(size) if size >= HEADER_SIZE => size,
            _ => return Err(SnapshotError::TooShort { found: size }),
        };
        // Checked before memory is taken: a sparse file may claim any size, and costs nothing on the disk.
        let mut header = [0; HEADER_SIZE];
        file.read_exact_at(&mut header, 0)?;
        validate::header_of(&header, size as u64)?;
        Snapshot::over(Bytes::load(file, size, mode)?)
    }

    fn over(bytes: Bytes) -> Result<Snapshot, SnapshotError> {
        let bytes = Arc::new(bytes);
        let header = validate::header(bytes.as_slice())?;
        let parts = validate::sections(bytes.as_slice(), header)?;
        let part = |section: Section| parts[section as usize].clone();
        let index: Table<Slot> = Table::over(&bytes, part(Section::Index));
        let snapshot = Snapshot {
            index_shift: 64 - index.len().trailing_zeros().min(63),
            index,
            index_probe: header.index_probe.get(),
            flags: Table::over(&bytes, part(Section::Flags)),
            strings: Table::over(&bytes, part(Section::Strings)),
            attributes: Table::over(&bytes, part(Section::Attributes)),
            links: Table::over(&bytes, part(Section::Links)),
            rules: Table::over(&bytes, part(Section::Rules)),
            tests: Table::over(&bytes, part(Section::Tests)),
            steps: Table::over(&bytes, part(Section::Steps)),
            variants: Table::over(&bytes, part(Section::Variants)),
            cells: Table::over(&bytes, part(Section::Cells)),
            lists: Table::over(&bytes, part(Section::Lists)),
            words: Table::over(&bytes, part(Section::Words)),
            keys: Table::over(&bytes, part(Section::Keys)),
            definitions: Table::over(&bytes, part(Section::Definitions)),
            definitions_checksum: header.sections[Section::Definitions as usize].checksum.get(),
            environment: (header.environment_offset.get(), header.environment_length.get()),
            content_id: ContentId(xxh3_128(header.as_bytes()).to_be_bytes()),
            bytes: Arc::clone(&bytes),
        };
        snapshot.validate(header)?;
        if snapshot.lost() {
            return Err(SnapshotError::Lost);
        }
        Ok(snapshot)
    }

    /// Checks what opening leaves out: the checksums of the definitions and of the audit section, that each flag is found by its key,
    /// and every slot of the lists. A publish does this before the snapshot gets its name.
    ///
    /// # Errors
    ///
    /// When bytes are damaged or inconsistent.
    pub fn verify(&self) -> Result<(), SnapshotError> {
        self.definitions_json()?;
        validate::audit_record(self.bytes.as_slice())?;
        self.verify_tables()
    }
}
