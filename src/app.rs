//! The gateway, built of its modules: the one file that knows them all.

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::auth::{self, ApiKeys, Authenticator};
use crate::auth0::{self, ClientAuthentication, ManagementApi};
use crate::graphql::{self, DocumentSettings, Engine, GatewayMode, Limits, Permissions, TrustedDocuments};
use crate::http::{self, Certificate, IngestToken};
use crate::shared_state::{self, SharedState};
use crate::telemetry::{Metrics, SharedStateMetrics};

/// The gateway, ready to serve.
pub struct App {
    server: http::Server,
    reloader: Reloader,
}

/// The parts of a gateway that can be replaced while it serves. No request is dropped for it.
#[derive(Clone)]
pub struct Reloader {
    api: ManagementApi,
    authenticator: Arc<Authenticator>,
    trusted: Option<TrustedDocuments>,
    certificate: Option<Certificate>,
    ingest_token: Option<IngestToken>,
}

/// New values for what can be replaced.
#[derive(Debug)]
pub struct Reload {
    /// Authentication at Auth0; none leaves the one that there is.
    pub authentication: Option<ClientAuthentication>,
    /// Keys of callers.
    pub api_keys: ApiKeys,
    /// Certificate of the server; none leaves the one that there is.
    pub certificate: Option<Certificate>,
    /// The token by which Auth0 pushes logs; none leaves the one that there is.
    pub ingest_token: Option<IngestToken>,
}

/// The gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The means to tell callers apart.
    #[error(transparent)]
    Auth(#[from] auth::BuildError),
    /// The client for Auth0.
    #[error(transparent)]
    Auth0(#[from] auth0::BuildError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] graphql::SchemaError),
    /// The server.
    #[error(transparent)]
    Http(#[from] http::BuildError),
}

/// Settings of a gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenant that it reads.
    pub tenant: auth0::Settings,
    /// Kind of the tenant.
    pub mode: GatewayMode,
    /// Policy of the client that reads it.
    pub policy: auth0::ClientPolicy,
    /// Limits of an operation.
    pub limits: Limits,
    /// Authentication of callers.
    pub auth: auth::Settings,
    /// Rules for their scopes.
    pub permissions: Permissions,
    /// Documents that are run.
    pub documents: DocumentSettings,
    /// Handling of requests.
    pub http: http::Settings,
    /// The state that replicas share.
    pub shared_state: Option<shared_state::Settings>,
}

impl Settings {
    /// A gateway to `tenant` with the defaults of everything else.
    #[must_use]
    pub fn new(tenant: auth0::Settings) -> Self {
        Self {
            tenant,
            mode: GatewayMode::Tenant,
            policy: auth0::ClientPolicy::default(),
            limits: Limits::default(),
            auth: auth::Settings::default(),
            permissions: Permissions::default(),
            documents: DocumentSettings::default(),
            http: http::Settings::default(),
            shared_state: None,
        }
    }
}

impl App {
    /// Builds a gateway. Needs to be called within a runtime, which keeps its trusted documents up to date, and the connection to Redis.
    pub fn build(settings: Settings) -> Result<Self, BuildError> {
        let Settings { tenant, mode, policy, limits, auth, permissions, documents, http, shared_state } = settings;
        let authenticator = Arc::new(Authenticator::new(auth)?);
        let shared_metrics = SharedStateMetrics::default();
        let shared = shared_state
            .map(|settings| SharedState::connect(settings, &tenant.domain.to_string(), shared_metrics.clone()));
        let api = ManagementApi::sharing(tenant, &policy, shared)?;
        let reloader = Reloader {
            api: api.clone(),
            authenticator: Arc::clone(&authenticator),
            trusted: documents.trusted.clone(),
            certificate: http.certificate.clone(),
            ingest_token: http.ingest_token.clone(),
        };
        let (upstream_metrics, tenant) = (api.metrics().clone(), api.clone());
        let admits_anonymous = authenticator.admits_anonymous();
        let settings = graphql::Settings { mode, limits, permissions, admits_anonymous };
        let engine = Engine::new(api, settings, documents)?;
        if let Some(refresh) = engine.refresh_trusted_documents() {
            tokio::spawn(refresh);
        }
        let metrics = Metrics::new(&upstream_metrics, authenticator.metrics(), &shared_metrics, move |status| {
            tenant.write_status(status);
        });
        let server = http::Server::new(engine, authenticator, metrics, http)?;
        Ok(Self { server, reloader })
    }

    /// The means to replace parts of it while it serves.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// The same gateway, with metrics and health on `listener` as well.
    #[must_use]
    pub fn with_admin(mut self, listener: TcpListener) -> Self {
        self.server = self.server.with_admin(listener);
        self
    }

    /// Serves on `listener` until `shutdown` resolves and the requests under way are answered. Then it leaves the replicas that it shares
    /// with.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Reloader { api, authenticator, .. } = self.reloader;
        // So that the first caller need not wait for the keys, and the operator learns at once if there are none.
        tokio::spawn(async move { authenticator.warm_up().await });
        self.server.serve(listener, shutdown).await;
        api.leave().await;
    }
}

impl Reloader {
    /// Replaces them, and looks at the trusted documents at once.
    pub fn reload(&self, new: Reload) {
        let Reload { authentication, api_keys, certificate, ingest_token } = new;
        if let Some(authentication) = authentication {
            self.api.authenticate_by(authentication);
        }
        self.authenticator.take_api_keys(api_keys);
        if let Some((own, new)) = self.certificate.as_ref().zip(certificate) {
            own.replace(&new);
        }
        if let Some((own, new)) = self.ingest_token.as_ref().zip(ingest_token) {
            own.replace(&new);
        }
        if let Some(trusted) = &self.trusted {
            trusted.look();
        }
    }
}
