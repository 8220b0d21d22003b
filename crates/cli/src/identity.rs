//! The user that a command works as.
//!
//! Root never acts as root in another user's store. Before anything of such a store is read, the process becomes the store's
//! owner for good: whatever the owner has put there, it is used with the owner's rights. What root typed is opened before that
//! ([`inputs`](crate::inputs)), or stays with a process of root's that reads nothing of the store
//! ([`privileged`](crate::privileged)).

use crate::args::{Arguments, Word};
use crate::entry::PASS;
use crate::output::Failure;
use crate::{inputs, place, privileged, words};
use flagstone::store::{
    Account, Actor, Store, StoreError, close_directories, group_number, no_member, owner_of,
};
use rustix::fs::{CWD, Mode, openat};
use rustix::process::geteuid;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The account that root became; none where the process is still who started it.
static BECAME: OnceLock<Account> = OnceLock::new();

/// The account that root became, if it did.
pub fn became() -> Option<&'static Account> {
    BECAME.get()
}

/// Becomes the owner of the store that was named, where root runs this and the owner is another user.
///
/// # Errors
///
/// When the process could not become that user, or could go back.
pub fn assume(arguments: &Arguments) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Some(store) = store(arguments) else { return Ok(()) };
    // Nothing of the store is read. Where it is not there, or not a directory, its opening says so.
    let Ok(directory) = openat(CWD, &store, PASS, Mode::empty()).map(File::from) else { return Ok(()) };
    let Ok(found) = directory.metadata() else { return Ok(()) };
    let owner = owner_of(&directory, found.dev(), found.uid());
    if owner == 0 {
        return Ok(());
    }
    let mut account = Account::of(owner);
    if let Word::Migrate(word) = &arguments.word {
        let readers = word.readers.as_deref().and_then(|name| Some((name, group_number(name)?)));
        if let (Some(own), Some((name, group))) = (account.gid, readers)
            && own != group
            && !account.groups.contains(&group)
        {
            return Err(Failure::changing(no_member(&account, name)));
        }
        // What members of a former group of publishers wrote, only they can open.
        account.groups.push(found.gid());
    }
    Actor::remember(&account);
    let written = inputs::open_all(arguments);
    let failed = |error: io::Error| {
        Failure::Unknown(format!(
            "{} belongs to user {}, and root could not become that user: {error}; type: sudo -u {} flagstone …",
            words::plain(&store.to_string_lossy()),
            account.uid,
            words::plain(&sudo(&account)),
        ))
    };
    privileged::start(arguments, &store, written).map_err(failed)?;
    // From then on the owner can look into what this process starts.
    let group = found.gid().to_string();
    let readers = match &arguments.word {
        Word::Migrate(word) => word.readers.as_deref(),
        Word::Init(word) => word.readers.as_deref(),
        _ => None,
    };
    match &arguments.word {
        Word::Migrate(_) | Word::Init(_) | Word::Doctor(_) => {
            close_directories(&[Some(&*group), readers].into_iter().flatten().collect::<Vec<_>>());
        }
        _ => close_directories(&[]),
    }
    drop_to(&account, account.group_or(found.gid())).map_err(failed)?;
    let _ = BECAME.set(account);
    Ok(())
}

/// Opens a store. Root opens no store of another user: by now it is that user, or the path led elsewhere meanwhile.
///
/// # Errors
///
/// As [`Store::open`], and when root would act in another user's store.
pub fn open(directory: &Path) -> Result<Store, StoreError> {
    let store = Store::open(directory)?;
    let owner = store.judged_owner();
    match geteuid().is_root() && owner != 0 {
        true => Err(StoreError::Refused(format!(
            "{} belongs to user {owner}, and root works in no store but its own; type: sudo -u {} flagstone …",
            words::plain(&store.directory().to_string_lossy()),
            words::plain(&sudo(&Account::of(owner))),
        ))),
        false => Ok(store),
    }
}

/// Whether this process may change the store, as far as its owner and its group of publishers tell.
pub fn may_change(store: &Store) -> bool {
    geteuid().as_raw() == store.judged_owner() || store.publishers().is_ok_and(|group| group.is_some())
}

/// As [`open`], for a store that is opened as a worker opens it.
///
/// # Errors
///
/// When root would read another user's store as root.
pub fn admit(directory: &Path) -> Result<(), StoreError> {
    match geteuid().is_root() {
        true => open(directory).map(drop),
        false => Ok(()),
    }
}

/// The account as `sudo -u` takes it.
fn sudo(account: &Account) -> String {
    match account.gid {
        Some(_) => account.name.clone(),
        None => format!("'#{}'", account.uid),
    }
}

/// The store that the command works on; none for one that works on files alone.
fn store(arguments: &Arguments) -> Option<PathBuf> {
    let in_file = match &arguments.word {
        Word::Check(_)
        | Word::Add(_)
        | Word::Scan(_)
        | Word::Verify(_)
        | Word::Completions(_)
        | Word::Man(_) => true,
        Word::Enable(word) => word.changing.file.is_some(),
        Word::Disable(word) => word.changing.file.is_some(),
        Word::Rollout(word) => word.changing.file.is_some(),
        Word::Allow(word) | Word::Deny(word) | Word::Forget(word) => word.changing.file.is_some(),
        Word::Inspect(word) => word.file.is_some(),
        _ => false,
    };
    if in_file {
        return None;
    }
    match &arguments.word {
        Word::Init(word) => word.directory.clone().or_else(|| place::directory(arguments).ok()),
        _ => place::directory(arguments).ok(),
    }
}

/// Changes the whole process to that user and group, with no way back, and keeps that user from looking into it.
#[cfg(target_os = "linux")]
fn drop_to(account: &Account, group: u32) -> io::Result<()> {
    use rustix::fs::Mode;
    use rustix::process::{DumpableBehavior, set_dumpable_behavior, umask};
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    // Root's session holds keys that whoever is in it can read. A kernel without key rings has none.
    // SAFETY: the arguments are a number and no name, which makes a new ring.
    unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>())
    };
    let user = account.uid;
    // Not a group of root's: /etc/group may name anybody.
    let groups: Vec<libc::gid_t> = account.groups.iter().copied().filter(|group| *group != 0).collect();
    // SAFETY: the pointer is to as many group numbers as are named.
    succeeded(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: takes numbers only; unlike a bare system call it changes every thread.
    succeeded(unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: as above.
    succeeded(unsafe { libc::setresuid(user, user, user) })?;
    // Changing the user takes the capabilities away, but where a parent has forbidden that.
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    umask(Mode::from_raw_mode(0o077));
    let back = |changed: libc::c_int| match changed {
        -1 => Ok(()),
        _ => Err(io::Error::other("the way back to root is open")),
    };
    let keep = libc::uid_t::MAX;
    // SAFETY: takes numbers only. It is expected to fail.
    back(unsafe { libc::setresuid(keep, 0, keep) })?;
    if group != 0 {
        // SAFETY: as above.
        back(unsafe { libc::setresgid(keep, 0, keep) })?;
    }
    // SAFETY: the pointer is to one group number. It is expected to fail.
    back(unsafe { libc::setgroups(1, [0].as_ptr()) })
}

#[cfg(target_os = "linux")]
fn succeeded(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn drop_to(_: &Account, _: u32) -> io::Result<()> {
    Err(io::Error::other("this system has no way to change the user of a whole process for good"))
}
