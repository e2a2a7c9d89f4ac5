//! A token's life, and the time to ask for the next. Pure: no clock is read here.

use std::time::Duration;

use tokio::time::Instant;

/// Longest time before its end at which a token is replaced in the background. Auth0's tokens live
/// for a day by default; five minutes leave room for a few failed attempts, while the old token
/// serves on.
const REFRESH_MARGIN: Duration = Duration::from_secs(5 * 60);

/// A token of short life is replaced when this part of it is left, or else half of it would be lost
/// to the margin.
const REFRESH_SHARE: f64 = 0.1;

/// The part of the margin by which a refresh may come early, at random, so that gateways that were
/// started together do not all ask at once. Early and never late: late is what the margin is there
/// to prevent.
const REFRESH_JITTER: f64 = 0.5;

/// Life of a token if the answer does not say so in a way that can be read. Too short costs a
/// grant every ten minutes; too long costs a call that is refused and repeated with a new token.
const DEFAULT_LIFE: Duration = Duration::from_secs(10 * 60);

/// The least that a token lives. One that came expired serves those who wait for it, and is not
/// asked for again by each call.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The most that Auth0 lets an API's tokens live is 30 days.
/// <https://auth0.com/docs/secure/tokens/access-tokens/update-access-token-lifetime>
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Reads `expires_in` from its JSON text, or from nothing: seconds as OAuth has it, but no number,
/// a string, or one beyond reason is survived.
pub(crate) fn life(expires_in: Option<&str>) -> Duration {
    let seconds = expires_in.map(|text| text.trim_matches('"').trim()).and_then(|text| text.parse::<f64>().ok());
    match seconds {
        Some(seconds) if !seconds.is_nan() => {
            let bounded = seconds.clamp(SHORTEST_LIFE.as_secs_f64(), LONGEST_LIFE.as_secs_f64());
            Duration::from_secs_f64(bounded)
        }
        _ => DEFAULT_LIFE,
    }
}

/// The times that matter in a token's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifespan {
    refresh_at: Instant,
    expires_at: Instant,
}

/// Use of a token at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and see that the next one is on its way.
    Aging,
    /// Wait for the next one.
    Expired,
}

impl Lifespan {
    /// `asked_at` is when the token was asked for, which is a little before its life began.
    /// `jitter` is from 0 to 1.
    pub(crate) fn new(asked_at: Instant, life: Duration, jitter: f64) -> Self {
        let margin = REFRESH_MARGIN.min(life.mul_f64(REFRESH_SHARE));
        let expires_at = asked_at + life;
        Self { refresh_at: expires_at - margin - margin.mul_f64(REFRESH_JITTER * jitter), expires_at }
    }

    pub(crate) fn at(&self, now: Instant) -> Freshness {
        if now < self.refresh_at {
            Freshness::Fresh
        } else if now < self.expires_at {
            Freshness::Aging
        } else {
            Freshness::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_in_is_survived_whatever_it_is() {
        const DAY: f64 = 86_400.0;
        for (text, seconds) in [
            (Some("86400"), DAY),
            (Some("\"86400\""), DAY),
            (Some("\" 86400 \""), DAY),
            (Some("86400.0"), DAY),
            (Some("8.64e4"), DAY),
            (Some("2.5"), 2.5),
            (Some("0"), 1.0),
            (Some("0.25"), 1.0),
            (Some("-1"), 1.0),
            (Some("-1e400"), 1.0),
            (Some("9223372036854775808"), 30.0 * DAY),
            (Some("1e400"), 30.0 * DAY),
            (Some("\"inf\""), 30.0 * DAY),
            (Some("\"NaN\""), 600.0),
            (Some("null"), 600.0),
            (Some("true"), 600.0),
            (Some("{}"), 600.0),
            (Some("\"tomorrow\""), 600.0),
            (Some("\"\""), 600.0),
            (None, 600.0),
        ] {
            assert_eq!(life(text), Duration::from_secs_f64(seconds), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_token_ages_before_it_expires() {
        let start = Instant::now();
        let seconds = Duration::from_secs;
        for (life, jitter, fresh_until, expires) in [
            (seconds(86_400), 0.0, seconds(86_400 - 300), seconds(86_400)),
            (seconds(86_400), 1.0, seconds(86_400 - 450), seconds(86_400)),
            (seconds(600), 0.0, seconds(540), seconds(600)),
            (seconds(600), 1.0, seconds(510), seconds(600)),
            (seconds(1), 0.0, Duration::from_millis(900), seconds(1)),
            (LONGEST_LIFE, 0.0, LONGEST_LIFE - seconds(300), LONGEST_LIFE),
        ] {
            let lifespan = Lifespan::new(start, life, jitter);
            let tick = Duration::from_nanos(1);
            assert_eq!(lifespan.at(start), Freshness::Fresh, "{life:?} {jitter}");
            assert_eq!(lifespan.at(start + fresh_until - tick), Freshness::Fresh, "{life:?} {jitter}");
            assert_eq!(lifespan.at(start + fresh_until), Freshness::Aging, "{life:?} {jitter}");
            assert_eq!(lifespan.at(start + expires - tick), Freshness::Aging, "{life:?} {jitter}");
            assert_eq!(lifespan.at(start + expires), Freshness::Expired, "{life:?} {jitter}");
        }
    }
}
