//! A real bash on a terminal, with TAB typed into it, before stores that somebody hostile has written.

use crate::shop::{Shop, ran};
use flagstone::compile;
use flagstone::definition::Definitions;
use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Types `line`, TAB and Enter into a bash that has loaded the completions, and prints what it showed.
const BASH: &str = r#"
import fcntl, os, pty, select, sys, termios, time
line = sys.argv[1].encode()
child, terminal = pty.fork()
if child == 0:
    os.execvp('bash', ['bash', '--norc', '--noprofile', '-i'])
shown = b''
def until(text):
    global shown
    limit = time.time() + 60
    while text not in shown:
        assert time.time() < limit, (text, shown)
        if select.select([terminal], [], [], 0.1)[0]: shown += os.read(terminal, 65536)
os.write(terminal, b"PS1='re''ady> '; bind 'set enable-bracketed-paste off'; . ./completions.bash\n")
until(b'ready> ')
shown = b''
os.write(terminal, line + b'\t\n')
until(b'ready> ')
os.write(terminal, b'exit\n')
print(shown.decode(errors='replace'))
"#;

/// What would run where a shell took it for more than a word.
const HOSTILE: [&str; 6] = [
    "a$(touch ran)",
    "a`touch ran`",
    "a'$(touch ran)'",
    "a\"$(touch ran)\"",
    "a;touch ran;",
    "a\\$(touch ran)",
];

/// What bash shows when `line`, TAB and Enter are typed; `flagstone` is what `program` is.
fn typed(shop: &Shop, program: &Path, line: &str) -> String {
    let script = shop.run(["completions", "bash"]).exits(0).out;
    shop.write("completions.bash", script);
    let bin = shop.directory.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let _ = std::fs::remove_file(bin.join("flagstone"));
    std::os::unix::fs::symlink(program, bin.join("flagstone")).unwrap();
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", BASH, line]).current_dir(&shop.directory).env_clear();
    python.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("FLAGSTONE_STORE", "store");
    python.env("TERM", "dumb").env("HOME", &shop.directory).env("INPUTRC", "/dev/null");
    ran(python.output().unwrap()).exits(0).out
}

/// The head, to write into.
fn head(shop: &Shop) -> File {
    File::options().read(true).write(true).open(shop.directory.join("store/head")).unwrap()
}

/// TAB adds nothing to the line, and nothing of it runs.
fn assert_nothing_inserted(shop: &Shop, hostile: &str, line: &str) {
    let shown = typed(shop, Path::new(env!("CARGO_BIN_EXE_flagstone")), line);
    assert!(!shop.directory.join("ran").exists(), "{hostile} ran:\n{shown}");
    assert!(!shown.lines().next().unwrap_or_default().contains("touch"), "{hostile} was inserted:\n{shown}");
}

#[test]
fn a_flag_is_completed_on_a_terminal() {
    let shop = Shop::published();
    let shown = typed(&shop, Path::new(env!("CARGO_BIN_EXE_flagstone")), "flagstone show billing_");
    assert!(shown.contains("billing_v2"), "{shown}");
}

// The owner of a store chose what TAB put into root's command line.
#[test]
fn a_snapshot_with_hostile_keys_puts_nothing_into_a_command_line() {
    for hostile in HOSTILE {
        let shop = Shop::published();
        let text = format!("{{\"flags\":{{{}:{{\"enabled\":true}}}}}}", serde_json::json!(hostile));
        let definitions = Definitions::from_canonical_json(text.as_bytes()).expect("a flag of any name");
        let bytes = compile(&definitions, "production").unwrap();
        let id = xxh3_128(&bytes[..512]).to_be_bytes();
        let folder = shop.directory.join("store/snapshots");
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(file).unwrap();
        let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("{:020}-{digits}.snapshot", 1));
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o444)).unwrap();
        let head = head(&shop);
        // The pointer of odd generations.
        let mut pointer = [0; 56];
        head.read_exact_at(&mut pointer, 384).unwrap();
        pointer[8..24].copy_from_slice(&id);
        head.write_all_at(&pointer, 384).unwrap();
        head.write_all_at(&xxh3_64(&pointer).to_le_bytes(), 384 + 56).unwrap();
        assert_nothing_inserted(&shop, hostile, "flagstone show a");
    }
}

#[test]
fn a_head_with_hostile_kills_puts_nothing_into_a_command_line() {
    for hostile in HOSTILE {
        let shop = Shop::published();
        shop.run(["kill", "search", "--reason", "slow"]).exits(0);
        let head = head(&shop);
        let slot = |number: u64| 4096 + number * 256;
        let sequence = |number: u64| {
            let mut word = [0; 8];
            head.read_exact_at(&mut word, slot(number)).unwrap();
            u64::from_le_bytes(word)
        };
        let killed = (0..240).find(|number| sequence(*number) % 2 == 1).expect("a slot");
        let mut body = [0; 240];
        head.read_exact_at(&mut body, slot(killed) + 8).unwrap();
        body[8..16].copy_from_slice(&(hostile.len() as u64).to_le_bytes());
        body[16..208].fill(0);
        body[16..16 + hostile.len()].copy_from_slice(hostile.as_bytes());
        head.write_all_at(&body, slot(killed) + 8).unwrap();
        head.write_all_at(&xxh3_64(&body).to_le_bytes(), slot(killed) + 248).unwrap();
        let status = shop.run(["status", "--json"]).exits(0).out;
        assert!(status.contains("touch ran"), "{status}");
        assert_nothing_inserted(&shop, hostile, "flagstone revive a");
    }
}

// The script takes no word from the command as it is, whatever the command says.
#[test]
fn what_bash_inserts_is_one_word() {
    for hostile in HOSTILE {
        let shop = Shop::published();
        shop.write("offered", format!("{hostile}\n"));
        let said = "#!/bin/sh\ncase \"$1\" in --candidates) cat offered;; *) printf 'argument:%s\\n' \"$@\";; esac\n";
        let program = shop.write("says.sh", said);
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let shown = typed(&shop, &program, "flagstone revive a");
        assert!(!shop.directory.join("ran").exists(), "{hostile} ran:\n{shown}");
        assert!(shown.contains(&format!("argument:{hostile}")), "{hostile} in {shown}");
    }
}
