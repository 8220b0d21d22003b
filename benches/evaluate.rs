//! How long does a question take, of the engine alone?

#[path = "common/questions.rs"]
mod questions;
#[path = "common/snapshots.rs"]
mod snapshots;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use questions::{Snapshots, Visitor, visit};
use std::hint::black_box;
use std::time::Duration;

struct Timed<'a>(BenchmarkGroup<'a, WallTime>);

impl Visitor for Timed<'_> {
    fn question(&mut self, name: &str, ask: impl Fn(u64) -> bool) {
        self.0.bench_function(name, |bencher| {
            let mut company = 0;
            bencher.iter(|| {
                company += 1;
                ask(black_box(company))
            });
        });
    }
}

fn evaluate(criterion: &mut Criterion) {
    let snapshots = Snapshots::open(&[questions::few(), questions::many(), questions::overrides()]);
    let mut group = criterion.benchmark_group("evaluate");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    visit(&snapshots, &mut Timed(group));
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
