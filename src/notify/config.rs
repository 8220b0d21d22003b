//! The endpoints in the store's `config.json`, under `notify`.

use super::severity::{Severity, incident};
use crate::audit::{Action, SettledChange};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A webhook that receives notifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EndpointFields")]
pub struct Endpoint {
    /// The address; visible to every reader of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file that holds the address, if that is a secret, as Slack's is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Format of the body.
    #[serde(skip_serializing_if = "is_json")]
    pub format: Format,
    /// A file that holds the signing secret for JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Send only these actions; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<Action>>,
    /// Send only this urgency or more, and the end of such incidents; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

impl Endpoint {
    /// True if a change is for this endpoint.
    pub fn takes(&self, change: &SettledChange) -> bool {
        let record = &change.record;
        let guards = record.guard.is_some() || record.notice.is_some();
        let of_its_actions = self.actions.as_ref().is_none_or(|actions| {
            actions.contains(&record.action) || (guards && actions.contains(&Action::Guard))
        });
        let urgent = self.severity.is_none_or(|least| {
            Severity::of(record) >= least
                || !change.ends.is_empty()
                || incident("", record).is_some_and(|(_, ends)| ends)
        });
        record.action != Action::Init && of_its_actions && urgent
    }
}

/// Format of a notification's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The event as JSON, signed.
    #[default]
    Json,
    /// `{"text": …}`, as Slack, Mattermost and others take it.
    Slack,
}

fn is_json(format: &Format) -> bool {
    *format == Format::Json
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointFields {
    url: Option<String>,
    url_file: Option<PathBuf>,
    #[serde(default)]
    format: Format,
    secret_file: Option<PathBuf>,
    actions: Option<Vec<Action>>,
    severity: Option<Severity>,
}

impl TryFrom<EndpointFields> for Endpoint {
    type Error = String;

    fn try_from(written: EndpointFields) -> Result<Endpoint, String> {
        let EndpointFields { url, url_file, format, secret_file, actions, severity } = written;
        match (&url, &url_file) {
            (Some(url), None) if !(url.starts_with("https://") || url.starts_with("http://")) => {
                return Err(format!("found the url {url:?}, expected https://… or http://…"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => return Err("expected one of \"url\" and \"url_file\"".to_owned()),
        }
        for file in [&url_file, &secret_file].into_iter().flatten() {
            if !file.is_absolute() {
                return Err(format!("found the file {file:?}, expected an absolute path"));
            }
        }
        if format == Format::Json && secret_file.is_none() {
            return Err("expected a \"secret_file\" to sign JSON with, or \"format\": \"slack\"".to_owned());
        }
        Ok(Endpoint { url, url_file, format, secret_file, actions, severity })
    }
}
