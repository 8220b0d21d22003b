//! `notify` and `run`: what happens to a store reaches webhooks.

use crate::shop::{Ran, Shop};
use flagstone::guard::NoticeKind;
use flagstone::notify::signature;
use flagstone::publish::Change;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a receiver got: headers in lower case, and the body.
#[derive(Clone)]
struct Got {
    headers: Vec<String>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Listens on this machine and answers every request with what `answer` says of its number; none: it hangs.
fn receiver(answer: fn(usize) -> Option<u16>) -> (String, Arc<Mutex<Vec<Got>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let got = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&got);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let all = Arc::clone(&all);
            std::thread::spawn(move || serve(stream, &all, answer));
        }
    });
    (url, got)
}

fn serve(stream: TcpStream, all: &Mutex<Vec<Got>>, answer: fn(usize) -> Option<u16>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                line => headers.push(match line.split_once(':') {
                    Some((name, value)) => format!("{}: {}", name.to_lowercase(), value.trim()),
                    None => line.to_owned(),
                }),
            }
        }
        let mut got = Got { headers, body: String::new() };
        let length = got.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        got.body = String::from_utf8(body).unwrap();
        let number = {
            let mut all = all.lock().unwrap();
            all.push(got);
            all.len() - 1
        };
        let Some(status) = answer(number) else {
            std::thread::sleep(Duration::from_secs(60));
            return;
        };
        let wait = if status == 429 { "Retry-After: 300\r\n" } else { "" };
        let text = format!("HTTP/1.1 {status} X\r\n{wait}Content-Length: 0\r\n\r\n");
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// A store whose endpoints are those, which have heard of it.
fn listening(endpoints: &str) -> Shop {
    let shop = Shop::published();
    let secret = shop.write("secret", "open sesame\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = endpoints.replace("SECRET", secret.to_str().unwrap());
    shop.write("store/config.json", format!("{{\"notify\": {{{config}}}}}"));
    shop.run(["notify"]);
    shop
}

fn json(url: &str) -> String {
    format!(r#""ops": {{"url": "{url}", "secret_file": "SECRET"}}"#)
}

fn kill(shop: &Shop, reason: &str) -> Ran {
    shop.run(["kill", "search", "--reason", reason]).exits(0)
}

#[test]
fn a_change_is_told_once_signed_and_with_an_id() {
    let (url, got) = receiver(|_| Some(200));
    let shop = listening(&json(&url));
    assert!(got.lock().unwrap().is_empty(), "what was before is not told");
    kill(&shop, "wrong totals");
    shop.run(["rollout", "search", "5"]).exits(0);
    let ran = shop.run(["notify"]).exits(0);
    assert_eq!(ran.out, "ops: 2 sent\n");
    shop.run(["notify"]).exits(0);
    let got = got.lock().unwrap().clone();
    assert_eq!(got.len(), 2);
    let event: serde_json::Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(
        (&event["action"], &event["flag"], &event["reason"]),
        (&"kill".into(), &"search".into(), &"wrong totals".into())
    );
    assert_eq!(got[0].header("x-flagstone-event"), event["id"].as_str());
    let header = got[0].header("x-flagstone-signature").unwrap();
    let seconds = header.split([',', '=']).nth(1).unwrap().parse().unwrap();
    assert_eq!(header, signature(b"open sesame", seconds, &got[0].body));
    let second: serde_json::Value = serde_json::from_str(&got[1].body).unwrap();
    assert_eq!(second["differences"][0]["after"], 5);
}

#[test]
fn slack_gets_a_sentence_in_which_text_from_people_calls_nobody() {
    let (url, got) = receiver(|_| Some(200));
    let shop = listening(&format!(r#""ops": {{"url": "{url}", "format": "slack"}}"#));
    kill(&shop, "<!channel> @here & <https://evil.example|click>");
    shop.run(["notify"]).exits(0);
    let body: serde_json::Value = serde_json::from_str(&got.lock().unwrap()[0].body).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(text.starts_with("*production*: kill search by "), "{text}");
    assert!(!text.contains('<') && !text.contains("@here"), "{text}");
    assert!(text.contains("&lt;!channel&gt;") && text.contains("&amp;"), "{text}");
}

#[test]
fn an_endpoint_takes_only_the_changes_that_it_wants() {
    let (url, got) = receiver(|_| Some(200));
    let shop = listening(&format!(
        r#""ops": {{"url": "{url}", "format": "slack", "actions": ["kill", "stop_all"]}}"#
    ));
    shop.run(["rollout", "search", "5"]).exits(0);
    kill(&shop, "x");
    shop.run(["notify"]).exits(0);
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[test]
fn an_event_says_how_urgent_it_is_and_to_which_incident_it_belongs() {
    let (url, got) = receiver(|_| Some(200));
    let (urgent, pages) = receiver(|_| Some(200));
    let shop = listening(&format!(
        r#"{}, "pager": {{"url": "{urgent}", "secret_file": "SECRET", "severity": "page"}}"#,
        json(&url)
    ));
    kill(&shop, "wrong totals");
    shop.run(["rollout", "search", "5"]).exits(0);
    shop.run(["revive", "search", "--reason", "mended"]).exits(0);
    let store = flagstone::publish::Store::open(&shop.directory.join("store")).unwrap();
    let change = Change { reason: Some("half of all requests fail".to_owned()), ..Change::by_me(None) };
    for (kind, flag) in [
        (NoticeKind::Outage, None),
        (NoticeKind::Pilots, Some("search")),
        (NoticeKind::Helped, Some("search")),
        (NoticeKind::OutageOver, None),
    ] {
        let _ = store.guard_notice(kind, flag, (None, None), &change).unwrap();
    }
    shop.run(["notify"]).exits(0);
    let events = |got: &Mutex<Vec<Got>>| -> Vec<Value> {
        got.lock().unwrap().iter().map(|got| serde_json::from_str(&got.body).unwrap()).collect()
    };
    let all = events(&got);
    let id = all[0]["incident"].as_str().unwrap().strip_suffix("-flag-search").unwrap().to_owned();
    let told = |event: &Value| {
        let incident =
            event["incident"].as_str().map(|incident| incident.strip_prefix(&id).unwrap().to_owned());
        let text = |key: &str| event[key].as_str().unwrap_or("").to_owned();
        (text("action"), text("notice"), text("severity"), incident, event["resolves"].as_bool().unwrap())
    };
    let expected = [
        ("kill", "", "page", Some("-flag-search"), false),
        ("rollout", "", "info", None, false),
        ("revive", "", "info", Some("-flag-search"), true),
        ("guard", "outage", "page", Some("-outage"), false),
        ("guard", "pilots", "ticket", Some("-flag-search"), false),
        ("guard", "helped", "info", Some("-flag-search"), true),
        ("guard", "outage_over", "info", Some("-outage"), true),
    ];
    let expected = expected.map(|(action, notice, severity, incident, resolves)| {
        (action.to_owned(), notice.to_owned(), severity.to_owned(), incident.map(str::to_owned), resolves)
    });
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), expected);
    // Pages, and what ends them.
    let pages = events(&pages).iter().map(|event| event["seq"].clone()).collect::<Vec<_>>();
    let of_pages = [0, 2, 3, 5, 6].map(|at: usize| all[at]["seq"].clone());
    assert_eq!(pages, of_pages);
}

#[test]
fn an_endpoint_that_asks_for_time_gets_it() {
    let (url, _) = receiver(|_| Some(429));
    let shop = listening(&json(&url));
    kill(&shop, "x");
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let before = now();
    shop.run(["notify"]).exits(1);
    let status = shop.run(["notify", "--status", "--json"]).exits(0).json();
    let next = status["endpoints"][0]["cursor"]["pending"]["next"].as_u64().unwrap() / 1_000_000;
    assert!((before + 299..=now() + 300).contains(&next), "{next}, {before}");
}

#[test]
fn what_failed_is_tried_again_later_and_in_order_and_shown() {
    let (url, got) = receiver(|number| Some(if number == 0 { 503 } else { 200 }));
    let shop = listening(&json(&url));
    kill(&shop, "first");
    shop.run(["revive", "search", "--reason", "second"]).exits(0);
    let ran = shop.run(["notify"]).exits(1);
    assert_eq!(ran.out, "ops: 0 sent; it answered with status 503\n");
    let status = shop.run(["notify", "--status", "--json"]).exits(0).json();
    assert_eq!(status["endpoints"][0]["waiting"], 2);
    assert_eq!(status["endpoints"][0]["cursor"]["pending"]["tries"], 1);
    // Not before its pause is over.
    shop.run(["notify"]).exits(1);
    assert_eq!(got.lock().unwrap().len(), 1);
    let end = Instant::now() + Duration::from_secs(60);
    while got.lock().unwrap().len() < 3 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        shop.run(["notify"]);
    }
    let reasons: Vec<bool> = got.lock().unwrap().iter().map(|got| got.body.contains("second")).collect();
    assert_eq!(reasons, [false, false, true]);
}

#[test]
fn what_is_never_taken_is_given_up_at_once_and_shown_and_the_next_goes_on() {
    let (url, got) = receiver(|number| Some(if number == 0 { 400 } else { 200 }));
    let shop = listening(&json(&url));
    kill(&shop, "first");
    shop.run(["revive", "search"]).exits(0);
    let ran = shop.run(["notify"]).exits(1);
    assert_eq!(ran.out, "ops: 1 sent, 1 given up\n");
    assert_eq!(got.lock().unwrap().len(), 2);
    let status = shop.run(["notify", "--status"]).exits(0);
    assert!(status.out.contains("ops: given up record"), "{}", status.out);
}

#[test]
fn an_endpoint_that_hangs_delays_no_change_and_no_other_endpoint() {
    let (hanging, _) = receiver(|_| None);
    let (url, got) = receiver(|_| Some(200));
    let hanging = format!(r#""a": {{"url": "{hanging}", "format": "slack"}}, {}"#, json(&url));
    let shop = listening(&hanging);
    kill(&shop, "x");
    let mut sender = shop.command(["notify"]).stdout(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(8);
    while got.lock().unwrap().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(got.lock().unwrap().len(), 1, "the other endpoint waited");
    shop.run(["revive", "search"]).exits(0);
    assert!(sender.try_wait().unwrap().is_none(), "the change was made while the sender hung");
    assert_eq!(sender.wait().unwrap().code(), Some(1), "it is cut off");
}

#[test]
fn no_event_is_lost_when_the_sender_is_killed_at_any_moment_and_again_means_the_same_id() {
    let (url, got) = receiver(|_| Some(200));
    let shop = listening(&json(&url));
    let ids = || -> Vec<String> {
        got.lock().unwrap().iter().map(|got| got.header("x-flagstone-event").unwrap().to_owned()).collect()
    };
    for round in 0..25u64 {
        kill(&shop, "x");
        shop.run(["revive", "search"]).exits(0);
        let mut sender = shop.command(["notify"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(3 + round * 7 % 60));
        let _ = sender.kill();
        sender.wait().unwrap();
    }
    shop.run(["notify"]).exits(0);
    let ids = ids();
    let once: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(once.len(), 50);
    // In order, but for those sent again.
    let mut first = Vec::new();
    ids.iter().for_each(|id| {
        if !first.contains(&id) {
            first.push(id)
        }
    });
    let number = |id: &str| id.rsplit('-').nth(1).unwrap().parse::<u64>().unwrap();
    assert!(first.iter().map(|id| number(id)).is_sorted());
}

#[test]
fn the_daemon_sends_what_happens() {
    let (url, got) = receiver(|_| Some(200));
    let shop = listening(&json(&url));
    let mut daemon = shop.command(["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    kill(&shop, "x");
    let end = Instant::now() + Duration::from_secs(30);
    while got.lock().unwrap().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[test]
fn settings_of_endpoints_that_cannot_work_are_refused_with_their_place() {
    let shop = Shop::published();
    for (endpoint, said) in [
        (r#"{"url": "ftp://x", "format": "slack"}"#, "expected https://"),
        (r#"{"format": "slack"}"#, "expected one of \"url\" and \"url_file\""),
        (r#"{"url": "https://x"}"#, "expected a \"secret_file\""),
        (r#"{"url": "https://x", "format": "slak"}"#, "slak"),
        (r#"{"url": "https://x", "secret_file": "secret"}"#, "expected an absolute path"),
    ] {
        shop.write("store/config.json", format!("{{\"notify\": {{\"ops\": {endpoint}}}}}"));
        let ran = shop.run(["notify"]).exits(2);
        assert!(ran.err.contains(said) && ran.err.contains("config.json:1:"), "{}", ran.err);
    }
}

#[test]
fn a_secret_that_everybody_can_read_signs_nothing() {
    let (url, got) = receiver(|_| Some(200));
    let shop = listening(&json(&url));
    std::fs::set_permissions(shop.directory.join("secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    kill(&shop, "x");
    let ran = shop.run(["notify"]).exits(1);
    assert!(ran.out.contains("can be read by everybody"), "{}", ran.out);
    assert!(got.lock().unwrap().is_empty());
}

// "well", of an endpoint whose address could not be read.
#[test]
fn status_says_of_an_endpoint_that_its_files_cannot_be_read() {
    let shop = listening(
        r#""ops": {"url_file": "SECRET", "format": "slack"}, "signed": {"url": "http://127.0.0.1:9/", "secret_file": "SECRET"}"#,
    );
    let status = || shop.run(["notify", "--status"]).exits(0).out;
    assert_eq!(status().matches(" well").count(), 2, "{}", status());
    std::fs::remove_file(shop.directory.join("secret")).unwrap();
    assert_eq!(
        (status().matches(" well").count(), status().matches("No such file").count()),
        (0, 2),
        "{}",
        status()
    );
    let json = shop.run(["notify", "--status", "--json"]).exits(0).json();
    assert!(json["endpoints"][0]["problem"].as_str().unwrap().contains("No such file"), "{json}");
}
