//! The routes of the API: each is a command, run as if its parameters had been typed.
//!
//! No route reaches an option or an argument that names a file: a path of the agent's machine is never read for a request.

use crate::args;
use flagstone::publish::Right;
use std::sync::OnceLock;

/// The method of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// The users who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Those who hold the right.
    Of(Right),
    /// Root and the store's owner alone, whatever the policy says.
    Owner,
}

/// The source of a route's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The head's generation and epoch.
    Token,
    /// The buckets of companies.
    Buckets,
    /// A command, by its names.
    Command(&'static [&'static str]),
}

/// A member of the body that the command reads as standard input.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    pub member: &'static str,
    /// The argument that has the command read it, if it is a command's.
    pub argument: Option<&'static str>,
}

/// The work that a route makes, which decides what it may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Read,
    Change,
    Emergency,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: Method,
    /// The path; `{name}` is a parameter.
    pub path: &'static str,
    pub holder: Holder,
    pub source: Source,
    /// Parameters that are arguments, in their order.
    pub positionals: &'static [&'static str],
    /// Parameters that are options: the same name with `-` for `_`, but [`option_name`].
    pub options: &'static [&'static str],
    /// Parameters that are taken and do nothing.
    pub ignored: &'static [&'static str],
    pub text: Option<Text>,
    /// The member of the answer that is paged.
    pub page: Option<Page>,
}

/// A list in an answer that is given in parts.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub member: &'static str,
    /// The member of each item that `q` is looked for in.
    pub searched: Option<&'static str>,
    pub newest_first: bool,
}

/// The command that answers a route.
pub fn command(names: &[&str]) -> Option<&'static clap::Command> {
    static ALL: OnceLock<clap::Command> = OnceLock::new();
    names.iter().try_fold(ALL.get_or_init(args::command), |command, name| command.find_subcommand(name))
}

/// The name of the option that a parameter sets.
pub fn option_name(parameter: &str) -> String {
    match parameter {
        "companies" => "company".to_owned(),
        parameter => parameter.replace('_', "-"),
    }
}

/// The parameter with the companies to weigh a change with: each route has it whose command counts for a list.
pub const LIST: &str = "count_for";
/// The parameters of an answer that is paged.
pub const PAGING: [&str; 3] = ["limit", "offset", "q"];
/// How a change is made.
const TERMS: &[&str] = &["dry_run", "reason", "expect_generation", "yes"];
const ENABLE: &[&str] =
    &["percentage", "companies", "literal", "dry_run", "reason", "expect_generation", "yes"];
const DISABLE: &[&str] = &["companies", "literal", "dry_run", "reason", "expect_generation", "yes"];
const COMPANIES: &[&str] = &["literal", "dry_run", "reason", "expect_generation", "yes"];
const ROLLBACK: &[&str] = &["to", "dry_run", "reason", "expect_generation", "yes"];
const STAGE: &[&str] = &["stage", "dry_run", "reason", "expect_generation", "yes"];
const PUBLISH: &[&str] =
    &["reset", "settle", "keep", "prune", "check_drift", "dry_run", "reason", "expect_generation", "yes"];
/// A kill holds for every generation, and asks nothing: what a client sends with each change does not refuse it.
const SENT_ANYHOW: &[&str] = &["expect_generation", "yes"];

const VIEW: Holder = Holder::Of(Right::View);
const EXPLAIN: Holder = Holder::Of(Right::Explain);
const CHANGE: Holder = Holder::Of(Right::Change);

/// All routes.
pub const ROUTES: &[Route] = &[
    get("/v1/token", VIEW, Source::Token),
    get("/v1/status", VIEW, Source::Command(&["status"])),
    get("/v1/health", VIEW, Source::Command(&["health"])),
    get("/v1/flags", VIEW, Source::Command(&["list"])).paged("flags", Some("flag"), false),
    get("/v1/flags/{flag}", VIEW, Source::Command(&["show"])).arguments(&["flag"]),
    get("/v1/flags/{flag}/explain", EXPLAIN, Source::Command(&["explain"]))
        .arguments(&["flag"])
        .options(&["company", "literal", "context", "at"]),
    get("/v1/companies/{company}/history", EXPLAIN, Source::Command(&["history"]))
        .options(&["company", "literal", "context", "at", "hours"]),
    get("/v1/history", VIEW, Source::Command(&["history"])).options(&["limit"]),
    get("/v1/audit", VIEW, Source::Command(&["audit"]))
        .options(&["flag", "since"])
        .paged("trail", None, true),
    get("/v1/incident", VIEW, Source::Command(&["incident"])).options(&["since"]),
    get("/v1/plan", VIEW, Source::Command(&["plan", "show"])),
    get("/v1/plan/{flag}", VIEW, Source::Command(&["plan", "show"])).arguments(&["flag"]),
    get("/v1/guard", VIEW, Source::Command(&["guard", "status"])),
    get("/v1/experiment", VIEW, Source::Command(&["experiment"])).arguments(&["flag"]).options(&["event"]),
    get("/v1/stats", VIEW, Source::Command(&["stats"])).arguments(&["flag"]).options(&["hours"]),
    post("/v1/simulate", EXPLAIN, &["simulate"])
        .arguments(&["flag"])
        .options(&["percentage", "at"])
        .text("companies", Some("--companies=-")),
    Route { source: Source::Buckets, ..post("/v1/buckets", EXPLAIN, &[]) }
        .arguments(&["flag"])
        .text("companies", None),
    post("/v1/export", Holder::Of(Right::Export), &["export"])
        .arguments(&["flags"])
        .options(&["all", "with_companies"]),
    post("/v1/flags/{flag}/kill", Holder::Of(Right::Kill), &["kill"])
        .arguments(&["flag"])
        .options(&["reason", "force"])
        .ignoring(SENT_ANYHOW),
    post("/v1/stop-all", Holder::Of(Right::Stop), &["stop-all"])
        .options(&["reason", "environment", "yes"])
        .ignoring(&["expect_generation"]),
    post("/v1/flags/{flag}/revive", CHANGE, &["revive"])
        .arguments(&["flag"])
        .options(&["reason"])
        .ignoring(SENT_ANYHOW),
    post("/v1/resume-all", Holder::Owner, &["resume-all"])
        .options(&["reason", "force"])
        .ignoring(SENT_ANYHOW),
    post("/v1/flags/{flag}/enable", CHANGE, &["enable"]).arguments(&["flag"]).options(ENABLE),
    post("/v1/flags/{flag}/disable", CHANGE, &["disable"]).arguments(&["flag"]).options(DISABLE),
    post("/v1/flags/{flag}/rollout", CHANGE, &["rollout"]).arguments(&["flag", "percentage"]).options(TERMS),
    post("/v1/flags/{flag}/allow", CHANGE, &["allow"])
        .arguments(&["flag"])
        .options(COMPANIES)
        .text("companies", Some("--from-file=-")),
    post("/v1/flags/{flag}/deny", CHANGE, &["deny"])
        .arguments(&["flag"])
        .options(COMPANIES)
        .text("companies", Some("--from-file=-")),
    post("/v1/flags/{flag}/forget", CHANGE, &["forget"])
        .arguments(&["flag"])
        .options(COMPANIES)
        .text("companies", Some("--from-file=-")),
    post("/v1/flags/{flag}/delete", CHANGE, &["delete"]).arguments(&["flag"]).options(TERMS),
    post("/v1/rollback", CHANGE, &["rollback"]).options(ROLLBACK),
    post("/v1/publish", CHANGE, &["publish"]).options(PUBLISH).text("definitions", Some("-")),
    post("/v1/plan/{flag}/start", CHANGE, &["plan", "start"]).arguments(&["flag"]).options(TERMS),
    post("/v1/plan/{flag}/hold", CHANGE, &["plan", "hold"]).arguments(&["flag"]).options(TERMS),
    post("/v1/plan/{flag}/resume", CHANGE, &["plan", "resume"]).arguments(&["flag"]).options(STAGE),
    post("/v1/plan/{flag}/advance", CHANGE, &["plan", "advance"]).arguments(&["flag"]).options(STAGE),
    post("/v1/plan/{flag}/abort", CHANGE, &["plan", "abort"]).arguments(&["flag"]).options(TERMS),
    post("/v1/guard/pause", CHANGE, &["guard", "pause"]).options(&["for", "reason"]),
    post("/v1/guard/resume", CHANGE, &["guard", "resume"]).options(&["reason"]),
    post("/v1/note", CHANGE, &["note"]).arguments(&["text"]),
];

const fn get(path: &'static str, holder: Holder, source: Source) -> Route {
    let (positionals, options, ignored) = (&[], &[], &[]);
    Route { method: Method::Get, path, holder, source, positionals, options, ignored, text: None, page: None }
}

const fn post(path: &'static str, holder: Holder, command: &'static [&'static str]) -> Route {
    Route { method: Method::Post, ..get(path, holder, Source::Command(command)) }
}

impl Route {
    const fn arguments(self, positionals: &'static [&'static str]) -> Route {
        Route { positionals, ..self }
    }

    const fn options(self, options: &'static [&'static str]) -> Route {
        Route { options, ..self }
    }

    const fn ignoring(self, ignored: &'static [&'static str]) -> Route {
        Route { ignored, ..self }
    }

    const fn text(self, member: &'static str, argument: Option<&'static str>) -> Route {
        Route { text: Some(Text { member, argument }), ..self }
    }

    const fn paged(self, member: &'static str, searched: Option<&'static str>, newest_first: bool) -> Route {
        Route { page: Some(Page { member, searched, newest_first }), ..self }
    }

    /// True if its command is only for those who may write the store: a change, or an export, which is signed.
    pub fn needs_owner(&self) -> bool {
        self.work() != Work::Read || self.holder == Holder::Of(Right::Export)
    }

    /// True if [`LIST`] is one of its parameters. A kill waits for no list.
    pub fn takes_list(&self) -> bool {
        let Source::Command(names) = self.source else { return false };
        let long = option_name(LIST);
        let counts =
            |command: &clap::Command| command.get_arguments().any(|known| known.get_long() == Some(&long));
        self.work() == Work::Change && command(names).is_some_and(counts)
    }

    pub fn work(&self) -> Work {
        match self.holder {
            Holder::Of(Right::Kill | Right::Stop) => Work::Emergency,
            Holder::Owner | Holder::Of(Right::Change) => Work::Change,
            Holder::Of(_) => Work::Read,
        }
    }

    /// The parameters in a path that this route's pattern matches.
    fn matched(&self, path: &[String]) -> Option<Vec<(&'static str, String)>> {
        let pattern: Vec<&str> = self.path.split('/').skip(1).collect();
        if pattern.len() != path.len() {
            return None;
        }
        let mut found = Vec::new();
        for (expected, part) in pattern.into_iter().zip(path) {
            match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => found.push((name, part.clone())),
                None if expected == part => {}
                None => return None,
            }
        }
        Some(found)
    }
}

/// The routes of that path, each with its parameters: one a method.
pub fn of_path(path: &[String]) -> Vec<(&'static Route, Vec<(&'static str, String)>)> {
    ROUTES.iter().filter_map(|route| Some((route, route.matched(path)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueHint;

    #[test]
    fn every_parameter_of_a_route_is_one_of_its_command_and_none_names_a_file() {
        let all = args::command();
        for route in ROUTES {
            let Source::Command(names) = route.source else { continue };
            let mut command = &all;
            for name in names {
                command = command.find_subcommand(name).unwrap_or_else(|| panic!("{}: {name}", route.path));
            }
            let is_file = |argument: &clap::Arg| {
                use ValueHint::{AnyPath, DirPath, ExecutablePath, FilePath};
                [AnyPath, DirPath, ExecutablePath, FilePath].contains(&argument.get_value_hint())
            };
            for option in route.options {
                let argument = command
                    .get_arguments()
                    .find(|argument| argument.get_long() == Some(&option_name(option)))
                    .unwrap_or_else(|| panic!("{}: {option}", route.path));
                assert!(!is_file(argument), "{}: {option}", route.path);
            }
            let positionals: Vec<_> = command.get_positionals().collect();
            let text = route.text.filter(|text| text.argument == Some("-"));
            for (place, _) in route.positionals.iter().enumerate() {
                assert!(!is_file(positionals[place]), "{}", route.path);
            }
            assert!(route.positionals.is_empty() || text.is_none(), "{}", route.path);
        }
    }

    #[test]
    fn a_path_is_one_route_of_each_method() {
        let path = |text: &str| text.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
        for route in ROUTES {
            let found = of_path(&path(&route.path.replace(['{', '}'], "")));
            assert_eq!(
                found.iter().filter(|(found, _)| found.method == route.method).count(),
                1,
                "{}",
                route.path
            );
        }
        for path in ["/", "/v1", "/v1/", "/v1/flags/", "/v1/flags/a/b/c", "/v1/flags/../audit", "/V1/flags"] {
            let path: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
            assert!(of_path(&path).iter().all(|(route, _)| route.path == "/v1/flags/{flag}"), "{path:?}");
        }
    }
}
