//! The agent's socket: each route, who may ask for it, and what hostile clients come to. Threads of the test play other users, which only
//! root may do.

use crate::shop::{FLAGS, Shop, ran, until};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

pub const OWNER: u32 = 64_020;
pub const STRANGER: u32 = 64_021;
const OVERFLOW: u32 = 65_534;

/// A user of a machine, with one further group.
#[derive(Clone, Copy)]
pub struct User {
    pub uid: u32,
    pub group: u32,
}

pub const ROOT: User = User { uid: 0, group: 0 };

pub fn user(uid: u32) -> User {
    User { uid, group: uid }
}

/// Runs as that user, in a thread that ends as such.
pub fn acting<R: Send>(user: User, act: impl FnOnce() -> R + Send) -> R {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    thread::scope(|scope| {
        let acts = move || {
            if user.uid != 0 {
                let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(64_999));
                set_thread_groups(&[Gid::from_raw(user.group)]).unwrap();
                set_thread_res_gid(gid, gid, gid).unwrap();
                set_thread_res_uid(uid, uid, uid).unwrap();
            }
            act()
        };
        scope.spawn(acts).join().unwrap()
    })
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    fn of(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[track_caller]
    pub fn gives(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }
}

/// A store of the user [`OWNER`], with its agent.
pub struct Api {
    pub shop: Shop,
    pub socket: PathBuf,
    pub agent: Child,
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

pub fn agent(shop: &Shop) -> Child {
    let log = std::fs::OpenOptions::new().append(true).create(true).open(shop.directory.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_flagstone-agent"))
        .args(["run", "--no-guard", "--store", "store", "--memory"])
        .arg(shop.directory.join("memory"))
        .current_dir(&shop.directory)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Api {
    /// With that `agent.policy`.
    pub fn with_policy(policy: &Value) -> Api {
        Api::with(&json!({ "agent": { "policy": policy } }))
    }

    pub fn with(config: &Value) -> Api {
        assert!(
            rustix::process::geteuid().is_root(),
            "only root may play other users: run the tests as root"
        );
        let shop = Shop::passable();
        shop.write("flags.json", FLAGS);
        std::fs::create_dir(shop.directory.join("memory")).unwrap();
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        shop.run(["publish", "flags.json"]).exits(0);
        shop.write("store/config.json", config.to_string());
        let owner = format!("{OWNER}:{OWNER}");
        assert!(
            Command::new("chown")
                .args(["-R", &owner, "store"])
                .current_dir(&shop.directory)
                .status()
                .unwrap()
                .success()
        );
        let (agent, socket) = (agent(&shop), shop.directory.join("store/agent.sock"));
        let api = Api { shop, socket, agent };
        until(|| UnixStream::connect(&api.socket).is_ok());
        api
    }

    /// Sends those bytes, and reads until the agent closes the connection.
    fn send(&self, user: User, bytes: &[u8]) -> Answer {
        let socket = &self.socket;
        acting(user, move || {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            // The agent may answer and close before it has read everything.
            let _ = stream.write_all(bytes);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            Answer::of(&String::from_utf8_lossy(&answer))
        })
    }

    pub fn ask(&self, user: User, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(user, method, path, "", body)
    }

    fn ask_with(&self, user: User, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nHost: flagstone\r\nConnection: close\r\n{headers}");
        if method == "POST" {
            write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        self.send(user, format!("{text}\r\n{body}").as_bytes())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(ROOT, "GET", path, &Value::Null)
    }

    pub fn is_on(&self, flag: &str) -> bool {
        self.shop.run(["ask", flag, "--company", "15"]).code == 0
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.shop.directory.join("log")).unwrap()
    }
}

/// The right for each route, as `docs/api.md` has it; `owner` is no right that a policy gives.
const RIGHTS: [(&str, &str, &str); 39] = [
    ("get", "/v1/audit", "view"),
    ("post", "/v1/buckets", "explain"),
    ("get", "/v1/companies/{company}/history", "explain"),
    ("get", "/v1/experiment", "view"),
    ("post", "/v1/export", "export"),
    ("get", "/v1/flags", "view"),
    ("get", "/v1/flags/{flag}", "view"),
    ("post", "/v1/flags/{flag}/allow", "change"),
    ("post", "/v1/flags/{flag}/delete", "change"),
    ("post", "/v1/flags/{flag}/deny", "change"),
    ("post", "/v1/flags/{flag}/disable", "change"),
    ("post", "/v1/flags/{flag}/enable", "change"),
    ("get", "/v1/flags/{flag}/explain", "explain"),
    ("post", "/v1/flags/{flag}/forget", "change"),
    ("post", "/v1/flags/{flag}/kill", "kill"),
    ("post", "/v1/flags/{flag}/revive", "change"),
    ("post", "/v1/flags/{flag}/rollout", "change"),
    ("get", "/v1/guard", "view"),
    ("post", "/v1/guard/pause", "change"),
    ("post", "/v1/guard/resume", "change"),
    ("get", "/v1/health", "view"),
    ("get", "/v1/history", "view"),
    ("get", "/v1/incident", "view"),
    ("post", "/v1/note", "change"),
    ("get", "/v1/plan", "view"),
    ("get", "/v1/plan/{flag}", "view"),
    ("post", "/v1/plan/{flag}/abort", "change"),
    ("post", "/v1/plan/{flag}/advance", "change"),
    ("post", "/v1/plan/{flag}/hold", "change"),
    ("post", "/v1/plan/{flag}/resume", "change"),
    ("post", "/v1/plan/{flag}/start", "change"),
    ("post", "/v1/publish", "change"),
    ("post", "/v1/resume-all", "owner"),
    ("post", "/v1/rollback", "change"),
    ("post", "/v1/simulate", "explain"),
    ("get", "/v1/stats", "view"),
    ("get", "/v1/status", "view"),
    ("post", "/v1/stop-all", "stop"),
    ("get", "/v1/token", "view"),
];

#[test]
fn the_policy_decides_who_may_ask_for_which_route() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/openapi.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let paths = schema["paths"].as_object().unwrap();
    let all: Vec<(&str, &str)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (method.as_str(), path.as_str()))
        })
        .collect();
    assert_eq!(all, RIGHTS.into_iter().map(|(method, path, _)| (method, path)).collect::<Vec<_>>());

    let api = Api::with_policy(&json!({
        "kill": [33], "stop": [33, "nobody", OVERFLOW], "export": ["@64030"], "change": ["@64030", "@65534"], "explain": ["@64030", "*"],
        "view": [33, "@64030"],
    }));
    let member = User { uid: 64_022, group: 64_030 };
    for (who, held) in [
        (ROOT, &["view", "explain", "export", "change", "kill", "stop", "owner"] as &[_]),
        (user(OWNER), &["view", "explain", "export", "change", "kill", "stop", "owner"]),
        (user(33), &["view", "explain", "kill", "stop"]),
        (member, &["view", "explain", "export", "change"]),
        (user(STRANGER), &["explain"]),
        (User { uid: STRANGER, group: OVERFLOW }, &["explain"]),
        (user(OVERFLOW), &[]),
    ] {
        for (method, path, right) in RIGHTS.into_iter() {
            let path = path.replace("{flag}", "search").replace("{company}", "15");
            // What nobody can mean: whoever may ask is told so, and nothing changes.
            let body = json!({ "no_such_parameter": 1 });
            let answer = api.ask(who, &method.to_uppercase(), &path, &body);
            let told = format!("user {} {method} {path}: {} {}", who.uid, answer.status, answer.body);
            assert_eq!(answer.status != 403, held.contains(&right), "{told}");
            if answer.status == 403 {
                let refusal = answer.json();
                assert_eq!(refusal["uid"], who.uid, "{told}");
                assert_eq!(refusal["right"].as_str().unwrap_or("owner"), right, "{told}");
                assert!(
                    refusal["error"].as_str().unwrap().contains(refusal["user"].as_str().unwrap()),
                    "{told}"
                );
            }
        }
    }
    assert!(api.is_on("search") || api.is_on("billing_v2"));
    assert_eq!(api.get("/v1/token").header("flagstone-generation"), Some("1"));
}

#[test]
fn each_route_answers_with_the_document_of_its_command() {
    let api = Api::with_policy(&json!({ "change": ["*"], "kill": ["*"], "stop": ["*"], "explain": ["*"] }));
    let flags = FLAGS.replace("\"old\": false", "\"old\": true, \"fresh\": { \"plan\": { \"stages\": [ { \"percentage\": 5, \"soak\": \"1h\" }, { \"percentage\": 100 } ] }, \"rollout\": { \"percentage\": 0 }, \"enabled\": true }");
    let none = Value::Null;
    // A user makes ten changes a minute: each has another user.
    for (number, (method, path, body, pointer, expected)) in [
        ("GET", "/v1/status", none.clone(), "/store/environment", json!("production")),
        ("GET", "/v1/health", none.clone(), "/flagstone/generation", json!(1)),
        (
            "GET",
            "/v1/flags?limit=2&offset=1",
            none.clone(),
            "/page",
            json!({ "total": 6, "offset": 1, "limit": 2 }),
        ),
        ("GET", "/v1/flags?q=SEAR", none.clone(), "/flags/0/flag", json!("search")),
        ("GET", "/v1/flags/search", none.clone(), "/flag", json!("search")),
        ("GET", "/v1/flags/old/explain?company=15", none.clone(), "/enabled", json!(false)),
        ("GET", "/v1/companies/15/history", none.clone(), "/company", json!(15)),
        ("GET", "/v1/history?limit=1", none.clone(), "/environment", json!("production")),
        ("GET", "/v1/audit?limit=1", none.clone(), "/trail/0/action", json!("publish")),
        ("GET", "/v1/incident?since=1h", none.clone(), "/environment", json!("production")),
        ("GET", "/v1/plan", none.clone(), "/environment", json!("production")),
        ("GET", "/v1/guard", none.clone(), "/environment", json!("production")),
        ("GET", "/v1/stats?hours=2", none.clone(), "/environment", json!("production")),
        (
            "POST",
            "/v1/simulate",
            json!({ "flag": "search", "percentage": 100, "companies": [1, 2, "x"] }),
            "/enters",
            json!([1, "x"]),
        ),
        (
            "POST",
            "/v1/buckets",
            json!({ "flag": "search", "companies": [15, "15", "x"] }),
            "/buckets/0/company",
            json!(15),
        ),
        (
            "POST",
            "/v1/flags/search/rollout",
            json!({ "percentage": 12.5, "expect_generation": 1 }),
            "/generation",
            json!(2),
        ),
        ("POST", "/v1/flags/search/enable", json!({ "companies": [7, "x"] }), "/changed", json!(true)),
        (
            "POST",
            "/v1/flags/search/disable",
            json!({ "dry_run": true, "yes": true }),
            "/dry_run",
            json!(true),
        ),
        ("POST", "/v1/flags/search/deny", json!({ "companies": ["042"] }), "/changed", json!(true)),
        (
            "POST",
            "/v1/flags/search/allow",
            json!({ "companies": ["042"], "yes": true }),
            "/changed",
            json!(true),
        ),
        (
            "POST",
            "/v1/flags/search/forget",
            json!({ "companies": ["042"], "yes": true }),
            "/changed",
            json!(true),
        ),
        ("POST", "/v1/rollback", json!({ "expect_generation": 6, "yes": true }), "/rolled_back_to", json!(5)),
        (
            "POST",
            "/v1/publish",
            json!({ "definitions": flags, "yes": true, "keep": true }),
            "/published",
            json!(true),
        ),
        ("GET", "/v1/plan/fresh", none.clone(), "/flag", json!("fresh")),
        ("POST", "/v1/plan/fresh/start", json!({ "reason": "now" }), "/stage", json!(1)),
        ("POST", "/v1/plan/fresh/hold", json!({ "reason": "wait" }), "/changed", json!(true)),
        ("POST", "/v1/plan/fresh/resume", json!({}), "/changed", json!(true)),
        ("POST", "/v1/plan/fresh/abort", json!({ "dry_run": true, "yes": true }), "/dry_run", json!(true)),
        ("POST", "/v1/plan/fresh/advance", json!({ "reason": "all" }), "/stage", json!(2)),
        (
            "POST",
            "/v1/flags/search/kill",
            json!({ "reason": "slow", "yes": true, "expect_generation": 1 }),
            "/changed",
            json!(true),
        ),
        ("POST", "/v1/flags/search/revive", json!({ "reason": "mended" }), "/changed", json!(true)),
        (
            "POST",
            "/v1/stop-all",
            json!({ "reason": "fire", "environment": "production" }),
            "/changed",
            json!(true),
        ),
        (
            "POST",
            "/v1/guard/pause",
            json!({ "for": "30m", "reason": "load test" }),
            "/environment",
            json!("production"),
        ),
        ("POST", "/v1/guard/resume", json!({}), "/environment", json!("production")),
        ("POST", "/v1/note", json!({ "text": "deploy 42" }), "/environment", json!("production")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = api.ask(user(64_100 + number as u32), method, path, &body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let document = answer.json();
        assert_eq!(document.pointer(pointer), Some(&expected), "{path}: {document}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.header("flagstone-version"), Some(env!("CARGO_PKG_VERSION")), "{path}");
        assert!(
            answer.header("flagstone-generation").is_some() && answer.header("flagstone-exit").is_some(),
            "{path}"
        );
    }
    let resumed = api.ask(user(OWNER), "POST", "/v1/resume-all", &json!({ "reason": "out" })).gives(200);
    assert_eq!(resumed.json()["changed"], true);
    api.get("/v1/experiment?flag=search").gives(200);
    let deleted = api.ask(ROOT, "POST", "/v1/flags/search/delete", &json!({}));
    assert!(deleted.gives(409).json()["error"].as_str().unwrap().contains("search"));
}

#[test]
fn a_kill_by_the_socket_turns_a_flag_off_and_names_who_claimed_it() {
    let api = Api::with_policy(&json!({ "kill": ["www-data"] }));
    assert!(api.is_on("billing_v2"));
    let body = json!({ "reason": "wrong totals" });
    let path = "/v1/flags/billing_v2/kill";
    api.ask(user(STRANGER), "POST", path, &body).gives(403);
    assert!(api.is_on("billing_v2"));
    api.ask_with(user(33), "POST", path, "Flagstone-Person: Alice\r\n", &body).gives(200);
    assert!(!api.is_on("billing_v2"));
    let audit = api.get("/v1/audit?limit=1").gives(200).json();
    let actor = &audit["trail"][0]["actor"];
    assert_eq!((actor["user"].as_str(), actor["account"].as_str()), (Some("Alice"), Some("www-data")));
    assert_eq!((&actor["uid"], &actor["claimed"]), (&json!(33), &json!(true)));
    assert!(api.shop.run(["audit"]).exits(0).out.contains("by Alice, claimed (www-data@"));
    // Nobody claims to be anybody: the account alone is recorded.
    api.ask(user(33), "POST", "/v1/flags/search/kill", &body).gives(200);
    let actor = api.get("/v1/audit?limit=1").json()["trail"][0]["actor"].clone();
    assert_eq!((actor["user"].as_str(), &actor["claimed"]), (Some("www-data"), &Value::Null));
}

#[test]
fn an_export_by_the_socket_is_signed_byte_for_byte_and_names_who_asked() {
    let api = Api::with_policy(&json!({ "export": [33] }));
    let export =
        |who, body: Value| api.ask_with(who, "POST", "/v1/export", "Flagstone-Person: Alice\r\n", &body);
    export(user(STRANGER), json!({ "flags": ["search"] })).gives(403);
    let keyless = export(user(33), json!({ "flags": ["search"] })).gives(409);
    assert!(keyless.body.contains("flagstone key make"), "{}", keyless.body);
    let key = api.shop.run(["key", "make", "--json"]).exits(0).json()["key"].clone();
    for (body, status) in [
        (json!({}), 422),
        (json!({ "flags": ["search"], "all": true }), 422),
        (json!({ "flags": "search", "actor": "Bob" }), 422),
        (json!({ "flags": ["search", "serach"] }), 409),
    ] {
        export(user(33), body).gives(status);
    }
    let signed = export(user(33), json!({ "flags": ["search", "old"], "with_companies": true })).gives(200);
    assert!(signed.body.contains("\"by\":\"Alice, claimed (www-data@"), "{}", signed.body);
    assert!(api.log().contains("/v1/export by Alice, claimed (www-data@"), "{}", api.log());
    api.shop.write("search.export", &signed.body);
    api.shop.run(["init", "other", "--environment", "staging"]).exits(0);
    let other = |arguments: &[&str]| {
        let mut command = api.shop.command([]);
        ran(command.args(arguments).arg("--store=other").output().unwrap()).exits(0)
    };
    other(&["key", "trust", "shop", key.as_str().unwrap()]);
    other(&["import", "search.export", "--with-companies", "--yes"]);
    assert!(other(&["list"]).out.contains("search"));
}

#[test]
fn metrics_have_what_the_agent_answered_by_right_and_status() {
    let mut api = Api::with_policy(&json!({}));
    for _ in 0..3 {
        api.get("/v1/token").gives(200);
    }
    api.get("/v2").gives(404);
    api.ask(user(33), "POST", "/v1/flags/search/kill", &json!({ "reason": "slow" })).gives(403);
    let id = rustix::process::Pid::from_raw(api.agent.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    api.agent.wait().unwrap();
    let metrics = api.shop.run(["metrics"]).exits(0).out;
    for line in [
        "flagstone_agent_requests_total{right=\"view\",status=\"200\"} 3",
        "flagstone_agent_requests_total{right=\"none\",status=\"404\"} 1",
        "flagstone_agent_requests_total{right=\"kill\",status=\"403\"} 1",
        "flagstone_agent_connections_total{served=\"no\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
}

/// The agent held every record of the trail in memory for each page.
#[test]
fn a_page_of_the_trail_has_its_records_and_the_number_of_all() {
    let api = Api::with_policy(&json!({}));
    for number in 1..=5 {
        api.ask(ROOT, "POST", "/v1/note", &json!({ "text": format!("note {number}") })).gives(200);
    }
    let reasons = |answer: Value| {
        let trail = answer["trail"].as_array().unwrap().clone();
        trail.into_iter().map(|record| record["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let page = api.get("/v1/audit?limit=2&offset=1").gives(200).json();
    let total = page["page"]["total"].as_u64().unwrap();
    assert!(total > 5 && page["records"] == total && page["ok"] == true, "{page}");
    assert_eq!(reasons(page), ["note 4", "note 3"]);
    let newest = api.shop.run(["audit", "--limit", "2", "--json"]).exits(0).json();
    assert_eq!(
        (newest["total"].as_u64(), reasons(newest)),
        (Some(total), vec!["note 4".into(), "note 5".into()])
    );
    let told = api.shop.run(["audit", "--limit", "2"]).exits(0).out;
    assert!(told.starts_with(&format!("{} records before these", total - 2)), "{told}");
}

#[test]
fn a_change_that_would_ask_is_refused_with_the_question_and_made_with_yes() {
    let api = Api::with(&json!({}));
    let list: String = (1..=100).map(|id| format!("{id}\n")).collect();
    let path = api.shop.write("companies.txt", list);
    std::os::unix::fs::chown(&path, Some(OWNER), None).unwrap();
    api.shop.write("store/config.json", json!({ "companies": path }).to_string());
    let path = "/v1/flags/billing_v2/disable";
    let refused = api.ask(ROOT, "POST", path, &json!({})).gives(409).json();
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("that have it, more than 20 %") && error.contains("--yes"), "{error}");
    api.ask(ROOT, "POST", path, &json!({ "yes": true, "expect_generation": 7 })).gives(409);
    assert!(api.is_on("billing_v2"));
    api.ask(ROOT, "POST", path, &json!({ "yes": true, "expect_generation": 1 })).gives(200);
    assert!(!api.is_on("billing_v2"));
}

#[test]
fn an_error_has_its_status_and_a_sentence() {
    let api = Api::with_policy(&json!({ "kill": [33] }));
    for (method, path, body, status, expected) in [
        ("GET", "/v1/flags/serach", Value::Null, 404, "did you mean \"search\"?"),
        ("POST", "/v1/flags/serach/kill", json!({ "reason": "slow" }), 404, "did you mean \"search\"?"),
        ("POST", "/v1/flags/search/kill", json!({}), 422, "--reason"),
        (
            "POST",
            "/v1/flags/search/rollout",
            json!({ "percentage": 150 }),
            422,
            "expected a number from 0 to 100",
        ),
        (
            "POST",
            "/v1/flags/search/rollout",
            json!({ "precentage": 15 }),
            422,
            "did you mean \"percentage\"?",
        ),
        ("POST", "/v1/flags/search/allow", json!({ "companies": [], "yes": true }), 503, "found no company"),
        ("POST", "/v1/rollback", json!({}), 409, "no earlier content"),
        (
            "POST",
            "/v1/rollback",
            json!({ "expect_generation": 9 }),
            409,
            "made on generation 9, but 1 is published by now; nothing was changed",
        ),
        ("POST", "/v1/flags/search/kill?reason=slow", json!({}), 422, "in the body"),
        ("POST", "/v1/publish", json!({ "definitions": "flags.json" }), 409, ""),
        ("GET", "/v1/flags?limit=1001", Value::Null, 422, "up to 1000"),
        ("GET", "/v1/token?x=1", Value::Null, 422, "\"x\""),
        ("GET", "/v2/flags", Value::Null, 404, "no such route"),
        ("GET", "/v1/flags/search/kill", Value::Null, 405, "expected POST"),
        ("DELETE", "/v1/flags/search", Value::Null, 405, "expected GET"),
    ] {
        let answer = api.ask(ROOT, method, path, &body);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(&expected.replace('"', "\\\"")), "{path}: {}", answer.body);
    }
    assert_eq!(api.get("/v1/token").header("flagstone-generation"), Some("1"));
}

#[test]
fn the_token_changes_with_the_head_and_costs_no_body_while_it_does_not() {
    let api = Api::with_policy(&json!({}));
    let first = api.ask(user(STRANGER), "GET", "/v1/token", &Value::Null).gives(200);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(format!("\"{}\"", first.json()["token"].as_str().unwrap()), tag);
    let again = |tag: &str| {
        api.ask_with(user(STRANGER), "GET", "/v1/token", &format!("If-None-Match: {tag}\r\n"), &Value::Null)
    };
    let same = again(&tag).gives(304);
    assert_eq!((same.body.as_str(), same.header("etag")), ("", Some(tag.as_str())));
    again(&format!("\"other\", {tag}")).gives(304);
    api.shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let killed = again(&tag).gives(200);
    assert_ne!(killed.header("etag"), Some(tag.as_str()));
    api.shop.run(["rollout", "old", "5"]).exits(0);
    assert_eq!(again(killed.header("etag").unwrap()).gives(200).header("flagstone-generation"), Some("2"));
    // A head without a byte was told of as one of generation 0.
    std::fs::File::create(api.shop.directory.join("store/head")).unwrap();
    until(|| again("\"none\"").status == 503);
}

#[test]
fn hostile_requests_change_nothing_and_end_no_agent() {
    let api = Api::with_policy(&json!({ "change": ["*"], "kill": ["*"] }));
    let long = "x".repeat(100_000);
    let post = |path: &str, length: usize, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: f\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let deep = "[".repeat(200_000);
    for (number, (bytes, statuses)) in [
        (format!("GET /v1/flags/{long} HTTP/1.1\r\nHost: f\r\n\r\n"), &[414, 431][..]),
        (format!("GET /v1/flags HTTP/1.1\r\nHost: f\r\nX: {long}\r\n\r\n"), &[431]),
        (format!("GET /v1/flags HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200)), &[431]),
        ("GET /v1/flags/a%00b HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n".to_owned(), &[400]),
        ("GET /v1/flags/a\0b HTTP/1.1\r\nHost: f\r\n\r\n".to_owned(), &[400]),
        ("GET /v1/../../etc/passwd HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n".to_owned(), &[404]),
        ("GET /v1/flags/..%2F..%2Fetc%2Fpasswd HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n".to_owned(), &[404]),
        ("BREW /v1/flags HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n".to_owned(), &[405]),
        ("GET /v1/flags\r\n\r\n".to_owned(), &[400]),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), &[400, 0]),
        (post("/v1/flags/search/kill", 5, "{\"a\": "), &[422]),
        (post("/v1/flags/search/kill", 2, "[]"), &[422]),
        (post("/v1/flags/search/kill", 7, "{\"\\ud8\""), &[422]),
        (post("/v1/flags/search/kill", deep.len(), &deep), &[422]),
        (post("/v1/flags/search/kill", 2 << 20, ""), &[413]),
        (post("/v1/publish", 20 << 20, ""), &[413]),
        (
            "POST /v1/note HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n".to_owned(),
            &[400, 0],
        ),
        (
            "POST /v1/note HTTP/1.1\r\nHost: f\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
            &[400],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = api.send(user(64_100 + number as u32), bytes.as_bytes());
        let shown: String = bytes.chars().take(80).collect();
        assert!(statuses.contains(&answer.status), "{shown:?}: {} {}", answer.head, answer.body);
    }
    // Half-closed before its body came, and closed while its command runs.
    let mut stream = UnixStream::connect(&api.socket).unwrap();
    stream
        .write_all(b"POST /v1/flags/search/kill HTTP/1.1\r\nHost: f\r\nContent-Length: 50\r\n\r\n{\"reason\"")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    for _ in 0..20 {
        // Those past the sixteenth may be closed before they have written.
        let mut stream = UnixStream::connect(&api.socket).unwrap();
        let _ = stream.write_all(b"GET /v1/audit HTTP/1.1\r\nHost: f\r\n\r\n");
    }
    until(|| api.get("/v1/token").status == 200);
    // A request that was sent whole is answered though its client sends no more.
    let mut stream = UnixStream::connect(&api.socket).unwrap();
    stream.write_all(b"GET /v1/token HTTP/1.1\r\nHost: f\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(Answer::of(&answer).status, 200);
    let token = api.get("/v1/token").gives(200);
    assert_eq!(token.header("flagstone-generation"), Some("1"));
    assert!(api.is_on("billing_v2") && !api.log().contains("panicked"), "{}", api.log());
}

#[test]
fn slow_clients_keep_neither_other_users_nor_the_owner_out() {
    let api = Api::with_policy(&json!({ "kill": [33] }));
    let slow = |uid| {
        let socket = &api.socket;
        acting(user(uid), move || {
            let connect = || {
                let mut stream = UnixStream::connect(socket).unwrap();
                let _ = stream.write_all(b"GET /v1/flags HTTP/1.1\r\nHos");
                stream
            };
            (0..16).map(|_| connect()).collect::<Vec<_>>()
        })
    };
    let mut held = slow(64_100);
    api.ask(user(64_100), "GET", "/v1/token", &Value::Null).gives(429);
    api.ask(user(64_101), "GET", "/v1/token", &Value::Null).gives(200);
    held.extend(slow(64_101));
    api.ask(user(64_105), "GET", "/v1/token", &Value::Null).gives(429);
    // Those whom the policy names have places that others cannot take.
    api.ask(user(33), "POST", "/v1/flags/search/kill", &json!({ "reason": "slow" })).gives(200);
    api.ask(user(OWNER), "POST", "/v1/flags/search/kill", &json!({ "reason": "slow" })).gives(200);
    drop(held);
    until(|| api.ask(user(64_105), "GET", "/v1/token", &Value::Null).status == 200);
}

#[test]
fn an_eleventh_change_of_a_minute_waits_and_a_kill_does_not() {
    let api = Api::with_policy(&json!({ "change": ["*"], "kill": ["*"] }));
    let note = |uid| api.ask(user(uid), "POST", "/v1/note", &json!({ "text": "deploy" }));
    for _ in 0..10 {
        note(STRANGER).gives(200);
    }
    let refused = note(STRANGER);
    // On a machine that needs a minute for ten of them, the first is forgotten.
    if refused.status != 200 {
        let refused = refused.gives(429);
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
    }
    note(64_030).gives(200);
    api.ask(user(STRANGER), "POST", "/v1/flags/search/kill", &json!({ "reason": "slow" })).gives(200);
}

#[test]
fn the_socket_of_a_dead_agent_is_replaced_and_that_of_a_live_one_is_not() {
    let mut api = Api::with_policy(&json!({}));
    let found = std::fs::symlink_metadata(&api.socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!((found.uid(), found.mode() & 0o777), (OWNER, 0o666));
    let lock = std::fs::metadata(api.shop.directory.join("store/agent.sock.lock")).unwrap();
    assert_eq!(lock.mode() & 0o777, 0o600);
    let mut second = agent(&api.shop);
    until(|| api.log().contains("another agent of this store takes requests there"));
    assert_eq!(std::fs::symlink_metadata(&api.socket).unwrap().ino(), found.ino());
    assert!(second.try_wait().unwrap().is_none(), "the second agent goes on without a socket");
    second.kill().unwrap();
    second.wait().unwrap();
    api.agent.kill().unwrap();
    api.agent.wait().unwrap();
    assert!(UnixStream::connect(&api.socket).is_err() && api.socket.symlink_metadata().is_ok());
    api.agent = agent(&api.shop);
    until(|| UnixStream::connect(&api.socket).is_ok());
    api.get("/v1/token").gives(200);
    // Other things of the store are read as before.
    api.shop.run(["status"]).exits(0);
}

#[test]
fn no_socket_is_made_behind_a_link_or_where_others_can_exchange_it() {
    for (prepare, problem) in [
        (
            (|shop, _| symlink(shop, shop.join("link")).unwrap()) as fn(&Path, &Path),
            "is a link or no directory",
        ),
        (
            |_, place| {
                std::fs::create_dir(place).unwrap();
                std::fs::set_permissions(place, PermissionsExt::from_mode(0o1777)).unwrap();
            },
            "is writable by others",
        ),
        (
            |_, place| {
                std::fs::create_dir(place).unwrap();
                std::os::unix::fs::chown(place, Some(STRANGER), None).unwrap();
            },
            "belongs to user 64021",
        ),
        (
            |_, place| {
                std::fs::create_dir(place).unwrap();
                std::os::unix::fs::chown(place, Some(OWNER), None).unwrap();
                std::fs::write(place.join("a.sock"), "").unwrap();
            },
            "found something else than a socket there",
        ),
    ] {
        let api = Api::with(&json!({}));
        let place = api.shop.directory.join("link");
        prepare(&api.shop.directory, &place);
        let config = json!({ "agent": { "socket": place.join("a.sock") } });
        api.shop.write("store/config.json", config.to_string());
        let mut second = agent(&api.shop);
        until(|| api.log().contains("no requests are taken: "));
        assert!(api.log().contains(problem), "{}", api.log());
        second.kill().unwrap();
        second.wait().unwrap();
        assert!(!place.join("a.sock").symlink_metadata().is_ok_and(|found| found.file_type().is_socket()));
    }
}

#[test]
fn a_changed_policy_holds_without_a_restart_and_a_broken_one_takes_nothing_away() {
    let api = Api::with_policy(&json!({}));
    let status = || api.ask(user(33), "POST", "/v1/flags/search/kill", &json!({ "reason": "slow" })).status;
    assert_eq!(status(), 403);
    api.shop.write("store/config.json", json!({ "agent": { "policy": { "kill": [33] } } }).to_string());
    until(|| status() == 200);
    api.shop.write("store/config.json", "{");
    until(|| {
        assert_eq!(status(), 200);
        api.log().contains("the policy before holds")
    });
}

#[test]
fn what_the_api_document_shows_is_what_the_agent_answers() {
    let api = Api::with_policy(&json!({}));
    let text = crate::documents::read("docs/api.md");
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut found = 0;
    for block in text.split("    $ curl ").skip(1) {
        let (line, rest) = block.split_once('\n').unwrap();
        let expected = rest.lines().next().unwrap().trim();
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("curl {line}")]).env("SOCKET", &api.socket);
        let printed = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        let printed =
            printed.trim().replace(&format!("\"machine\":\"{}\"", machine.trim()), "\"machine\":\"web-1\"");
        assert_eq!(printed, expected, "curl {line}");
        found += 1;
    }
    assert_eq!(found, 3);
    // Each route of the table of the policy's rights stands in the document.
    for (_, path, _) in RIGHTS {
        let last = path.rsplit('/').next().unwrap();
        assert!(text.contains(&format!("{path}`")) || text.contains(&format!("`{last}`")), "{path}");
    }
}
