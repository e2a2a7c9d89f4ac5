//! `health`: the answer of a gateway on this machine to a health probe, for containers that have no other program to ask with.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::{HOST, HeaderValue};

use super::banner::reachable;
use super::{CommandError, UNAVAILABLE, print};
use crate::config::HealthProbe;

/// Longest time to wait: shorter than what probes have by default.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Longest answer that is printed, in bytes: those of the gateway are a few words.
const MAX_ANSWER: usize = 200;

/// Asks once. Exits with 0 if the gateway is well, with 1 if it says otherwise, and with 69 if nothing listens.
pub(super) async fn run(probe: HealthProbe) -> Result<ExitCode, CommandError> {
    let HealthProbe { address, path, has_tls } = probe;
    let address = reachable(address);
    let scheme = if has_tls { "https" } else { "http" };
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        // The certificate is for the name that clients use, and the other end is this machine.
        .danger_accept_invalid_certs(has_tls)
        .build()?;
    let request = client.get(format!("{scheme}://{address}{path}")).header(HOST, HeaderValue::from_static("localhost"));
    let response = request.send().await.map_err(|error| {
        let error = anyhow::Error::new(error.without_url());
        CommandError::new(UNAVAILABLE, error.context(format!("no gateway answers at {scheme}://{address}")))
    })?;
    let status = response.status();
    let answer = response.text().await?;
    let answer: String = answer.trim_end().chars().take(MAX_ANSWER).filter(|c| !c.is_control()).collect();
    print(&format!("{path} answers {}: {answer}\n", status.as_u16()))?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
