//! The user as whom a command works.
//!
//! Root never acts as root in another user's store. Before anything of such a store is read, the process becomes the store's
//! owner for good: whatever the owner has put there, it is used with the owner's rights. What root typed is opened before that
//! ([`inputs`](crate::inputs)), or stays with a process of root's that reads nothing of the store
//! ([`privileged`](crate::privileged)).

use crate::args::{self, Arguments};
use crate::entry::PASS;
use crate::output::Failure;
use crate::{display, inputs, privileged, store_view};
use flagstone::StoreError;
use flagstone::audit::Actor;
use flagstone::files::{
    Account, NOBODY, act_as_owner, close_directories, group_number, is_unmapped, owner_of,
};
use flagstone::publish::{Store, no_member};
use rustix::fs::{CWD, Mode, openat};
use rustix::process::geteuid;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The account that root became; none if the process is still the user who started it.
static BECAME: OnceLock<Account> = OnceLock::new();

/// The account that root became, if it did.
pub fn became() -> Option<&'static Account> {
    BECAME.get()
}

/// Becomes the owner of the named store, if root runs this and the owner is another user. `ahead` is what this process still does as
/// root, with the store's directory.
///
/// # Errors
///
/// When the process could not become that user, or could go back.
pub fn assume(arguments: &Arguments, ahead: fn(&Arguments, &Path)) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    store_view::machines_store();
    let Some(store) = store(arguments) else { return Ok(()) };
    // Nothing of the store is read. A store that is missing or no directory is reported when it is opened.
    let Ok(directory) = openat(CWD, &store, PASS, Mode::empty()).map(File::from) else { return Ok(()) };
    let Ok(found) = directory.metadata() else { return Ok(()) };
    let owner = owner_of(&directory, found.dev(), found.uid());
    if owner == NOBODY {
        return Err(Failure::changing(StoreError::Refused(format!(
            "{} is not trusted: its file system does not say what it is or who mounted it, so that nobody knows whose it is. Put the store \
             on a disk of this machine",
            display::plain(&store.to_string_lossy()),
        ))));
    }
    // No process can become a user that the namespace does not map. The consequence for the path is reported when it is opened.
    if owner == 0 || is_unmapped(owner) {
        return Ok(());
    }
    let mut account = Account::of(owner);
    if let args::Command::Migrate(command) = &arguments.command {
        let readers = command.readers.as_deref().and_then(|name| Some((name, group_number(name)?)));
        if let (Some(own), Some((name, group))) = (account.gid, readers)
            && own != group
            && !account.groups.contains(&group)
        {
            return Err(Failure::changing(no_member(&account, name)));
        }
        // Files of a former group of publishers can be opened only by its members.
        account.groups.push(found.gid());
    }
    Actor::remember(&account);
    act_as_owner(&sudo(&account));
    let written = inputs::open_all(arguments);
    let failed = |error: io::Error| {
        Failure::Unknown(format!(
            "{} belongs to user {}, and root could not become that user: {error}; type: sudo -u {} flagstone …",
            display::plain(&store.to_string_lossy()),
            account.uid,
            display::plain(&sudo(&account)),
        ))
    };
    ahead(arguments, &store);
    privileged::start(arguments, written).map_err(failed)?;
    // The owner can look into all that this process starts from here on.
    let group = found.gid().to_string();
    let readers = match &arguments.command {
        args::Command::Migrate(command) => command.readers.as_deref(),
        args::Command::Init(command) => command.readers.as_deref(),
        _ => None,
    };
    match &arguments.command {
        args::Command::Migrate(_) | args::Command::Init(_) | args::Command::Doctor(_) => {
            close_directories(&[Some(&*group), readers].into_iter().flatten().collect::<Vec<_>>());
        }
        _ => close_directories(&[]),
    }
    drop_to(&account, account.group()).map_err(failed)?;
    let _ = BECAME.set(account);
    Ok(())
}

/// Opens a store. Root opens no store of another user: by now it is that user, or the path led elsewhere meanwhile.
///
/// # Errors
///
/// The errors of [`Store::open`], and when root would act in another user's store.
pub fn open(directory: &Path) -> Result<Store, StoreError> {
    let store = Store::open(directory)?;
    let owner = store.judged_owner();
    if !geteuid().is_root() || owner == 0 {
        return Ok(store);
    }
    let path = display::plain(&store.directory().to_string_lossy()).into_owned();
    Err(StoreError::Refused(match is_unmapped(owner) {
        true => format!(
            "{path} belongs to a user that this user namespace does not map, and root works in no store but its own. Run it outside \
             of the namespace, as the store's owner"
        ),
        false => format!(
            "{path} belongs to user {owner}, and root works in no store but its own; type: sudo -u {} flagstone …",
            display::plain(&sudo(&Account::of(owner))),
        ),
    }))
}

/// True if this process may change the store, as far as its owner and its group of publishers tell.
pub fn may_change(store: &Store) -> bool {
    geteuid().as_raw() == store.judged_owner() || store.publishers().is_ok_and(|group| group.is_some())
}

/// Checks as [`open`] does, for a store that is opened as a worker opens it.
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

/// The beginning of a line that runs as that user: as root it would follow the links that the user put in the way, and run the user's
/// programs as root.
pub fn as_user(user: u32) -> String {
    match became().is_none() && geteuid().as_raw() == user {
        true => String::new(),
        false => format!("sudo -u {} ", sudo(&Account::of(user))),
    }
}

/// The account in the form that `sudo -u` takes.
fn sudo(account: &Account) -> String {
    match account.gid {
        Some(_) => display::argument(&account.name).into_owned(),
        None => format!("'#{}'", account.uid),
    }
}

/// The store of the command; none for a command on files alone.
pub fn store(arguments: &Arguments) -> Option<PathBuf> {
    let in_file = match &arguments.command {
        args::Command::Check(_)
        | args::Command::Add(_)
        | args::Command::Scan(_)
        | args::Command::Probe(_)
        | args::Command::Completions(_)
        | args::Command::Man(_) => true,
        args::Command::Enable(command) => command.changing.file.is_some(),
        args::Command::Disable(command) => command.changing.file.is_some(),
        args::Command::Rollout(command) => command.changing.file.is_some(),
        args::Command::Allow(command) | args::Command::Deny(command) | args::Command::Forget(command) => {
            command.changing.file.is_some()
        }
        args::Command::Inspect(command) => command.file.is_some(),
        _ => false,
    };
    if in_file {
        return None;
    }
    match &arguments.command {
        args::Command::Init(command) => {
            command.directory.clone().or_else(|| store_view::directory(arguments).ok())
        }
        _ => store_view::directory(arguments).ok(),
    }
}

/// Has root run a program as the owner of a file: in that user's group, in none of root's, without capabilities, without the keys of
/// root's session, and with no way back. Other users run it as themselves.
pub fn run_as_owner(command: &mut Command, owner: u32) {
    if !geteuid().is_root() {
        return;
    }
    // The standard library leaves the other groups.
    let group = Account::of(owner).group();
    command.uid(owner).gid(group);
    // SAFETY: the closure makes system calls, and allocates nothing unless it fails.
    unsafe { command.pre_exec(move || leave_keys().and_then(|()| close_ways_back(group))) };
}

/// Leaves the keys of root's session behind: every process in a session can read them (keyctl(2)). A kernel without key rings has none.
///
/// # Errors
///
/// None; so that it can be run in a process before its program starts.
#[cfg(target_os = "linux")]
fn leave_keys() -> io::Result<()> {
    // SAFETY: the arguments are a number and no name, which makes a new ring.
    unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>())
    };
    Ok(())
}

/// Other systems have no such keys.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
fn leave_keys() -> io::Result<()> {
    Ok(())
}

/// Changes the whole process to that user and group for good, and keeps that user from looking into it.
#[cfg(target_os = "linux")]
fn drop_to(account: &Account, group: u32) -> io::Result<()> {
    use rustix::fs::Mode;
    use rustix::process::{DumpableBehavior, set_dumpable_behavior, umask};

    leave_keys()?;
    let user = account.uid;
    // Groups of root's are left out: /etc/group may name any user.
    let groups: Vec<libc::gid_t> = account.groups.iter().copied().filter(|group| *group != 0).collect();
    // SAFETY: the pointer is to as many group numbers as the count says.
    succeeded(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: takes numbers only; unlike a bare system call it changes every thread.
    succeeded(unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: as above.
    succeeded(unsafe { libc::setresuid(user, user, user) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    umask(Mode::from_raw_mode(0o077));
    close_ways_back(group)
}

/// Takes all capabilities from a process that has become another user, in that group, and tries the ways back to root.
///
/// # Errors
///
/// When a way back is open.
#[cfg(target_os = "linux")]
fn close_ways_back(group: u32) -> io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    // Changing the user takes them away, unless a parent has forbidden that (capabilities(7), SECBIT_NO_SETUID_FIXUP). Ambient ones go
    // with the inheritable ones.
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
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

/// Other systems have no capabilities of this kind.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
fn close_ways_back(_: u32) -> io::Result<()> {
    Ok(())
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
