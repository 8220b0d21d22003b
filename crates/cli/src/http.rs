//! HTTP requests to endpoints of notifications, and to probed addresses.

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Keeps connections, but no cookies: those of one answer belong to no other company. Follows no redirect, and takes any status for an
/// answer.
pub fn agent() -> Agent {
    // Uses the machine's own certificates, so that a company's own authority counts.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .user_agent(concat!("flagstone/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}
