//! The head: its words as `docs/store-format.md` defines them. It knows nothing of files.
//!
//! Readers accept any bytes: every loop is bounded, and data without a valid checksum counts as absent.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::shared::{PAGE_SIZE, Page};
#[cfg(feature = "publisher")]
use crate::error::StoreError;
use crate::snapshot::ContentId;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

pub(crate) const MAGIC: [u8; 8] = *b"\x89FHEAD\r\n";
pub(crate) const MAJOR: u16 = 1;
/// Size of the bytes that are written once.
pub(crate) const FIXED_SIZE: usize = 256;
pub(crate) const ENVIRONMENT_SIZE: usize = 64;
const EPOCH: usize = 256;
const GENERATION: usize = 264;
const STOP: usize = 272;
const STOP_SINCE: usize = 280;
#[cfg(feature = "publisher")]
const AUDIT_RECORDS: usize = 288;
#[cfg(feature = "publisher")]
const AUDIT_HASH: usize = 296;
#[cfg(feature = "publisher")]
const RELEASE: usize = 304;
const SLOTS_USED: usize = 312;
const POINTERS: usize = 320;
const POINTER_SIZE: usize = 64;
const RESUMED: usize = 448;
const SLOTS: usize = 4_096;
const SLOT_SIZE: usize = 256;
/// Offset in a slot: the sequence that it was written with.
const WRITTEN: usize = 216;
/// Flags that can be killed at the same time.
pub(crate) const SLOT_COUNT: usize = (PAGE_SIZE - SLOTS) / SLOT_SIZE;
/// Bytes for a key in a kill slot.
pub(crate) const KEY_SIZE: usize = 192;
/// Upper half of a sequence: the slot is being written. The lower half is the sequence before.
const CLAIMED: u64 = 1 << 63;
/// Flag in the word at `SLOTS_USED`: every used slot was counted, since the store was made or the slots were settled.
const COUNTED: u64 = 1 << 63;
/// Key written into a damaged slot; no flag has it.
#[cfg(feature = "publisher")]
const DAMAGED: &[u8] = b"?";
/// Attempts to read a pointer that keeps changing, before the reader keeps the one it had.
const ATTEMPTS: usize = 16;

/// Fields that `init` writes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Random.
    pub(crate) store: [u8; 16],
    /// Microseconds since 1970.
    pub(crate) created: i64,
    pub(crate) environment: String,
}

/// Pointer to the published snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) generation: u64,
    pub(crate) content: ContentId,
    pub(crate) published_at: i64,
    /// The generation before; 0 if none.
    pub(crate) previous: u64,
    pub(crate) previous_content: ContentId,
}

impl Pointer {
    /// Pointer to a generation that is known by its snapshot's name, with the valid pointer that is left, which is of the one before.
    pub(crate) fn by_name(named: (u64, ContentId), before: Option<&Pointer>) -> Pointer {
        let previous = before.map_or(0, |before| before.generation);
        let previous_content = before.map_or(ContentId([0; 16]), |before| before.content);
        Pointer { previous, previous_content, ..Pointer::of(named) }
    }

    /// Pointer to that generation and content; everything else is unknown.
    pub(crate) fn of((generation, content): (u64, ContentId)) -> Pointer {
        let previous_content = ContentId([0; 16]);
        Pointer { generation, content, published_at: 0, previous: 0, previous_content }
    }
}

/// The current generation, as the head names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Current {
    /// No generation was published yet.
    Nothing,
    Pointer(Pointer),
    /// The pointer of this generation is not valid, and the other one may be; or the head names an older generation than its newest
    /// pointer, which is this one.
    Damaged(u64, Option<Pointer>),
}

#[cfg(feature = "publisher")]
impl Current {
    /// The current generation and its pointer, by the name of its snapshot (`kept`) where that is damaged. A number that no pointer has
    /// and no snapshot is damage itself.
    pub(crate) fn settled(
        self,
        kept: impl FnOnce(u64) -> Result<Option<(u64, ContentId)>, StoreError>,
    ) -> (u64, Option<Pointer>) {
        match self {
            Current::Nothing => (0, None),
            Current::Pointer(pointer) => (pointer.generation, Some(pointer)),
            Current::Damaged(generation, Some(newest)) if newest.generation == generation => {
                (generation, Some(newest))
            }
            Current::Damaged(generation, other) => match (kept(generation), other) {
                (Ok(Some(named)), other) => (generation, Some(Pointer::by_name(named, other.as_ref()))),
                (Ok(None), Some(newest)) => (newest.generation, Some(newest)),
                (_, other) => (generation, other),
            },
        }
    }
}

/// Content of one kill slot at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KillSlot {
    /// Odd: the flag is killed. It only grows.
    pub(crate) sequence: u64,
    /// None if the checksum does not match: the slot was never written, or not completely.
    pub(crate) flag: Option<Killed>,
}

impl KillSlot {
    /// True if the slot was overwritten by something that does not know the format. A slot being written is not torn: its kill was not
    /// reported yet.
    fn is_torn(&self) -> bool {
        self.sequence != 0 && self.flag.is_none() && !is_claimed(self.sequence)
    }

    /// True if a kill that was read from this slot at that sequence is over.
    pub(crate) fn ends(&self, sequence: u64, key: &[u8], told: SlotsTrust) -> bool {
        let higher = self.sequence.wrapping_sub(sequence).cast_signed() > 0;
        match &self.flag {
            Some(flag) if flag.key == key => {
                higher || (told == SlotsTrust::Surely && self.sequence.is_multiple_of(2))
            }
            Some(_) => told == SlotsTrust::Surely || (told == SlotsTrust::Likely && higher),
            None => told == SlotsTrust::Surely && self.sequence == 0,
        }
    }
}

/// Reliability of the kill slots as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotsTrust {
    /// No slot is damaged, and the number of used slots matches.
    Surely,
    /// No slot seems damaged; the used ones were never counted.
    Likely,
    /// Some slots are damaged.
    No,
}

fn is_claimed(sequence: u64) -> bool {
    sequence >> 32 == CLAIMED >> 32 && sequence.is_multiple_of(2)
}

/// State of the emergency stop, as far as its words agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Yes,
    No,
    /// Being changed, or damaged.
    Unclear,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Killed {
    pub(crate) key: Vec<u8>,
    pub(crate) since: i64,
}

#[derive(Debug)]
pub(crate) struct Head {
    page: Page,
}

impl Head {
    pub(crate) fn over(page: Page) -> Head {
        Head { page }
    }

    #[cfg(feature = "publisher")]
    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// True if the mapping no longer shows the file. Ask after reading.
    pub(crate) fn lost(&self) -> bool {
        self.page.lost()
    }

    /// Makes every reader treat it as lost.
    pub(crate) fn give_up(&self) {
        self.page.give_up();
    }

    /// The word that changes with every change of the head.
    #[inline(always)]
    pub(crate) fn epoch_cell(&self) -> &AtomicU64 {
        &self.page.words()[EPOCH / 8]
    }

    pub(crate) fn epoch(&self) -> u64 {
        u64::from_le(self.epoch_cell().load(Ordering::Acquire))
    }

    pub(crate) fn generation(&self) -> u64 {
        self.load(GENERATION)
    }

    /// Start of the stop, if everything is stopped or the stop's word is damaged.
    #[cfg(feature = "publisher")]
    pub(crate) fn stopped(&self) -> Option<i64> {
        (self.stop_state() != Stop::No).then(|| self.load(STOP_SINCE).cast_signed())
    }

    /// Start of the stop, and time at which the last one ended; 0 if there is none.
    pub(crate) fn stop_times(&self) -> (i64, i64) {
        (self.load(STOP_SINCE).cast_signed(), self.load(RESUMED).cast_signed())
    }

    pub(crate) fn stop_state(&self) -> Stop {
        match (self.load(STOP), self.load(STOP_SINCE)) {
            (1, _) => Stop::Yes,
            (0, 0) => Stop::No,
            _ => Stop::Unclear,
        }
    }

    /// The fields written once, or what is wrong with them.
    pub(crate) fn identity(&self) -> Result<Identity, String> {
        identity(&self.bytes(0))
    }

    /// The pointer to the published snapshot.
    pub(crate) fn current(&self) -> Current {
        let (mut generation, mut newest) = (0, None);
        for _ in 0..ATTEMPTS {
            generation = self.generation();
            newest = [0, 1]
                .into_iter()
                .filter_map(|parity| self.pointer(parity))
                .max_by_key(|found| found.generation);
            match newest {
                None if generation == 0 => return Current::Nothing,
                Some(pointer) if pointer.generation == generation && self.generation() == generation => {
                    return Current::Pointer(pointer);
                }
                _ => std::hint::spin_loop(),
            }
        }
        Current::Damaged(newest.map_or(generation, |newest| newest.generation.max(generation)), newest)
    }

    /// The pointer of even (0) or odd (1) generations, if it is valid.
    pub(crate) fn pointer(&self, parity: u64) -> Option<Pointer> {
        let at = POINTERS + (parity & 1) as usize * POINTER_SIZE;
        let bytes: [u8; POINTER_SIZE] = self.bytes(at);
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        let pointer = Pointer {
            generation: u64::from_le_bytes(part(&bytes, 0)),
            content: ContentId(part(&bytes, 8)),
            published_at: i64::from_le_bytes(part(&bytes, 24)),
            previous: u64::from_le_bytes(part(&bytes, 32)),
            previous_content: ContentId(part(&bytes, 40)),
        };
        let sound = xxh3_64(body) == u64::from_le_bytes(*sum) && pointer.generation % 2 == parity;
        (sound && pointer.generation > 0).then_some(pointer)
    }

    /// The killed flags. A slot that is being written is left out: the epoch moves when it is done.
    #[cfg(feature = "publisher")]
    pub(crate) fn killed(&self) -> Vec<Killed> {
        (0..SLOT_COUNT).filter_map(|slot| self.killed_in(slot)).collect()
    }

    /// Kills that are over, as far as their slots were not used again.
    #[cfg(feature = "publisher")]
    pub(crate) fn revived(&self) -> Vec<Killed> {
        let slots = (0..SLOT_COUNT).filter_map(|slot| self.kill_slot(slot));
        slots.filter(|slot| slot.sequence.is_multiple_of(2)).filter_map(|slot| slot.flag).collect()
    }

    #[cfg(feature = "publisher")]
    pub(crate) fn killed_in(&self, slot: usize) -> Option<Killed> {
        let found = self.kill_slot(slot)?;
        found.flag.filter(|_| found.sequence % 2 == 1)
    }

    /// Content of a slot; none if it changed while it was read.
    pub(crate) fn kill_slot(&self, slot: usize) -> Option<KillSlot> {
        let at = SLOTS + slot * SLOT_SIZE;
        let sequence = self.load(at);
        if sequence == 0 {
            return Some(KillSlot { sequence, flag: None });
        }
        let bytes: [u8; SLOT_SIZE] = self.bytes(at);
        (self.load(at) == sequence).then(|| KillSlot { sequence, flag: killed(&bytes) })
    }

    /// The reason why the slots do not tell which flags are killed; none if they do. `slots` are all that could be read.
    pub(crate) fn doubt<'a>(&self, slots: impl Iterator<Item = &'a KillSlot>) -> Option<String> {
        Some(self.damaged(slots)).filter(|damaged| *damaged > 0).map(doubt_text)
    }

    /// Number of damaged slots; `slots` are all that could be read.
    ///
    /// Zeros would mean that none is killed, so the number of slots ever used is stored beside them.
    pub(crate) fn damaged<'a>(&self, slots: impl Iterator<Item = &'a KillSlot>) -> u64 {
        let (mut unused, mut torn) = (0, 0);
        for slot in slots {
            // A slot whose writer died after claiming it is not counted as used either.
            unused += u64::from(slot.sequence & !CLAIMED == 0);
            torn += u64::from(slot.is_torn());
        }
        let used = (SLOT_COUNT as u64).saturating_sub(unused);
        let emptied = (self.load(SLOTS_USED) & !COUNTED).saturating_sub(used);
        emptied.min(SLOT_COUNT as u64) + torn
    }

    /// Reliability of the slots, given the result of [`doubt`](Self::doubt).
    pub(crate) fn told(&self, doubt: Option<&String>) -> SlotsTrust {
        match (doubt, self.load(SLOTS_USED) & COUNTED) {
            (Some(_), _) => SlotsTrust::No,
            (None, 0) => SlotsTrust::Likely,
            (None, _) => SlotsTrust::Surely,
        }
    }

    /// All kill slots that can be read.
    #[cfg(feature = "publisher")]
    pub(crate) fn slots(&self) -> Vec<KillSlot> {
        (0..SLOT_COUNT).filter_map(|slot| self.kill_slot(slot)).collect()
    }

    fn load(&self, offset: usize) -> u64 {
        self.page.words().get(offset / 8).map_or(0, |word| u64::from_le(word.load(Ordering::Acquire)))
    }

    /// Reads bytes from `offset` word by word: each word is consistent, the whole is not.
    fn bytes<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        let words = self.page.words().iter().skip(offset / 8);
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *chunk = word.load(Ordering::Acquire).to_ne_bytes();
        }
        bytes
    }
}

/// The state of a head with that many damaged kill slots, and the way out of it.
fn doubt_text(damaged: u64) -> String {
    format!(
        "{damaged} of its kill slots are damaged, so which flags are killed is not known: workers that start now have everything off. \
         Type `flagstone resume-all`: it says which kills the audit trail has, and what to type then"
    )
}

/// The state of a head that is [`Current::Damaged`], and the way out of it. `is_kept`: the snapshot of that generation is there.
pub(crate) fn damaged_text(generation: u64, other: Option<&Pointer>, is_kept: bool) -> String {
    let mends = "the next publish, rollback or change of a flag mends it";
    match other {
        Some(newest) if newest.generation == generation => {
            format!(
                "it names an older generation than {generation}, which was published last and answers; {mends}"
            )
        }
        _ if is_kept => {
            format!(
                "its pointer to generation {generation} is not valid; the snapshot of that number answers; {mends}"
            )
        }
        other => {
            let (answers, mends) = match other {
                Some(Pointer { generation, .. }) => {
                    (format!("generation {generation}"), format!("rollback --to {generation}"))
                }
                None => ("nothing".to_owned(), "publish FILE --reset all".to_owned()),
            };
            format!(
                "its pointer to generation {generation} is not valid, and no snapshot of generation {generation} is there: in workers that start \
                 {answers} answers. Type at once `flagstone kill FLAG` for what is to stay off; `flagstone {mends}` mends it"
            )
        }
    }
}

/// Decodes the fields written once, and checks them.
pub(crate) fn identity(bytes: &[u8; FIXED_SIZE]) -> Result<Identity, String> {
    if part(bytes, 0) != MAGIC {
        return Err(format!("it starts with {:02x?}, which no head does", part::<8>(bytes, 0)));
    }
    let major = u16::from_le_bytes(part(bytes, 8));
    if major != MAJOR {
        return Err(format!(
            "store format {major}, this build reads {MAJOR}; use the version that made the store"
        ));
    }
    let size = u32::from_le_bytes(part(bytes, 12));
    if size as usize != PAGE_SIZE {
        return Err(format!("it says that it has {size} bytes, expected {PAGE_SIZE}"));
    }
    let (found, expected) = (u64::from_le_bytes(part(bytes, 248)), xxh3_64(bytes.get(..248).unwrap_or(&[])));
    if found != expected {
        return Err(format!("checksum {found:016x}, expected {expected:016x}: bytes were damaged"));
    }
    let length = usize::try_from(u64::from_le_bytes(part(bytes, 40))).unwrap_or(usize::MAX);
    let name = bytes.get(48..48 + ENVIRONMENT_SIZE).and_then(|name| name.get(..length)).unwrap_or(&[]);
    match std::str::from_utf8(name) {
        Ok(environment) if environment_name(environment) => Ok(Identity {
            store: part(bytes, 16),
            created: i64::from_le_bytes(part(bytes, 32)),
            environment: environment.to_owned(),
        }),
        _ => Err(format!("its environment's name is not valid: {:?}", String::from_utf8_lossy(name))),
    }
}

/// The flag of a slot, if the checksum of its bytes matches.
fn killed(bytes: &[u8; SLOT_SIZE]) -> Option<Killed> {
    let (body, sum) = bytes.get(8..)?.split_last_chunk::<8>()?;
    if xxh3_64(body) != u64::from_le_bytes(*sum) {
        return None;
    }
    let length = usize::try_from(u64::from_le_bytes(part(bytes, 16))).ok()?;
    // A slot is as it was written, or revived since: no other sequence fits its bytes. Slots from before that field have zero.
    let (sequence, written) = (u64::from_le_bytes(part(bytes, 0)), u64::from_le_bytes(part(bytes, WRITTEN)));
    if written != 0 && sequence != written && sequence != written.wrapping_add(1) {
        return None;
    }
    let key = bytes.get(24..24 + KEY_SIZE)?.get(..length).filter(|key| !key.is_empty())?;
    Some(Killed { key: key.to_vec(), since: i64::from_le_bytes(part(bytes, 8)) })
}

/// True if `name` is `[a-z][a-z0-9_-]{0,63}`.
pub(crate) fn environment_name(name: &str) -> bool {
    name.len() <= ENVIRONMENT_SIZE
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

/// Copies `N` bytes from `at`; zeros if there are fewer.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}

/// Changes of the head, under the lock.
#[cfg(feature = "publisher")]
#[allow(clippy::indexing_slicing, reason = "of arrays, by the format's own offsets; no worker does it")]
impl Head {
    /// Touches every page, so that pages missing from the file are found before anything is changed.
    pub(crate) fn read_whole(&self) {
        for offset in (0..PAGE_SIZE).step_by(4_096) {
            std::hint::black_box(self.load(offset));
        }
    }

    /// Rewrites a word of every page with its own value, so that a lack of room on the file system is found before it matters.
    pub(crate) fn write_whole(&self) {
        for offset in (0..PAGE_SIZE).step_by(4_096) {
            if let Some(word) = self.page.words().get(offset / 8) {
                word.fetch_add(0, Ordering::AcqRel);
            }
        }
    }

    /// The bytes of a new head.
    pub(crate) fn blank(identity: &Identity) -> Vec<u8> {
        let name = identity.environment.as_bytes();
        let mut bytes = vec![0; PAGE_SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &MAJOR.to_le_bytes());
        put(12, &(PAGE_SIZE as u32).to_le_bytes());
        put(16, &identity.store);
        put(32, &identity.created.to_le_bytes());
        put(40, &(name.len() as u64).to_le_bytes());
        put(48, name);
        let sum = xxh3_64(&bytes[..248]);
        bytes[248..256].copy_from_slice(&sum.to_le_bytes());
        bytes[SLOTS_USED..][..8].copy_from_slice(&COUNTED.to_le_bytes());
        bytes
    }

    /// Makes `pointer` the current one. The parity of its generation must not be the one in use.
    pub(crate) fn switch(&self, pointer: &Pointer) {
        let mut bytes = [0; POINTER_SIZE];
        bytes[0..8].copy_from_slice(&pointer.generation.to_le_bytes());
        bytes[8..24].copy_from_slice(&pointer.content.0);
        bytes[24..32].copy_from_slice(&pointer.published_at.to_le_bytes());
        bytes[32..40].copy_from_slice(&pointer.previous.to_le_bytes());
        bytes[40..56].copy_from_slice(&pointer.previous_content.0);
        let sum = xxh3_64(&bytes[..56]);
        bytes[56..].copy_from_slice(&sum.to_le_bytes());
        self.store_bytes(POINTERS + (pointer.generation % 2) as usize * POINTER_SIZE, &bytes);
        self.store(GENERATION, pointer.generation);
        self.touch();
    }

    /// Makes every reader look again.
    ///
    /// Atomic: an emergency change does not always hold the lock, and must not lose the notice of another change.
    pub(crate) fn touch(&self) {
        self.add_one(EPOCH);
    }

    fn add_one(&self, offset: usize) {
        let add = |count: u64| Some(u64::from_le(count).wrapping_add(1).to_le());
        let _ = self.page.words()[offset / 8].fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }

    /// Kills a flag that is not killed; false if there is no free slot.
    ///
    /// Without the lock, other processes may write slots too: such a kill takes a slot that was never used, from the end, by one atomic
    /// step.
    pub(crate) fn kill(&self, key: &[u8], since: i64, locked: bool) -> bool {
        let unused = |slot: &usize| self.load(SLOTS + slot * SLOT_SIZE) == 0;
        // The content of a damaged slot is unknown: no kill takes it.
        let free = |slot: &usize| {
            self.kill_slot(*slot).is_some_and(|slot| {
                slot.sequence.is_multiple_of(2) && (slot.sequence == 0 || slot.flag.is_some())
            })
        };
        // Claimed by a process that died while writing it, or that writes it now without the lock.
        let claimed = |slot: &usize| is_claimed(self.load(SLOTS + slot * SLOT_SIZE));
        let slots = 0..SLOT_COUNT;
        let last = || slots.clone().rev().filter(unused).find(|slot| self.claim(*slot));
        let first = || slots.clone().filter(free).find(|slot| self.claim(*slot));
        let found = if locked { first() } else { last().or_else(first) };
        let Some(slot) = found.or_else(|| slots.clone().find(claimed)) else { return false };
        self.write_slot(slot, key, since, 1);
        self.touch();
        true
    }

    /// Claims a free slot atomically; false if another process was faster.
    fn claim(&self, slot: usize) -> bool {
        let at = SLOTS + slot * SLOT_SIZE;
        let found = self.load(at);
        found.is_multiple_of(2)
            && !is_claimed(found)
            && self.exchange(at, found, CLAIMED | found & u64::from(u32::MAX))
    }

    /// Writes a slot; its sequence becomes the next odd (1) or even (0) one.
    fn write_slot(&self, slot: usize, key: &[u8], since: i64, parity: u64) {
        let at = SLOTS + slot * SLOT_SIZE;
        // Even: no kill is written over.
        let before = self.load(at) & u64::from(u32::MAX) & !1;
        // Readers ignore it until its bytes are consistent.
        self.store(at, CLAIMED | before);
        let next = before + 1;
        let next = if next % 2 == parity { next } else { next + 1 };
        let mut bytes = [0; SLOT_SIZE];
        bytes[8..16].copy_from_slice(&since.to_le_bytes());
        bytes[16..24].copy_from_slice(&(key.len() as u64).to_le_bytes());
        bytes[24..24 + key.len()].copy_from_slice(key);
        bytes[WRITTEN..][..8].copy_from_slice(&next.to_le_bytes());
        let sum = xxh3_64(&bytes[8..248]);
        bytes[248..].copy_from_slice(&sum.to_le_bytes());
        self.store_bytes(at + 8, &bytes[8..]);
        self.store(at, next);
        if before == 0 {
            self.add_one(SLOTS_USED);
        }
    }

    /// Accepts the slots as they are: damaged ones become empty. False if none was damaged.
    pub(crate) fn settle_slots(&self) -> bool {
        if self.damaged(self.slots().iter()) == 0 {
            return false;
        }
        let mut used = 0;
        for slot in 0..SLOT_COUNT {
            let at = SLOTS + slot * SLOT_SIZE;
            if self.kill_slot(slot).is_some_and(|slot| slot.is_torn()) {
                self.write_slot(slot, DAMAGED, 0, 0);
            }
            used += u64::from(self.load(at) & !CLAIMED != 0);
        }
        self.store(SLOTS_USED, COUNTED | used);
        self.touch();
        true
    }

    /// Revives a flag; false if it was not killed.
    pub(crate) fn revive(&self, key: &[u8]) -> bool {
        let mut revived = false;
        for slot in 0..SLOT_COUNT {
            if self.killed_in(slot).is_some_and(|killed| killed.key == key) {
                let at = SLOTS + slot * SLOT_SIZE;
                let killed = self.load(at);
                // Skipped if another process writes that slot at this moment, as emergency changes do without the lock.
                revived |= killed % 2 == 1 && self.exchange(at, killed, killed.wrapping_add(1));
            }
        }
        self.touch();
        revived
    }

    /// Stops everything. Later than the last stop ended, for workers that hold it, whatever the clock said then.
    pub(crate) fn stop(&self, since: i64) {
        let (_, ended) = self.stop_times();
        self.store(STOP_SINCE, since.max(ended.saturating_add(1)).cast_unsigned());
        self.store(STOP, 1);
        self.touch();
    }

    /// Ends the stop. Later than it began, so that workers that hold it see its end, whatever the clock says.
    pub(crate) fn resume(&self, now: i64) {
        let (since, _) = self.stop_times();
        self.store(RESUMED, now.max(since.saturating_add(1)).cast_unsigned());
        self.store(STOP_SINCE, 0);
        self.store(STOP, 0);
        self.touch();
    }

    /// Lower bound of the number of audit records, and the first bytes of the hash of the last one counted.
    pub(crate) fn audited(&self) -> (u64, u64) {
        (self.load(AUDIT_RECORDS), self.load(AUDIT_HASH))
    }

    pub(crate) fn set_audited(&self, records: u64, hash: u64) {
        self.store(AUDIT_HASH, hash);
        self.store(AUDIT_RECORDS, records);
    }

    /// Number of the newest published release; 0 if none was named.
    pub(crate) fn release(&self) -> u64 {
        self.load(RELEASE)
    }

    pub(crate) fn set_release(&self, release: u64) {
        self.store(RELEASE, release);
    }

    fn exchange(&self, offset: usize, found: u64, value: u64) -> bool {
        let word = &self.page.words()[offset / 8];
        word.compare_exchange(found.to_le(), value.to_le(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn store(&self, offset: usize, value: u64) {
        self.page.words()[offset / 8].store(value.to_le(), Ordering::Release);
    }

    fn store_bytes(&self, offset: usize, bytes: &[u8]) {
        let words = self.page.words().iter().skip(offset / 8);
        for (chunk, word) in bytes.as_chunks::<8>().0.iter().zip(words) {
            word.store(u64::from_ne_bytes(*chunk), Ordering::Release);
        }
    }
}
