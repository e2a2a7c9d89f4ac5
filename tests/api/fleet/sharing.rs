//! Sharing, seen from outside: by gateways that answer alike, and by what is in Redis.

use std::num::NonZeroU32;

use auth0_graphql::http::{Period, RateLimit};
use auth0_graphql::shared_state::RedisUrl;
use futures_util::future::join_all;

use super::redis::RedisServer;
use super::{Fleet, USERS, WARNINGS, hash_alone};
use crate::gateway::codes;

impl Fleet {
    /// Has a gateway keep documents until one is in that Redis.
    pub(super) async fn until_kept_in(&self, redis: &RedisServer, gateway: usize) {
        for number in 0.. {
            let query = format!("{WARNINGS} # {number}");
            let hash = crate::documents::sha256(&query);
            let mut request = hash_alone(&hash);
            request["query"] = query.into();
            let answer = self.send(gateway, &request).await;
            assert!(answer["data"]["gateway"].is_object(), "{answer}");
            let values = format!("auth0-graphql:1:{{{}}}:documents:values", self.sandbox.url());
            if redis.command(&format!("HEXISTS {values} {hash}")) == [":1"] {
                return;
            }
        }
    }

    /// Sees that two gateways share the token, documents and what counts for `RATE_LIMIT`.
    pub(super) async fn must_share(&mut self, urls: [&RedisUrl; 2]) {
        let limit = RateLimit { requests: NonZeroU32::new(6).unwrap(), per: Period::Hour };
        self.settings.http.rate_limit = Some(limit);
        for url in urls {
            self.settings.shared_state.as_mut().unwrap().url = url.clone();
            self.start_sharing(1).await;
        }
        join_all([0, 1].map(|gateway| self.data(gateway, USERS))).await;
        assert_eq!(self.grants().await, 1);
        let hash = hash_alone(&crate::documents::sha256(USERS));
        let mut both = hash.clone();
        both["query"] = USERS.into();
        assert_eq!(self.send(0, &both).await, self.send(1, &hash).await);
        self.data(0, WARNINGS).await;
        self.data(1, WARNINGS).await;
        for gateway in [0, 1] {
            assert_eq!(codes(&self.send(gateway, &hash).await), ["RATE_LIMITED"]);
        }
    }
}
