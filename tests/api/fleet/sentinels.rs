//! A primary, a replica of it, and a sentinel that has the one take the other's place.

use auth0_graphql::shared_state::{self, Deployment, RedisUrl};

use super::redis::{PASSWORD, RedisServer, free_port};
use super::{Fleet, PATIENT};
use crate::gateway::Setup;

fn replica_of(name: &str, primary: &RedisServer) -> Option<RedisServer> {
    let port = primary.port.to_string();
    let replica = RedisServer::start_with(name, |_| ["--replicaof", "127.0.0.1", &port].map(str::to_owned).to_vec())?;
    replica.until("INFO replication", "master_link_status:up");
    Some(replica)
}

#[tokio::test]
async fn replicas_share_through_the_primary_that_sentinels_name_and_through_the_next_one() {
    let Some(mut primary) = RedisServer::start("sentinels-primary") else { return };
    let replica = replica_of("sentinels-replica", &primary).unwrap();
    let sentinel = RedisServer::start_sentinel("sentinels", "shared", &primary).unwrap();
    let credentials = [&primary, &replica].map(RedisServer::add_user)[0].clone();
    let address = |service: &str| {
        // One of them is not there.
        let (port, none) = (sentinel.port, free_port());
        let text = format!("redis+sentinel://{credentials}@127.0.0.1:{none},127.0.0.1:{port}/{service}");
        RedisUrl::parse(&format!("{text}?sentinel_password={PASSWORD}")).unwrap()
    };
    let url = address("shared");
    // It looks for replicas now and then.
    sentinel.until("SENTINEL REPLICAS shared", "ip");

    let mut fleet = Fleet::sharing_at(url.clone(), PATIENT, Setup::default().sandbox).await;
    fleet.must_share([&url, &url]).await;
    let tenant = fleet.sandbox.url();
    let survey = shared_state::survey(&url, &tenant).await.unwrap();
    assert_eq!((survey.deployment, survey.is_writable), (Deployment::Sentinels, true));
    assert_eq!((survey.addresses, survey.silent_addresses), (2, 1));
    let error = shared_state::survey(&address("another"), &tenant).await.unwrap_err().to_string();
    assert!(error.contains("its sentinels know no primary of that name"), "{error}");

    fleet.settings.http.rate_limit = None;
    fleet.start_sharing(1).await;
    primary.kill();
    fleet.until_kept_in(&replica, 2).await;
    let survey = shared_state::survey(&url, &tenant).await.unwrap();
    assert!(survey.is_writable, "{survey:?}");
}
