//! The recipes for containers: what they say is run in namespaces, as the users and on the mounts that they name.

use crate::shop::{Shop, ran};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/containers")
}

/// The documents of a file.
fn yaml(name: &str) -> Vec<Value> {
    let program =
        "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let read = Command::new("python3").args(["-c", program]).arg(examples().join(name)).output();
    let read = read.expect("python3, with Debian's package python3-yaml");
    assert!(read.status.success(), "{name}: {}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

/// The parts of a recipe that a machine without containers can run.
struct Recipe {
    /// The agent's command.
    script: String,
    /// The check of its health.
    check: Vec<String>,
    user: String,
    flags: String,
    /// The mode and the owner of the volume's directory.
    volume: &'static str,
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn compose() -> Recipe {
    let services = &yaml("compose.yaml")[0]["services"];
    let (agent, php) = (&services["flags"], &services["php"]);
    assert!(texts(&php["volumes"]).contains(&"flags:/flags:ro".to_owned()));
    assert_eq!((agent["ipc"].as_str(), php["ipc"].as_str()), (Some("shareable"), Some("service:flags")));
    assert_eq!(agent["environment"]["FLAGSTONE_STORE"], "/flags/shop");
    let image = std::fs::read_to_string(examples().join("Dockerfile")).unwrap();
    assert!(image.contains("install -d -m 0755 -o 64030 -g 64030 /flags"), "{image}");
    let [sh, ec, script] = &texts(&agent["command"])[..] else { panic!("{agent}") };
    assert_eq!((sh.as_str(), ec.as_str()), ("sh", "-ec"));
    Recipe {
        script: script.replace("$$", "$"),
        check: texts(&agent["healthcheck"]["test"]).split_off(1),
        user: agent["user"].as_str().unwrap().split_once(':').unwrap().0.to_owned(),
        flags: "{\"flags\": {\"search\": true}}".to_owned(),
        volume: "mode=0755,uid=64030,gid=64030",
    }
}

fn kubernetes() -> Recipe {
    let documents = yaml("kubernetes.yaml");
    let [map, deployment] = &documents[..] else { panic!("{documents:?}") };
    let ini = std::fs::read_to_string(examples().join("flagstone.ini")).unwrap();
    let settings = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with(';')).map(str::to_owned).collect()
    };
    assert_eq!(settings(map["data"]["flagstone.ini"].as_str().unwrap()), settings(&ini));
    let pod = &deployment["spec"]["template"]["spec"];
    let (agent, php) = (&pod["initContainers"][0], &pod["containers"][0]);
    assert_eq!(agent["restartPolicy"], "Always");
    assert_eq!(
        (&php["volumeMounts"][0]["mountPath"], &php["volumeMounts"][0]["readOnly"]),
        (&"/flags".into(), &true.into())
    );
    assert_eq!(agent["env"][0]["value"], "/flags/shop");
    let [sh, ec, script] = &texts(&agent["command"])[..] else { panic!("{agent}") };
    assert_eq!((sh.as_str(), ec.as_str()), ("sh", "-ec"));
    Recipe {
        script: script.clone(),
        check: texts(&agent["startupProbe"]["exec"]["command"]),
        user: agent["securityContext"]["runAsUser"].to_string(),
        flags: map["data"]["flags.json"].as_str().unwrap().to_owned(),
        // An emptyDir.
        volume: "mode=0777",
    }
}

/// Starts the agent twice, as a container that is started again: a kill holds. PHP's user asks through a mount that cannot be written.
const RUN: &str = r#"
mount -t tmpfs -o "$VOLUME" tmpfs flags
agent() {
    setpriv --reuid="$USER" --regid="$USER" --clear-groups --no-new-privs sh -ec "$SCRIPT" >>log 2>&1 &
    agent=$!
    trap 'kill $agent' EXIT
    tries=0
    until curl -s --unix-socket flags/shop/agent.sock http://flagstone/v1/token >token && setpriv --reuid="$USER" --regid="$USER" --clear-groups $CHECK >checked; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] && kill -0 $agent || { cat log; exit 1; }
        sleep 0.1
    done
}
ask() {
    unshare --mount sh -ec 'mount -o remount,ro,bind flags; exec setpriv --reuid=33 --regid=33 --clear-groups "$@"' - \
        curl -sS --unix-socket flags/shop/agent.sock "http://flagstone$@"
}
agent
ask /v1/flags/search
ask /v1/flags/search/kill -d '{"reason": "slow"}'
kill -9 $agent
wait $agent || :
agent
ask /v1/flags/search
"#;

#[track_caller]
fn works(recipe: &Recipe) {
    assert!(rustix::process::geteuid().is_root(), "only root may play other users: run the tests as root");
    let shop = Shop::with_command();
    for folder in ["flags", "definitions"] {
        std::fs::create_dir(shop.directory.join(folder)).unwrap();
    }
    shop.write("definitions/flags.json", &recipe.flags);
    // The recipe's directories lie in this one.
    let here = shop.directory.to_str().unwrap();
    let placed = |text: &str| text.replace("/definitions", &format!("{here}/definitions"));
    let mut shell = Command::new("unshare");
    shell
        .args(["--mount", "sh", "-euc", RUN])
        .current_dir(&shop.directory)
        .env_clear()
        .env("PATH", format!("{here}:/usr/sbin:/usr/bin:/sbin:/bin"))
        .env("FLAGSTONE_STORE", format!("{here}/flags/shop"))
        .env("SCRIPT", placed(&recipe.script))
        .env("CHECK", recipe.check.join(" "))
        .env("USER", &recipe.user)
        .env("VOLUME", recipe.volume)
        .stdin(Stdio::null());
    let ran = ran(shell.output().unwrap()).exits(0);
    let answers: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [before, killed, after] = &answers[..] else { panic!("{}{}", ran.out, ran.err) };
    assert_eq!(before["killed"], false, "{before}");
    assert_eq!(killed["changed"], true, "{killed}");
    assert_eq!(after["killed"], true, "{after}");
}

#[test]
fn the_recipe_for_compose_keeps_a_kill_when_the_agent_starts_again() {
    works(&compose());
}

// In an emptyDir the agent took no requests, since everybody may write the directory above its store.
#[test]
fn the_recipe_for_kubernetes_keeps_a_kill_when_the_agent_starts_again() {
    works(&kubernetes());
}
