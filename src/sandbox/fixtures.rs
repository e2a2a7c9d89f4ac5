//! The surroundings of people and logs in the tenant: connections, organizations, applications; and
//! where everything random comes from.

/// A connection of the tenant.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) name: &'static str,
    /// Auth0's strategy, also the `provider` of identities.
    pub(crate) strategy: &'static str,
    pub(crate) strategy_type: &'static str,
    /// The number of users in a hundred that came by it.
    pub(crate) share: u32,
}

impl Connection {
    pub(crate) fn is_social(&self) -> bool {
        self.strategy_type == "social"
    }
}

/// The positions in [`CONNECTIONS`] that the people made by hand need.
pub(crate) mod connection {
    pub(crate) const DATABASE: usize = 0;
    pub(crate) const GOOGLE: usize = 1;
    pub(crate) const GITHUB: usize = 2;
    pub(crate) const LINKEDIN: usize = 3;
    pub(crate) const SAML: usize = 4;
    pub(crate) const ENTRA: usize = 5;
    pub(crate) const AD: usize = 6;
    pub(crate) const EMAIL: usize = 7;
    pub(crate) const SMS: usize = 8;
}

/// Every connection; the shares add up to a hundred.
pub(crate) const CONNECTIONS: [Connection; 9] = [
    Connection { name: "Username-Password-Authentication", strategy: "auth0", strategy_type: "database", share: 48 },
    Connection { name: "google-oauth2", strategy: "google-oauth2", strategy_type: "social", share: 16 },
    Connection { name: "github", strategy: "github", strategy_type: "social", share: 8 },
    Connection { name: "linkedin", strategy: "linkedin", strategy_type: "social", share: 4 },
    Connection { name: "harbor-saml", strategy: "samlp", strategy_type: "enterprise", share: 7 },
    Connection { name: "meadow-entra", strategy: "waad", strategy_type: "enterprise", share: 5 },
    Connection { name: "quarry-ad", strategy: "ad", strategy_type: "enterprise", share: 2 },
    Connection { name: "email", strategy: "email", strategy_type: "passwordless", share: 6 },
    Connection { name: "sms", strategy: "sms", strategy_type: "passwordless", share: 4 },
];

/// Names of the tenant's organizations, as `organization_name` has them.
pub(crate) const ORGANIZATIONS: [&str; 4] = ["harbor", "meadow", "quarry", "lighthouse"];

/// Names of the applications that people log in to. The last one is a machine's.
pub(crate) const APPLICATIONS: [&str; 6] =
    ["Storefront", "Storefront iOS", "Back Office", "Partner Portal", "All Applications", "Nightly Importer"];

/// The position of the machine's application.
pub(crate) const MACHINE: usize = 5;

/// The ids of what is named above, made from a seed.
#[derive(Debug)]
pub(crate) struct Fixtures {
    pub(crate) connection_ids: Vec<String>,
    pub(crate) organization_ids: Vec<String>,
    pub(crate) application_ids: Vec<String>,
}

impl Fixtures {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed, Stream::Fixtures, 0);
        let mut ids = |prefix: &str, length: usize, count: usize| {
            (0..count).map(|_| format!("{prefix}{}", alphanumeric(&mut rng, length))).collect()
        };
        Self {
            connection_ids: ids("con_", 16, CONNECTIONS.len()),
            organization_ids: ids("org_", 16, ORGANIZATIONS.len()),
            application_ids: ids("", 32, APPLICATIONS.len()),
        }
    }
}

/// The purpose of a random number. Each stream is independent of the others, and in it each
/// position of the others, so that a user or a log can be made alone and in any order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Fixtures = 1,
    Users = 2,
    Logs = 3,
    Chaos = 4,
}

/// The random numbers of one position in a stream.
pub(crate) fn rng(seed: u64, stream: Stream, position: u64) -> fastrand::Rng {
    // The finalizer of SplitMix64, so that neighboring positions have nothing in common.
    let mut z =
        seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add((stream as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
            ^ position.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    fastrand::Rng::with_seed(z ^ (z >> 31))
}

/// A text like Auth0's ids.
pub(crate) fn alphanumeric(rng: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| rng.alphanumeric()).collect()
}

/// `length` lower-case hexadecimal digits.
pub(crate) fn hex(rng: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| char::from(b"0123456789abcdef"[rng.usize(..16)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_a_connection() {
        assert_eq!(CONNECTIONS.iter().map(|c| c.share).sum::<u32>(), 100);
    }

    #[test]
    fn ids_depend_on_the_seed_alone() {
        let (a, b, c) = (Fixtures::new(1), Fixtures::new(1), Fixtures::new(2));
        assert_eq!(a.application_ids, b.application_ids);
        assert_ne!(a.application_ids, c.application_ids);
        assert!(a.organization_ids.iter().all(|id| id.len() == 20));
    }
}
