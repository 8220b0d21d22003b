//! The agent's socket stays reachable, and no agent takes another one's.

use crate::api::{Api, agent};
use crate::shop::until;
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

// After a restore that moves the store's directory away, nothing listened at the socket's path, and nothing said so.
#[test]
fn the_socket_is_made_again_where_the_store_was_moved() {
    let api = Api::with_policy(&json!({}));
    let at = |name: &str| api.shop.directory.join(name);
    std::fs::rename(at("store"), at("before")).unwrap();
    assert!(Command::new("cp").arg("-a").args([at("before"), at("store")]).status().unwrap().success());
    until(|| UnixStream::connect(&api.socket).is_ok());
    api.get("/v1/token").gives(200);
    let log = api.log();
    assert!(log.contains("the socket is made again") && log.contains("requests are taken at "), "{log}");
}

// A second agent removed the socket at which a service manager listened for the first.
#[test]
fn a_socket_at_which_another_process_listens_is_not_replaced() {
    let mut api = Api::with_policy(&json!({}));
    api.agent.kill().unwrap();
    api.agent.wait().unwrap();
    std::fs::remove_file(&api.socket).unwrap();
    let listener = UnixListener::bind(&api.socket).unwrap();
    let found = std::fs::symlink_metadata(&api.socket).unwrap().ino();
    // Everybody may connect, as the store's agent has to.
    std::fs::set_permissions(&api.socket, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    api.agent = agent(&api.shop);
    until(|| api.log().contains("another process takes requests there"));
    assert_eq!(std::fs::symlink_metadata(&api.socket).unwrap().ino(), found);
    drop(listener);
    until(|| UnixStream::connect(&api.socket).is_ok());
    api.get("/v1/token").gives(200);
}
