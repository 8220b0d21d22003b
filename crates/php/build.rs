//! What the linker is told of the extension.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // PHP closes its extensions when it ends, and a process that PHP is embedded in goes on: the handler of SIGBUS stays where it is.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
