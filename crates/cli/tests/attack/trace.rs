//! What `strace` says that a program opened and changed.

use std::collections::BTreeMap;
use std::path::Path;

/// Calls that change what lies at a path.
const CHANGES: &[&str] = &[
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchownat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "truncate",
    "mknod",
    "mknodat",
    "utimensat",
    "setxattr",
    "lsetxattr",
];
/// Where programs, libraries and the machine's own settings lie, which no store can name.
const SYSTEM: &[&str] = &[
    "/bin/",
    "/usr/",
    "/lib/",
    "/lib64/",
    "/etc/ld.so.",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/ssl/",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/proc/",
    "/sys/fs/cgroup",
    "/dev/null",
    "/dev/urandom",
    "/dev/shm",
    "/run/systemd/timesync",
    "/etc/locale",
    "/sys/devices/system/cpu",
];
/// Where agents have their sockets, with the way to it.
const AGENTS: &str = "/run/flagstone";
/// Programs that the command starts by itself.
const PROGRAMS: &[&str] = &["getent", "timedatectl", "true"];

/// What may be opened besides the store.
pub struct Allowed<'a> {
    pub program: &'a Path,
    pub store: &'a Path,
    /// Directories that were typed, or that hold what was.
    pub typed: &'a [&'a Path],
}

impl Allowed<'_> {
    fn opened(&self, path: &str) -> bool {
        let path = Path::new(path.trim_end_matches("(deleted)"));
        path.starts_with(self.store)
            || self.store.starts_with(path)
            || self.typed.iter().any(|typed| path.starts_with(typed) || typed.starts_with(path))
            || path == self.program
            || Path::new(AGENTS).starts_with(path)
            || SYSTEM.iter().any(|part| path.to_string_lossy().starts_with(part) || Path::new(part) == path)
            // A pipe, a socket, an event.
            || !path.is_absolute()
    }

    fn changed(&self, path: &Path) -> bool {
        path.starts_with(self.store)
            || self.typed.iter().any(|typed| path.starts_with(typed))
            || path.starts_with("/dev/shm")
    }
}

/// What is wrong, line by line.
pub fn problems(trace: &str, allowed: &Allowed<'_>) -> Vec<String> {
    let mut others: BTreeMap<&str, bool> = BTreeMap::new();
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    let mut ours = false;
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        if let Some(call) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, call);
            continue;
        }
        let whole;
        let call = match call.strip_prefix("<... ").and_then(|call| call.split_once(" resumed>")) {
            Some((_, rest)) => {
                whole = format!("{}{rest}", begun.remove(process).unwrap_or_default());
                &*whole
            }
            None => call,
        };
        let name = call.split('(').next().unwrap_or("");
        let Some((_, result)) = call.rsplit_once(" = ") else { continue };
        if result.starts_with('-') || result.starts_with('?') {
            continue;
        }
        if name == "execve" {
            let program = call.split('"').nth(1).unwrap_or("");
            let siblings = ["flagstone-agent", "flagstone-doctor"];
            let is_ours = Path::new(program) == allowed.program
                || program == "/proc/self/exe"
                || siblings.iter().any(|name| Path::new(program) == allowed.program.with_file_name(name));
            ours |= is_ours;
            others.insert(process, !is_ours);
            let known = Path::new(program)
                .file_name()
                .is_some_and(|name| PROGRAMS.iter().any(|known| name == *known));
            if ours && !is_ours && !known {
                found.push(format!("starts {call}"));
            }
            continue;
        }
        if !ours || others.get(process).copied().unwrap_or(false) {
            continue;
        }
        if matches!(name, "open" | "openat" | "openat2" | "creat") {
            let path = result.split_once('<').map_or("", |(_, path)| path.trim_end().trim_end_matches('>'));
            if !allowed.opened(path) {
                found.push(format!("opens {call}"));
            }
        } else if CHANGES.contains(&name)
            && !changes(call).iter().all(|path| allowed.changed(Path::new(path)))
        {
            found.push(format!("changes {call}"));
        }
    }
    found
}

/// The paths that a call names, each below its directory.
fn changes(call: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut directory = String::new();
    let arguments = call.split_once('(').map_or("", |(_, rest)| rest);
    for part in arguments.split(", ") {
        if let Some(text) = part.trim_start().strip_prefix('"') {
            let name = text.split('"').next().unwrap_or("");
            paths.push(if name.starts_with('/') { name.to_owned() } else { format!("{directory}/{name}") });
        } else if let Some((_, path)) = part.split_once('<') {
            directory = path.split('>').next().unwrap_or("").to_owned();
        }
    }
    paths
}
