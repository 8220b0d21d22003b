//! Descriptors of counters that an application closed by mistake. A process of its own, so that no other test takes the number.

mod support;

use flagstone::telemetry::{AnsweredQuestion, Recorder};
use flagstone::{Key, Question, Snapshot, Switches, compile, evaluate};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use support::{stores::definitions, trusted_dir};

/// 2026-11-21.
const NOON: i64 = 1_795_219_200_000_000;

fn ask(recorder: &mut Recorder, snapshot: &Snapshot, flag: &str) {
    let flag = snapshot.find(flag.as_bytes()).expect("the flag");
    let question = Question { company: Some(Key::Int(1)), context: &(), now: NOON };
    let answer = evaluate(snapshot, &Switches::none(), flag, &question);
    let (on, reason, bucket) = (answer.on, answer.reason, answer.bucket);
    recorder.answered(
        snapshot,
        &AnsweredQuestion { flag, on, reason, company: question.company, bucket },
        true,
    );
}

// After a wrong close() of another extension, the next flag grew the file that had got the number by a megabyte, and the end of the
// counters closed it.
#[test]
fn a_file_that_has_the_number_of_a_closed_descriptor_is_neither_grown_nor_closed() {
    let directory = trusted_dir();
    let memory = directory.join("memory");
    std::fs::create_dir(&memory).expect("a directory");
    let flags: Vec<String> = (0..200).map(|number| format!("\"f{number}\": {{\"enabled\": true}}")).collect();
    let bytes = compile(&definitions(&format!("{{{}}}", flags.join(","))), "testing").expect("compiles");
    let snapshot = Snapshot::from_bytes(&bytes).expect("opens");
    let mut recorder = Recorder::open(&memory, Path::new("/store"), &snapshot, NOON).expect("a recorder");
    ask(&mut recorder, &snapshot, "f0");
    let path = recorder.path().to_owned();
    let is_counters = |number: &i32| {
        std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| target == path)
    };
    let closed = (3..256).find(is_counters).expect("the descriptor");
    // SAFETY: a number. The recorder has it still, which is the mistake.
    assert_eq!(unsafe { libc::close(closed) }, 0);
    let mut files = Vec::new();
    let orders = loop {
        let name = directory.join(&format!("orders-{}", files.len()));
        let file = File::options().create(true).append(true).open(&name).expect("a file");
        if file.as_raw_fd() == closed {
            break (file, name);
        }
        assert!(files.len() < 64, "the number is not given again");
        files.push(file);
    };
    std::fs::write(&orders.1, "order 1\n").expect("room");
    for number in 1..200 {
        ask(&mut recorder, &snapshot, &format!("f{number}"));
    }
    assert!(!recorder.is_sound());
    drop(recorder);
    assert_eq!(orders.0.metadata().expect("it is open").len(), 8);
    assert_eq!(std::fs::read(&orders.1).expect("the file"), b"order 1\n");
}
