//! For those who watch the process.

/// Says that the process serves. Auth0's health is not its own, so that an outage there restarts nothing here.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}
