//! Usage: cargo run --release --example publish [FLAGS.json [ENVIRONMENT]]
//!
//! Checks and publishes a file, twice with a difference, into a store that is made for it and removed again, and says how
//! long each part took. Without a file: 10,000 flags with a million companies named one by one.

use flagstone::definition::{self, Definitions};
use flagstone::publish::{Change, Store};
use flagstone::store::{Reader, ReaderOptions};
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next();
    let environment = arguments.next().unwrap_or_else(|| "production".to_owned());
    let text = match &file {
        Some(file) => std::fs::read(file)?,
        None => large(),
    };
    let directory = Removed(below_home()?);

    let began = Instant::now();
    let name = file.as_deref().unwrap_or("(made up)");
    let mut definitions = definition::load(name, &text, Some(&environment), "2026-01-01")?.definitions;
    told("checked", began);

    let began = Instant::now();
    let size = flagstone::compile(&definitions, &environment)?.len();
    told(&format!("compiled to {size} bytes"), began);

    let store = Store::init(&directory.0, &environment, None)?;
    publish(&store, &definitions)?;
    publish(&store, &definitions)?;
    change_one(&mut definitions);
    publish(&store, &definitions)?;

    let began = Instant::now();
    let reader = Reader::open(store.directory(), ReaderOptions::default())?;
    let view = reader.view();
    let flags = view.snapshot.as_ref().map_or(0, |snapshot| snapshot.flag_count());
    told(&format!("opened by a reader: generation {}, {flags} flags", view.generation), began);
    Ok(())
}

fn publish(store: &Store, definitions: &Definitions) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let published = store.publish(definitions, Change::by_me(Some("an example")))?;
    let what = if published.unchanged { "unchanged" } else { "published" };
    told(
        &format!("{what}: generation {}, {} differences", published.generation, published.differences.len()),
        began,
    );
    Ok(())
}

fn change_one(definitions: &mut Definitions) {
    if let Some(flag) = definitions.flags.values_mut().next() {
        flag.enabled = !flag.enabled;
        flag.companies.allow.pop();
    }
}

fn told(what: &str, began: Instant) {
    println!("{:>8.1} ms  {what}", began.elapsed().as_secs_f64() * 1e3);
}

/// 10,000 flags; the first of them names a million companies.
fn large() -> Vec<u8> {
    let companies =
        (0..1_000_000u64).map(|n| (n * 7_919 % 100_000_007).to_string()).collect::<Vec<_>>().join(",");
    let mut text = format!(
        "{{\"flags\":{{\"flag_00000\":{{\"enabled\":true,\"rollout\":{{\"percentage\":10}},\"companies\":{{\"allow\":[{companies}]}}}}"
    );
    for number in 1..10_000 {
        text.push_str(&format!(
            ",\"flag_{number:05}\":{{\"description\":\"Flag number {number}\",\"enabled\":true,\"rollout\":{{\"percentage\":{}}}}}",
            number % 101
        ));
    }
    text.push_str("}}");
    text.into_bytes()
}

/// A store refuses `/tmp`, which everybody can write.
fn below_home() -> std::io::Result<PathBuf> {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/var/lib"), PathBuf::from);
    Ok(home.canonicalize()?.join(format!(".flagstone-example-{}", std::process::id())))
}

struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
