//! Placeholder: the fake tenant.

use std::io;

use secrecy::SecretString;
use tokio::net::TcpListener;

/// What tenant to start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the people and logs are drawn from.
    pub seed: u64,
    /// Whose rate limits hold.
    pub plan: Plan,
    /// Whether some answers misbehave.
    pub chaos: bool,
}

/// An Auth0 plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Plan {
    /// Two requests a second.
    Free,
    /// Separate buckets for users and logs.
    Essentials,
    /// Bursts of 50.
    #[default]
    Enterprise,
}

/// A running tenant.
#[derive(Debug)]
pub struct Sandbox(TcpListener);

/// A machine-to-machine application.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its client id.
    pub id: String,
    /// Its client secret.
    pub secret: SecretString,
}

/// Someone in the tenant.
#[derive(Debug, Clone)]
pub struct Person {
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// User id.
    pub user_id: String,
    /// What is special.
    pub note: String,
}

impl Sandbox {
    /// Starts the tenant.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn start(_options: Options, listener: TcpListener) -> io::Result<Self> {
        Ok(Self(listener))
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        self.0
            .local_addr()
            .map_or_else(|error| error.to_string(), |a| format!("http://{a}"))
    }

    /// The audience of its Management API.
    #[must_use]
    pub fn audience(&self) -> String {
        format!("{}/api/v2/", self.url())
    }

    /// An application that may read everything.
    #[must_use]
    pub fn client(&self) -> Client {
        let id = format!("{:032x}", fastrand::u128(..));
        let secret = format!("{:032x}", fastrand::u128(..)).into();
        Client { id, secret }
    }

    /// People worth looking at.
    #[must_use]
    pub fn people(&self) -> Vec<Person> {
        vec![Person {
            name: "Ada Example".to_owned(),
            email: "ada@example.com".to_owned(),
            user_id: "auth0|000000000000000000000001".to_owned(),
            note: "a placeholder".to_owned(),
        }]
    }
}
