//! The subscription, answered by an engine of this process.

use std::time::Duration;

use anyhow::Context as _;

use super::Subscription;
use super::response::Received;
use crate::auth::Caller;
use crate::auth0::ManagementApi;
use crate::command::CommandError;
use crate::command::tenant::OpenTenant;
use crate::config::Serve;
use crate::deadline::Deadline;
use crate::graphql::{
    DocumentSettings, DocumentSource, Engine, EngineResponse, Explain, GraphqlRequest, Limits, Permissions,
    RequestContext, ResponseStream, Settings, Variables,
};

/// Time to begin in; the stream itself has no end.
const START: Duration = Duration::from_secs(10);

/// The logs of a tenant.
pub(super) struct TenantStream {
    engine: Engine,
    subscription: Subscription,
    stream: Option<Box<ResponseStream>>,
    /// A sandbox stops when it is dropped.
    _tenant: OpenTenant,
}

impl TenantStream {
    pub(super) async fn open(serve: Serve, subscription: Subscription) -> Result<Self, CommandError> {
        let Serve { tenant, policy, .. } = serve;
        let tenant = OpenTenant::open(tenant).await?;
        let api = ManagementApi::new(tenant.settings.clone(), &policy).context("cannot set up the client of Auth0")?;
        // The limits and permissions of a gateway are for its callers.
        let (limits, permissions) = (Limits::default(), Permissions::default());
        let settings = Settings { mode: tenant.mode, limits, permissions, admits_anonymous: true };
        let engine = Engine::new(api, settings, DocumentSettings::default())?;
        Ok(Self { engine, subscription, stream: None, _tenant: tenant })
    }

    pub(super) async fn next(&mut self) -> Result<Vec<Received>, CommandError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => match self.begin().await? {
                EngineResponse::Stream(stream) => self.stream.insert(stream),
                EngineResponse::Reply(reply) => return Ok(vec![Received { body: reply.body }]),
            },
        };
        match stream.next().await {
            Ok(responses) => {
                Ok(responses.into_iter().map(|response| Received { body: response.body.into() }).collect())
            }
            Err(end) => Ok(vec![Received { body: end.body }]),
        }
    }

    async fn begin(&self) -> Result<EngineResponse, CommandError> {
        let variables: Variables = serde_json::from_str(&self.subscription.variables().to_string())?;
        let document = DocumentSource::Text(self.subscription.document.clone());
        let request = GraphqlRequest { document, operation_name: None, variables };
        let context = RequestContext {
            caller: Caller::ANONYMOUS,
            deadline: Deadline::within(START),
            request_id: "tail",
            bypass_cache: false,
            explain: Explain::Nothing,
            resume_after: None,
        };
        Ok(self.engine.execute_or_subscribe(request, &context).await)
    }

    pub(super) fn position(&self) -> Option<String> {
        let position = self.stream.as_ref().and_then(|stream| stream.position());
        position.map(|position| position.as_str().to_owned())
    }

    pub(super) fn resume(&mut self, from: Option<String>) {
        self.subscription.from = from;
        self.stream = None;
    }
}
