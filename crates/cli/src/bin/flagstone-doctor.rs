//! `flagstone-doctor`: what looks at the machine, at the sources and at a running application.

fn main() -> std::process::ExitCode {
    flagstone_cli::DOCTOR.start()
}
