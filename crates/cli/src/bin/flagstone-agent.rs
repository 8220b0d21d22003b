//! `flagstone-agent`: what runs beside a store: plans, the guard, and notifications.

fn main() -> std::process::ExitCode {
    flagstone_cli::AGENT.start()
}
