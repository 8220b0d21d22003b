//! `flagstone`: the command that asks and changes a store of feature flags. It links no TLS.

fn main() -> std::process::ExitCode {
    flagstone_cli::FLAGSTONE.start()
}
