//! Settings of replicas: where they share what belongs to the tenant.

use clap::Args;

use super::secret::{Secret, SecretArg};
use super::setting::Setting;
use crate::shared_state::RedisUrl;

#[derive(Args)]
#[command(next_help_heading = "Replicas")]
pub(super) struct ReplicaArgs {
    #[command(flatten)]
    pub(super) redis_url: SecretArg<RedisAddress>,
}

/// The row `REDIS_URL`.
pub(super) struct RedisAddress;

impl Secret for RedisAddress {
    type Kind = RedisUrl;

    const NAME: &'static str = "REDIS_URL";
    const VALUE_NAME: &'static str = "URL";
    const HELP: &'static str = "Redis or Valkey through which the replicas of a gateway share. Default: none.\n\n\
        redis://HOST:6379, or rediss:// with TLS; with credentials, USER:PASSWORD and an at sign stand before the host. Of a cluster, some of \
        its nodes: redis://HOST:6379,HOST:6379. Of a primary with replicas, its sentinels: redis+sentinel://HOST:26379,HOST:26379/SERVICE, or \
        rediss+sentinel://; where the sentinels have credentials of their own, ?sentinel_user=USER&sentinel_password=PASSWORD.\n\n\
        Shared are the access token for Auth0, encrypted, the tenant's rate limits, the tail of its logs, encrypted, the documents that clients \
        had kept by their hash, and what counts for RATE_LIMIT. While Redis is slow or gone, each replica does alone what a single one does.";
}

impl Setting for RedisUrl {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}
