//! The audit trail: a line of JSON for each change, each with the hash of the one before.
//!
//! `hash` is always the last field: the SHA-256 of the line up to the comma in front of it, so that
//! `sed 's/,"hash":.*//' | tr -d '\n' | sha256sum` computes it. The head remembers how many records there are and the
//! last one's hash, so that an end cut off is noticed as well. Text is escaped so far that no terminal and
//! no log viewer takes a part of it for anything but text.

use super::actor::Actor;
use super::differences::{Difference, cut};
use crate::error::StoreError;
use crate::files::{Access, Folder, Modes, StoreFile};
use crate::guard::{Finding, NoticeKind};
use crate::snapshot::Audited;
use crate::store::head::Head;
use crate::store::layout::AUDIT;
use crate::text::deceives;
use crate::time::format_rfc3339;
use crate::transfer::Origin;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Longest line, in bytes.
pub(crate) const LINE_LIMIT: usize = 1 << 20;
/// Bytes that hold the last record, unless that is a long one.
const SHORT_TAIL: u64 = 1 << 16;
/// The largest trail that is read, in bytes: ten million changes and more.
const TRAIL_LIMIT: u64 = 16 << 30;
/// Differences written out in one record.
const DIFFERENCES: usize = 200;
/// Bytes of JSON written out for one value of a difference.
const VALUE_LIMIT: usize = 512;
const REASON_LIMIT: usize = 4_096;
/// Stands for the hash before the first record.
pub(crate) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "they are the command's names")]
pub enum Action {
    Init,
    Publish,
    Enable,
    Disable,
    Rollout,
    Allow,
    Deny,
    Forget,
    Delete,
    Rollback,
    Promote,
    Import,
    Kill,
    Revive,
    StopAll,
    ResumeAll,
    PlanStart,
    PlanStage,
    PlanHold,
    PlanResume,
    PlanAdvance,
    PlanAbort,
    PlanBack,
    PlanDone,
    Guard,
    GuardPause,
    GuardResume,
    Note,
    Pull,
    KeyTrust,
    KeyForget,
    Migrate,
}

impl Action {
    /// True for the change of one flag by a command, published at once.
    pub fn is_edit(self) -> bool {
        use Action::{Allow, Delete, Deny, Disable, Enable, Forget, Rollout};
        matches!(self, Enable | Disable | Rollout | Allow | Deny | Forget | Delete)
    }

    /// True for a step of a flag's rollout plan, published at once.
    pub fn is_plan(self) -> bool {
        use Action::{
            PlanAbort, PlanAdvance, PlanBack, PlanDone, PlanHold, PlanResume, PlanStage, PlanStart,
        };
        matches!(
            self,
            PlanStart | PlanStage | PlanHold | PlanResume | PlanAdvance | PlanAbort | PlanBack | PlanDone
        )
    }

    /// The name of the command.
    pub fn name(self) -> &'static str {
        match self {
            Action::Init => "init",
            Action::Publish => "publish",
            Action::Enable => "enable",
            Action::Disable => "disable",
            Action::Rollout => "rollout",
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Forget => "forget",
            Action::Delete => "delete",
            Action::Rollback => "rollback",
            Action::Promote => "promote",
            Action::Import => "import",
            Action::Kill => "kill",
            Action::Revive => "revive",
            Action::StopAll => "stop-all",
            Action::ResumeAll => "resume-all",
            Action::PlanStart => "plan start",
            Action::PlanStage => "plan stage",
            Action::PlanHold => "plan hold",
            Action::PlanResume => "plan resume",
            Action::PlanAdvance => "plan advance",
            Action::PlanAbort => "plan abort",
            Action::PlanBack => "plan back",
            Action::PlanDone => "plan done",
            Action::KeyTrust => "key trust",
            Action::KeyForget => "key forget",
            Action::Migrate => "migrate",
            Action::Guard => "guard",
            Action::GuardPause => "guard pause",
            Action::GuardResume => "guard resume",
            Action::Note => "note",
            Action::Pull => "pull",
        }
    }
}

/// State of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Written before the change. Without a record that refers to this one, the process died on the way.
    Intended,
    /// The change was made.
    Done,
    /// Given up; nothing was changed.
    Failed,
}

/// Bytes after the previous record that form no record: a writer died in the middle of its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Torn {
    /// Number of bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

pub use crate::merge::PulledField;

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the record: 1, 2, 3, …
    pub seq: u64,
    /// Time in RFC 3339.
    pub at: String,
    /// Person and account that made the change.
    pub actor: Actor,
    /// Environment of the store.
    pub environment: String,
    /// Kind of the change.
    pub action: Action,
    /// `intended`, `done` or `failed`.
    pub outcome: Outcome,
    /// Number of the record of the intention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intention: Option<u64>,
    /// The flag killed, revived, or changed by a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Stage of the flag's plan after this, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,
    /// Reason given for the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The generation current before.
    pub from: u64,
    /// The generation current after.
    pub to: u64,
    /// Content of the generation `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// True of a kill or a stop that changed nothing: the flag was killed, or everything stopped, already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// Generation whose content a rollback brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<u64>,
    /// Origin of promoted or imported flags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The release that a file belongs to, if the publisher named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// The path of the file that was published, if the publisher named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The commit that a file belongs to, if the publisher named one and it is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Finding of the guard, if it made the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Finding>,
    /// Notice of the guard, if it changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeKind>,
    /// Beginning of the harm that a notice without a finding is of, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Fields that `pull` wrote into a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pulled: Vec<PulledField>,
    /// The first differences, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Number of differences left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_differences: u64,
    /// Error text of a failed change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Torn bytes between the previous record and this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
    /// Hash of the record before.
    pub prev: String,
}

impl Record {
    /// A record with actor, action, time and outcome; `at` is in microseconds since 1970. All else is empty.
    pub fn new(at: i64, actor: Actor, environment: &str, action: Action, outcome: Outcome) -> Record {
        Record {
            seq: 0,
            at: format_rfc3339(at),
            actor,
            environment: environment.to_owned(),
            action,
            outcome,
            intention: None,
            flag: None,
            stage: None,
            reason: None,
            from: 0,
            to: 0,
            content: None,
            unchanged: false,
            rolled_back_to: None,
            origin: None,
            release: None,
            commit: None,
            file: None,
            guard: None,
            notice: None,
            since: None,
            pulled: Vec::new(),
            differences: Vec::new(),
            more_differences: 0,
            error: None,
            torn: None,
            prev: String::new(),
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Opens the trail for reading; none if it does not exist.
pub(crate) fn open_trail(store: &Folder) -> Result<Option<StoreFile>, StoreError> {
    let Some(opened) = store.open(AUDIT, "open the audit trail", Access::Read)? else { return Ok(None) };
    let length = opened.metadata.len();
    if length > TRAIL_LIMIT {
        let problem = format!("found {length} bytes, expected at most {TRAIL_LIMIT}");
        return Err(StoreError::Mismatch { path: store.path().join(AUDIT), problem });
    }
    Ok(Some(opened))
}

/// Calls `each` with every valid record, in the order of the file.
pub(crate) fn each_record(store: &Folder, mut each: impl FnMut(&Record)) -> Result<(), StoreError> {
    let Some(opened) = open_trail(store)? else { return Ok(()) };
    let mut reader = BufReader::new(opened.file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(LINE_LIMIT as u64);
        let read = bounded.read_until(b'\n', &mut line);
        if read.map_err(|source| unread(store, source))? == 0 {
            return Ok(());
        }
        if let Some((record, _)) = parse_line(line.strip_suffix(b"\n").unwrap_or(&line)) {
            each(&record);
        }
    }
}

/// The valid records in the last `bytes` of the trail.
pub(crate) fn last_records(store: &Folder, bytes: u64) -> Result<Vec<Record>, StoreError> {
    Ok(last_lines(store, bytes)?
        .split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .map(|(record, _)| record)
        .collect())
}

/// The last valid record; none if the end of the trail has none.
pub(crate) fn last_record(store: &Folder) -> Result<Option<Record>, StoreError> {
    for bytes in [SHORT_TAIL, 2 * LINE_LIMIT as u64] {
        let lines = last_lines(store, bytes)?;
        if let Some((record, _)) = lines.rsplit(|byte| *byte == b'\n').find_map(parse_line) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn last_lines(store: &Folder, bytes: u64) -> Result<Vec<u8>, StoreError> {
    let Some(opened) = open_trail(store)? else { return Ok(Vec::new()) };
    let from = opened.metadata.len().saturating_sub(bytes);
    let mut file = opened.file;
    let mut lines = Vec::new();
    let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(bytes).read_to_end(&mut lines));
    read.map_err(|source| unread(store, source))?;
    Ok(lines)
}

fn unread(store: &Folder, source: io::Error) -> StoreError {
    StoreError::io("read the audit trail", &store.path().join(AUDIT), source)
}

/// True if the head does not know the trail's last record. A head that counts none tells nothing.
pub(crate) fn is_ahead(last: u64, head: &Head) -> bool {
    let (known, _) = head.audited();
    known > 0 && last > known
}

/// An audit trail opened for one record, under the lock of the head.
pub(crate) struct Audit<'a> {
    file: File,
    path: PathBuf,
    head: &'a Head,
    tail: Tail,
}

/// The end of an audit trail.
struct Tail {
    length: u64,
    seq: u64,
    hash: String,
    torn: Option<Torn>,
    /// The last line is a record without its newline.
    unfinished: bool,
}

impl<'a> Audit<'a> {
    /// Opens the trail, or makes it.
    pub(crate) fn open(store: &Folder, modes: &Modes, head: &'a Head) -> Result<Audit<'a>, StoreError> {
        let path = store.path().join(AUDIT);
        let failed = |source| StoreError::io("open the audit trail", &path, source);
        let file = match store.open(AUDIT, "open the audit trail", Access::Append)? {
            Some(opened) => opened.file,
            None => {
                let file = store.create(AUDIT).map_err(failed)?;
                modes.apply(&file, modes.audit()).map_err(failed)?;
                file
            }
        };
        let tail = tail(&file).map_err(failed)?;
        Ok(Audit { file, path, head, tail })
    }

    /// Opens the trail to see what it holds; none if there is none.
    pub(crate) fn read(store: &Folder, head: &'a Head) -> Result<Option<Audit<'a>>, StoreError> {
        let Some(opened) = open_trail(store)? else { return Ok(None) };
        let tail = tail(&opened.file).map_err(|source| unread(store, source))?;
        Ok(Some(Audit { file: opened.file, path: store.path().join(AUDIT), head, tail }))
    }

    /// True if it holds records that the head does not know: the head went back, or the writer of the last one died before it was counted.
    pub(crate) fn is_ahead(&self) -> bool {
        is_ahead(self.tail.seq, self.head)
    }

    /// Has the head know of all records that are there.
    pub(crate) fn count(&self) {
        self.head.set_audited(self.tail.seq, anchor(&self.tail.hash));
    }

    /// Writes a record and waits for the disk. Returns its number and hash.
    pub(crate) fn append(self, mut record: Record) -> Result<Audited, StoreError> {
        let (known, _) = self.head.audited();
        // If the head knows of more records, the missing ones leave a visible gap.
        record.seq = self.tail.seq.max(known) + 1;
        record.prev.clone_from(&self.tail.hash);
        record.torn.clone_from(&self.tail.torn);
        let broken = self.tail.torn.is_some() || self.tail.unfinished;
        let (mut line, hash) = record_line(&mut record);
        if broken {
            line.insert(0, '\n');
        }
        let length = self.tail.length;
        let written = self.file.write_all_at(line.as_bytes(), length).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            let _ = self.file.set_len(length);
            return Err(StoreError::io("write the audit trail", &self.path, source));
        }
        self.head.set_audited(record.seq, anchor(&hash));
        Ok(Audited { record: record.seq, hash })
    }
}

/// The first bytes of a hash, as the head keeps them.
pub(crate) fn anchor(hash: &str) -> u64 {
    hash.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// The line of a record with its newline, and its hash.
fn record_line(record: &mut Record) -> (String, String) {
    if let Some(reason) = &mut record.reason {
        cut(reason, REASON_LIMIT);
    }
    record.more_differences += record.differences.len().saturating_sub(DIFFERENCES) as u64;
    record.differences.truncate(DIFFERENCES);
    // A command changes few values, none of them long.
    for difference in
        record.differences.iter_mut().filter(|_| !record.action.is_edit() && !record.action.is_plan())
    {
        difference.shorten(VALUE_LIMIT);
    }
    let mut body = body(record);
    if body.len() > LINE_LIMIT / 2 {
        record.more_differences += record.differences.len() as u64;
        record.differences.clear();
        body = self::body(record);
    }
    let hash = sha256(body.as_bytes());
    let _ = writeln!(body, ",\"hash\":\"{hash}\"}}");
    (body, hash)
}

/// A record's JSON without the closing brace.
fn body(record: &Record) -> String {
    // A record always fits JSON: its maps have string keys and its floats were JSON before.
    let json = serde_json::to_string(record).unwrap_or_else(|_| String::from("{}"));
    let mut safe = String::with_capacity(json.len());
    for c in json.strip_suffix('}').unwrap_or(&json).chars() {
        // JSON escapes characters below U+0020 itself.
        if deceives(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Parses a line into a record and its hash, if the hash is right.
pub(crate) fn parse_line(line: &[u8]) -> Option<(Record, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let (body, hash) = text.rsplit_once(",\"hash\":\"")?;
    let hash = hash.strip_suffix("\"}")?;
    if sha256(body.as_bytes()) != hash {
        return None;
    }
    let record = serde_json::from_str(&format!("{body}}}")).ok()?;
    Some((record, hash.to_owned()))
}

fn tail(file: &File) -> io::Result<Tail> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(2 * LINE_LIMIT as u64);
    let mut bytes = vec![0; (length - from) as usize];
    file.read_exact_at(&mut bytes, from)?;
    // Find the last valid record; the bytes behind it are none.
    let mut end = bytes.len();
    loop {
        let start = bytes[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if let Some((record, hash)) = parse_line(&bytes[start..end]) {
            let rest = &bytes[(end + 1).min(bytes.len())..];
            let unfinished = end == bytes.len();
            return Ok(Tail { length, seq: record.seq, hash, torn: torn(rest), unfinished });
        }
        if start == 0 {
            return Ok(Tail {
                length,
                seq: 0,
                hash: NO_HASH.to_owned(),
                torn: torn(&bytes),
                unfinished: false,
            });
        }
        end = start - 1;
    }
}

fn torn(bytes: &[u8]) -> Option<Torn> {
    (!bytes.is_empty()).then(|| Torn { bytes: bytes.len() as u64, sha256: sha256(bytes) })
}
