//! `probe`: probes against a small server, and files of probes with mistakes in them.

use crate::shop::{Ran, Shop, ran};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../../schema/probes.schema.json")).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema is none");
    jsonschema::validator_for(&schema).unwrap()
});

/// A server whose portal is there for company 15 only; its address.
fn portal() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    static FLAKY: AtomicU32 = AtomicU32::new(0);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut first, mut head) = (String::new(), String::new());
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let path = first.split(' ').nth(1).unwrap();
        let (status, more, text) = match path {
            "/portal" if head.contains("cookie: session=of-15") => {
                ("200 OK", "", "Invoices of company 15".to_owned())
            }
            "/portal" => ("404 Not Found", "", "Not Found".to_owned()),
            "/old" => ("302 Found", "location: /echo\r\n", String::new()),
            "/away" if head.contains("x-to: ") => {
                let to = head.lines().find_map(|line| line.strip_prefix("x-to: ")).unwrap().trim();
                let away = format!("HTTP/1.1 307 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(away.as_bytes()).unwrap();
                continue;
            }
            "/loop" => ("302 Found", "location: /loop\r\n", String::new()),
            "/echo" => ("200 OK", "", format!("{first}{head}{}", String::from_utf8_lossy(&body))),
            "/slow" => {
                std::thread::sleep(Duration::from_millis(400));
                ("200 OK", "", "late".to_owned())
            }
            "/flaky" => match FLAKY.fetch_add(1, Ordering::Relaxed) % 4 {
                0 => ("500 Internal Server Error", "", "Whoops".to_owned()),
                _ => ("200 OK", "", "fine".to_owned()),
            },
            "/cut" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
                return;
            }
            "/cookie" => ("200 OK", "set-cookie: session=of-15\r\n", String::new()),
            _ => ("404 Not Found", "", "Not Found".to_owned()),
        };
        let answer = format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\n\r\n{text}", text.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn probe_all(shop: &Shop, probes: &Value, options: &[&str]) -> Ran {
    assert!(SCHEMA.is_valid(probes), "the schema refuses {probes:#}");
    shop.write("probes.json", probes.to_string());
    let mut command = shop.command(["probe", "probes.json", "--json"]);
    ran(command.env("PILOT_SESSION", "of-15").env("NO_PROXY", "*").args(options).output().unwrap())
}

/// One probe of that path with these fields.
fn probe(server: &str, path: &str, fields: Value) -> Value {
    let mut probe = json!({ "url": path, "expect": { "status": 200 } });
    probe.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({ "base_url": server, "probes": [probe] })
}

/// What is wrong with the first probe.
fn wrong(ran: &Ran) -> String {
    ran.json()["probes"][0]["wrong"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join("; ")
}

#[test]
fn a_pilot_has_the_portal_and_others_have_not() {
    let (shop, server) = (Shop::empty(), portal());
    let probes = json!({
        "base_url": "http://unused.invalid",
        "companies": {
            "pilot": { "cookies": { "session": "${PILOT_SESSION}" } },
            "other": { "cookies": { "session": "of-16" } }, "third": { "headers": { "Authorization": "x" } }
        },
        "probes": [
            { "url": "/portal", "company": "pilot", "expect": { "status": 200, "contains": "Invoices", "lacks": ["Whoops"] } },
            { "url": "/portal", "company": ["other", "third"], "expect": { "status": 404, "contains": ["Not", "Found"] } },
            { "name": "guests", "url": "/portal", "expect": { "status": [403, 404], "max_ms": 60000 } }
        ]
    });
    let ran = probe_all(&shop, &probes, &["--base-url", &server]).exits(0);
    let json = ran.json();
    assert_eq!(
        (json["ok"].as_bool(), json["score"].as_u64(), json["requests"].as_u64()),
        (Some(true), Some(100), Some(4))
    );
    let names: Vec<_> =
        json["probes"].as_array().unwrap().iter().map(|probe| probe["probe"].as_str().unwrap()).collect();
    assert_eq!(names, ["GET /portal as pilot", "GET /portal as other", "GET /portal as third", "guests"]);
    // The other way round nothing is as expected.
    let swapped = probes.to_string().replace("404", "418").replace("\"status\":200", "\"status\":404");
    let ran = probe_all(&shop, &serde_json::from_str(&swapped).unwrap(), &["--base-url", &server]).exits(1);
    assert_eq!(ran.json()["passed"], 0, "{}", ran.out);
    assert_eq!(wrong(&ran), "found status 200, expected 404");
}

#[test]
fn secrets_from_the_environment_are_sent_and_never_printed() {
    let (shop, server) = (Shop::empty(), portal());
    let fields = json!({
        "method": "POST", "url": "/echo?token=${PILOT_SESSION}", "headers": { "X-Key": "k-${PILOT_SESSION}-$${X}" },
        "cookies": { "session": "${PILOT_SESSION}" }, "body": "b=${PILOT_SESSION}",
        "expect": { "status": 404, "contains": "never" }
    });
    let ran = probe_all(&shop, &probe(&server, "", fields.clone()), &[]).exits(1);
    assert!(!ran.out.contains("of-15") && ran.out.contains("${PILOT_SESSION}"), "{}", ran.out);
    let sent = ["POST /echo", "x-key: k-of-15-${X}", "cookie: session=of-15", "b=of-15"];
    let mut well = fields;
    well["url"] = json!("/echo");
    well["expect"] = json!({ "status": 200, "contains": sent });
    probe_all(&shop, &probe(&server, "", well), &[]).exits(0);
    let unset = probe(&server, "/echo", json!({ "headers": { "X": "${NOT_THERE}" } }));
    let ran = probe_all(&shop, &unset, &[]).exits(2);
    assert!(ran.err.contains("1 error: nothing was sent"), "{}", ran.err);
}

#[test]
fn a_redirect_is_the_answer_unless_it_is_to_be_followed() {
    let (shop, server) = (Shop::empty(), portal());
    let redirect = json!({ "expect": { "status": 302, "headers": { "Location": "/echo" } } });
    probe_all(&shop, &probe(&server, "/old", redirect), &[]).exits(0);
    let followed = json!({ "redirects": 1, "expect": { "status": 200, "contains": "GET /echo" } });
    probe_all(&shop, &probe(&server, "/old", followed), &[]).exits(0);
    // On the same host as the company, and with what was posted where the answer keeps the method; elsewhere without its secrets.
    let posted = |to: &str, expect: Value| json!({ "method": "POST", "redirects": 1, "body": "posted", "headers": { "X-To": to }, "cookies": { "session": "of-15" }, "expect": expect });
    let same = json!({ "status": 200, "contains": ["POST /echo", "session=of-15", "posted"] });
    probe_all(&shop, &probe(&server, "/away", posted("echo#y", same)), &[]).exits(0);
    let other = json!({ "status": 200, "contains": "GET /echo", "lacks": ["session=of-15", "x-to"] });
    let mut get = posted(&format!("{}/echo", portal()), other);
    get["method"] = json!("GET");
    get.as_object_mut().unwrap().remove("body");
    probe_all(&shop, &probe(&server, "/away", get), &[]).exits(0);
    let ran = probe_all(&shop, &probe(&server, "/loop", json!({ "redirects": 3 })), &[]).exits(1);
    assert!(wrong(&ran).contains("more redirects"), "{}", ran.out);
    let elsewhere = json!({ "expect": { "status": 302, "headers": { "Location": "/login" } } });
    let ran = probe_all(&shop, &probe(&server, "/old", elsewhere), &[]).exits(1);
    assert_eq!(wrong(&ran), "header location: found /echo, expected \"/login\"");
}

/// A status that keeps method and body sent a login's password to whichever host the answer named.
#[test]
fn a_body_is_not_sent_to_another_host() {
    let (shop, server) = (Shop::empty(), portal());
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let other_host = format!("http://{}/echo", other.local_addr().unwrap());
    for method in ["POST", "PUT", "DELETE"] {
        let fields = json!({ "method": method, "redirects": 1, "body": "password=secret", "headers": { "X-To": other_host } });
        let ran = probe_all(&shop, &probe(&server, "/away", fields), &[]).exits(1);
        assert_eq!(wrong(&ran), "status 307 redirects to another host, where its body is not sent");
        assert_eq!(
            other.accept().unwrap_err().kind(),
            ErrorKind::WouldBlock,
            "{method}: the other host was asked"
        );
    }
}

#[test]
fn what_an_answer_sets_is_not_sent_by_the_next() {
    let (shop, server) = (Shop::empty(), portal());
    let probes = json!({ "base_url": server, "probes": [
        { "url": "/cookie", "expect": { "status": 200 } }, { "url": "/portal", "expect": { "status": 404 } }
    ] });
    probe_all(&shop, &probes, &["--parallel", "1", "--repeat", "3"]).exits(0);
}

#[test]
fn time_that_is_too_long_and_answers_that_do_not_come_are_told() {
    let (shop, server) = (Shop::empty(), portal());
    let ran = probe_all(&shop, &probe(&server, "/slow", json!({ "timeout_ms": 50 })), &[]).exits(1);
    assert_eq!(wrong(&ran), "no whole answer within 50 ms");
    let slow = json!({ "expect": { "status": 200, "max_ms": 100 } });
    let ran = probe_all(&shop, &probe(&server, "/slow", slow), &[]).exits(1);
    assert!(wrong(&ran).ends_with("expected at most 100 ms"), "{}", ran.out);
    let ran = probe_all(&shop, &probe(&server, "/cut", json!({})), &[]).exits(1);
    assert!(wrong(&ran).starts_with("status 200, then no answer"), "{}", ran.out);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = probe_all(&shop, &probe(&format!("http://{closed}"), "/", json!({})), &[]).exits(1);
    assert!(wrong(&ran).starts_with("no answer: "), "{}", ran.out);
    assert_eq!(ran.json()["score"], 0);
}

#[test]
fn repeated_probes_are_counted_and_timed() {
    let (shop, server) = (Shop::empty(), portal());
    let fields = json!({ "expect": { "status": 200, "contains": "fine" } });
    let ran =
        probe_all(&shop, &probe(&server, "/flaky", fields.clone()), &["--repeat", "40", "--parallel", "8"])
            .exits(1);
    let json = ran.json();
    assert_eq!((json["requests"].as_u64(), json["score"].as_u64()), (Some(40), Some(75)), "{json:#}");
    assert_eq!(json["probes"][0]["statuses"], json!({ "200": 30, "500": 10 }));
    let times = &json["times"];
    let at = |name: &str| times[name].as_f64().unwrap();
    assert!(
        at("p50_ms") <= at("p95_ms") && at("p95_ms") <= at("p99_ms") && at("p99_ms") <= at("max_ms"),
        "{times}"
    );
    // Eight at a time take less than a quarter of one after the other.
    let began = std::time::Instant::now();
    probe_all(&shop, &probe(&server, "/slow", json!({})), &["--repeat", "16", "--parallel", "16"]).exits(0);
    assert!(began.elapsed() < Duration::from_millis(16 * 400 / 2), "{:?}", began.elapsed());
}

#[test]
fn people_get_a_line_for_each_probe_and_a_sum() {
    let (shop, server) = (Shop::empty(), portal());
    shop.write("probes.json", probe(&server, "/portal", json!({ "name": "\u{1b}[2Jportal" })).to_string());
    let mut command = shop.command(["probe", "probes.json"]);
    let ran = ran(command.env("NO_PROXY", "*").output().unwrap()).exits(1);
    assert!(ran.out.contains("FAILED") && ran.out.contains("found status 404, expected 200"), "{}", ran.out);
    assert!(ran.out.contains("not as expected: 0 of 1 request, score 0 of 100; p50 "), "{}", ran.out);
    assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
}

#[test]
fn every_mistake_in_a_file_is_told_with_its_place() {
    let shop = Shop::empty();
    let text = r#"{
  "base_url": "shop.example",
  "companys": {},
  "companies": { "pilot": { "cookies": { "a": "b;c" } } },
  "probes": [
    { "url": "portal", "expect": { "status": "200" } },
    { "url": "/x", "company": "pilto", "expect": { "status": 99, "max_ms": 0 } },
    { "url": "/x", "method": "get", "headers": { "a b": "c" }, "expect": { "status": [], "contains": [""] } },
    { "url": "/x", "body": 7, "redirects": 21 }
  ]
}"#;
    shop.write("probes.json", text);
    let said = shop.run(["probe", "probes.json", "--base-url", "https://shop.example"]).exits(2);
    for line in [
        "probes.json:3:15: /companys: unknown key \"companys\" (did you mean \"companies\"?)",
        "probes.json:4:47: /companies/pilot/cookies/a: not to be sent as a cookie",
        "probes.json:6:14: /probes/0/url: found \"portal\", expected a path",
        "probes.json:6:46: /probes/0/expect/status: found \"200\", expected a status from 100 to 599",
        "probes.json:7:31: /probes/1/company: unknown company \"pilto\" (did you mean \"pilot\"?)",
        "probes.json:7:62: /probes/1/expect/status: found 99",
        "probes.json:7:76: /probes/1/expect/max_ms: found 0, expected milliseconds from 1 to 600,000",
        "probes.json:8:30: /probes/2/method: found \"get\"",
        "probes.json:8:57: /probes/2/headers/a b: not to be sent",
        "/probes/2/expect/status: found [], expected a status",
        "/probes/2/expect/contains: found [\"\"], expected a text that is not empty",
        "probes.json:9:28: /probes/3/body: found 7, expected a text",
        "probes.json:9:44: /probes/3/redirects: found 21",
        "probes.json:9:5: /probes/3/expect: found null, expected an object",
    ] {
        assert!(said.out.contains(line), "expected {line:?} in\n{}", said.out);
    }
    assert!(said.err.contains("14 errors: nothing was sent"), "{}", said.err);
    let alone = shop.run(["probe", "probes.json"]).exits(2);
    assert!(alone.out.contains("probes.json:2:15: /base_url: expected an address"), "{}", alone.out);
    for (broken, place) in [
        ("{\"probes\": [}", "probes.json:1:13"),
        ("{\"probes\": 1, \"probes\": []}", "probes.json:1:"),
        ("[]", "probes.json:1:1"),
    ] {
        shop.write("probes.json", broken);
        let said = shop.run(["probe", "probes.json"]).exits(2);
        assert!(said.out.contains(place), "{broken}: {}", said.out);
    }
    shop.run(["probe", "missing.json"]).exits(2);
    for option in
        [["--base-url", "shop.example"], ["--repeat", "0"], ["--parallel", "257"], ["--base-url", "https://"]]
    {
        let mut command = shop.command(["probe", "probes.json"]);
        assert_eq!(command.args(option).output().unwrap().status.code(), Some(2), "{option:?}");
    }
}

#[test]
fn the_schema_refuses_what_the_command_refuses() {
    let shop = Shop::empty();
    let well = json!({ "url": "https://a.example/x", "expect": { "status": 200 } });
    let with = |field: &str, value: Value| {
        let mut probe = well.clone();
        probe[field] = value;
        json!({ "probes": [probe] })
    };
    for bad in [
        json!({}),
        json!({ "probes": [] }),
        json!({ "probes": [well], "x": 1 }),
        json!({ "probes": [well], "timeout_ms": 0 }),
        json!({ "probes": [well], "companies": { "a": { "cookie": {} } } }),
        with("url", json!(1)),
        with("method", json!("get")),
        with("company", json!([])),
        with("headers", json!({ "a": 1 })),
        with("headers", json!({ "": "a" })),
        with("body", json!({})),
        with("redirects", json!(-1)),
        with("timeout_ms", json!(1.5)),
        with("expect", json!({})),
        with("expect", json!({ "status": 600 })),
        with("expect", json!({ "status": 200, "contains": [1] })),
        with("expect", json!({ "status": 200, "lacks": "" })),
        with("expect", json!({ "status": 200, "max_ms": 600_001 })),
        with("expect", json!({ "status": 200, "header": {} })),
    ] {
        assert!(!SCHEMA.is_valid(&bad), "the schema accepts {bad}");
        shop.write("probes.json", bad.to_string());
        let said = shop.run(["probe", "probes.json"]).exits(2);
        assert!(said.err.contains("nothing was sent"), "{bad}: {}", said.err);
    }
    let example: Value =
        serde_json::from_str(include_str!("../../../../examples/laravel/probes.json")).unwrap();
    assert!(SCHEMA.is_valid(&example));
}

#[test]
fn the_file_that_the_document_shows_is_one() {
    let document = include_str!("../../../../docs/deploying.md");
    let text = document.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let (shop, server) = (Shop::empty(), portal());
    let probes: Value = serde_json::from_str(text).unwrap();
    assert!(SCHEMA.is_valid(&probes));
    shop.write("probes.json", text.replace("portal_session", "session"));
    let mut command = shop.command(["probe", "probes.json", "--base-url", &server]);
    let ran =
        command.env("PILOT_SESSION", "of-15").env("OTHER_TOKEN", "x").env("NO_PROXY", "*").output().unwrap();
    crate::shop::ran(ran).exits(0);
    // Every field that the schema has is described.
    let schema: Value = serde_json::from_str(include_str!("../../../../schema/probes.schema.json")).unwrap();
    let fields = |of: &Value| of["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let probe = &schema["$defs"]["probe"];
    for field in fields(probe)
        .iter()
        .chain(&fields(&probe["properties"]["expect"]))
        .filter(|field| *field != "$comment")
    {
        assert!(
            document.contains(&format!("`{field}`"))
                || document.contains(&format!("expect.{field}`"))
                || *field == "expect",
            "{field}"
        );
    }
}
