//! async-graphql as its book shows it: `SimpleObject`s decoded by serde, reqwest, the stock handler, a `DataLoader`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{ComplexObject, Context, EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};
use async_graphql_axum::GraphQL;
use axum::Router;
use axum::routing::post_service;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpListener;

#[derive(Clone)]
struct Auth0 {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Auth0 {
    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, reqwest::Error> {
        let url = format!("{}/api/v2/{path}", self.url);
        self.client.get(url).query(query).bearer_auth(&self.token).send().await?.error_for_status()?.json().await
    }
}

#[derive(SimpleObject, Deserialize, Clone)]
struct User {
    user_id: String,
    email: Option<String>,
    email_verified: Option<bool>,
    username: Option<String>,
    phone_number: Option<String>,
    phone_verified: Option<bool>,
    name: Option<String>,
    nickname: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    picture: Option<String>,
    blocked: Option<bool>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_login: Option<String>,
    last_ip: Option<String>,
    logins_count: Option<i32>,
    last_password_reset: Option<String>,
    multifactor: Option<Vec<String>>,
    multifactor_last_modified: Option<String>,
    app_metadata: Option<Value>,
    user_metadata: Option<Value>,
    identities: Option<Vec<Identity>>,
    blocked_for: Option<Value>,
    guardian_authenticators: Option<Value>,
    tenant: Option<String>,
}

#[derive(SimpleObject, Deserialize, Clone)]
struct Identity {
    connection: Option<String>,
    provider: Option<String>,
    user_id: Option<String>,
    #[serde(rename = "isSocial")]
    is_social: Option<bool>,
    #[serde(rename = "profileData")]
    profile_data: Option<Value>,
}

#[derive(SimpleObject, Deserialize)]
#[graphql(complex)]
struct Log {
    log_id: String,
    date: Option<String>,
    #[serde(rename = "type")]
    r#type: Option<String>,
    description: Option<String>,
    connection: Option<String>,
    connection_id: Option<String>,
    client_id: Option<String>,
    client_name: Option<String>,
    ip: Option<String>,
    hostname: Option<String>,
    user_id: Option<String>,
    user_name: Option<String>,
    strategy: Option<String>,
    strategy_type: Option<String>,
    #[serde(rename = "isMobile")]
    is_mobile: Option<bool>,
    details: Option<Value>,
}

#[ComplexObject]
impl Log {
    async fn user(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        let Some(id) = self.user_id.clone().filter(|id| !id.is_empty()) else { return Ok(None) };
        ctx.data::<DataLoader<Users>>()?.load_one(id).await.map_err(|error| error.to_string().into())
    }
}

struct Users(Auth0);

impl Loader<String> for Users {
    type Value = User;
    type Error = Arc<reqwest::Error>;

    async fn load(&self, ids: &[String]) -> Result<HashMap<String, User>, Self::Error> {
        let mut users = HashMap::new();
        for ids in ids.chunks(50) {
            let q = format!(r#"user_id:("{}")"#, ids.join(r#"" OR ""#));
            let found: Vec<User> = self
                .0
                .get("users", &[("q", &q), ("search_engine", "v3"), ("per_page", "50")])
                .await
                .map_err(Arc::new)?;
            users.extend(found.into_iter().map(|user| (user.user_id.clone(), user)));
        }
        Ok(users)
    }
}

#[derive(SimpleObject)]
struct UserPage {
    nodes: Vec<User>,
}

#[derive(SimpleObject)]
struct LogBatch {
    nodes: Vec<Log>,
}

struct Query;

#[Object]
impl Query {
    async fn users(
        &self,
        ctx: &Context<'_>,
        q: Option<String>,
        #[graphql(default)] page: i32,
        #[graphql(default = 50)] per_page: i32,
    ) -> async_graphql::Result<UserPage> {
        let (page, per_page) = (page.to_string(), per_page.to_string());
        let q = q.unwrap_or_default();
        let query = [("q", q.as_str()), ("search_engine", "v3"), ("page", &page), ("per_page", &per_page)];
        Ok(UserPage { nodes: ctx.data::<Auth0>()?.get("users", &query).await? })
    }

    async fn logs(
        &self,
        ctx: &Context<'_>,
        from: ID,
        #[graphql(default = 50)] take: i32,
    ) -> async_graphql::Result<LogBatch> {
        let query = [("from", from.as_str()), ("take", &take.to_string())];
        Ok(LogBatch { nodes: ctx.data::<Auth0>()?.get("logs", &query).await? })
    }
}

pub(crate) async fn serve(address: SocketAddr, upstream: String) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let auth0 = Auth0 { client, url: upstream, token: format!("{:032x}", fastrand::u128(..)) };
    let loader = DataLoader::new(Users(auth0.clone()), tokio::spawn);
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(auth0).data(loader).finish();
    let app = Router::new().route("/graphql", post_service(GraphQL::new(schema)));
    axum::serve(TcpListener::bind(address).await?, app).await?;
    Ok(())
}
