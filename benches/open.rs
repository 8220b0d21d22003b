//! How long does it take to open a snapshot of 10,000 flags: mapped, copied, and with everything verified?

#[path = "common/snapshots.rs"]
mod snapshots;

use criterion::{Criterion, criterion_group, criterion_main};
use flagstone::{MapMode, Snapshot};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

fn open(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("open.snapshot");
    std::fs::write(&path, snapshots::compiled(snapshots::flags(10_000))).expect("writes the snapshot");
    let open = |mode| {
        let file = File::open(&path).expect("opens the file");
        Snapshot::open(&file, mode, u64::MAX).expect("opens")
    };
    let mut group = criterion.benchmark_group("open/10,000 flags");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.bench_function("shared", |bencher| bencher.iter(|| open(MapMode::Shared)));
    group.bench_function("private", |bencher| bencher.iter(|| open(MapMode::Private)));
    group.bench_function("shared, verified", |bencher| {
        bencher.iter(|| open(MapMode::Shared).verify().expect("verifies"))
    });
    group.finish();
    std::fs::remove_file(&path).expect("removes the snapshot");
}

criterion_group!(benches, open);
criterion_main!(benches);
