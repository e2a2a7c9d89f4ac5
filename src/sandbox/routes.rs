//! The Management API: who may call what, with which parameters, and how the answer looks.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::{Value, json};

use super::State as Shared;
use super::envelope::{self, ApiError};
use super::limits::{Endpoint, RateLimitValues};
use super::parameters::Parameters;
use super::search::logs::LogQuery;
use super::search::users::UserQuery;
use super::tenant::{Page, record};
use super::token::Grant;
use super::user_lists::{Needed, Paging, USER_BLOCKS, USER_LISTS, UserList, cursor};

const READ_USERS: Needed = Needed::AnyOf(&["read:users", "read:user_idp_tokens"]);
const READ_USER: Needed = Needed::AnyOf(&["read:users", "read:current_user", "read:user_idp_tokens"]);
const READ_BY_EMAIL: Needed = Needed::AnyOf(&["read:users"]);
const READ_LOGS: Needed = Needed::AnyOf(&["read:logs", "read:logs_users"]);

const PER_PAGE: &str = "Number of results per page. Defaults to 50";
const PAGE: &str = "Page index of the results to return. First page is 0";
const TAKE: &str = "Number of entries to retrieve. Default 50, max 100";

type RouteResult = Result<Response<Body>, ApiError>;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/.well-known/openid-configuration", get(configuration))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/api/v2/users", get(users))
        .route("/api/v2/users/{id}", get(user))
        .route("/api/v2/users/{id}/logs", get(user_logs))
        .route("/api/v2/users/{id}/{list}", get(user_list))
        .route("/api/v2/users-by-email", get(users_by_email))
        .route("/api/v2/user-blocks/{id}", get(user_blocks))
        .route("/api/v2/logs", get(logs))
        .route("/api/v2/logs/{id}", get(log))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
}

async fn nothing_here() -> Response<Body> {
    ApiError::nothing_here().into_response()
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    shared.issuer.token(&headers, &body, shared.clock.now())
}

async fn configuration(State(shared): State<Arc<Shared>>) -> Response<Body> {
    envelope::json(StatusCode::OK, &shared.issuer.configuration())
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response<Body> {
    envelope::json(StatusCode::OK, &shared.issuer.jwks())
}

async fn users(State(shared): State<Arc<Shared>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response<Body> {
    shared.call(&headers, Endpoint::Users, READ_USERS, |grant| {
        let given = Parameters::read(
            query.as_deref(),
            &[
                "page", "per_page", "include_totals", "sort", "connection", "fields", "include_fields", "q",
                "search_engine", "primary_order",
            ],
        )?;
        let page = page(&given)?;
        let totals = given.flag("include_totals", false)?;
        // Without it Auth0 may order as it likes, so keeping the order is right in both cases.
        given.flag("primary_order", true)?;
        let selection = given.selection()?;
        let sort = given.sort()?;
        if sort.is_some_and(|(field, _)| field.starts_with("app_metadata") || field.starts_with("user_metadata")) {
            // Documented as impossible, in words that are not known.
            return Err(ApiError::query("Sorting by app_metadata or user_metadata is not supported."));
        }
        search_engine(&given)?;
        if page.is_beyond_reach() {
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                Some("invalid_paging"),
                "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation",
            ));
        }
        let query = given.text("q").map(UserQuery::parse).transpose().map_err(ApiError::query)?;
        let (found, total) = shared.tenant.users(query.as_ref(), sort, page);
        let with_idp_tokens = grant.has("read:user_idp_tokens");
        let records: Vec<_> = found.into_iter().map(|user| record(user, &selection, with_idp_tokens)).collect();
        if totals {
            ok(&json!({
                "start": page.start(), "limit": page.size, "length": records.len(), "users": records, "total": total,
            }))
        } else {
            ok(&records)
        }
    })
}

/// `connection` belongs to version 1 of the search, which is gone.
fn search_engine(given: &Parameters<'_>) -> Result<(), ApiError> {
    match given.text("search_engine") {
        None | Some("v2" | "v3") => {}
        Some(other) => {
            return Err(ApiError::query(format!(
                "Query validation error: 'No enum match for: {other}' on property search_engine (The version of the search engine)."
            )));
        }
    }
    if given.text("connection").is_some() {
        return Err(ApiError::query(
            "The connection parameter works with search_engine=v1 only. Use q=identities.connection:\"name\" instead.",
        ));
    }
    Ok(())
}

async fn user(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    shared.call(&headers, Endpoint::Users, READ_USER, |grant| {
        let given = Parameters::read(query.as_deref(), &["fields", "include_fields"])?;
        let selection = given.user_selection()?;
        let Path(id) = id.map_err(|_| ApiError::nothing_here())?;
        let user = shared.tenant.user(&id)?;
        ok(&record(user, &selection, grant.has("read:user_idp_tokens")))
    })
}

async fn user_logs(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    shared.call(&headers, Endpoint::Users, READ_LOGS, |_| {
        let given = Parameters::read(query.as_deref(), &["page", "per_page", "include_totals", "sort"])?;
        let Path(id) = id.map_err(|_| ApiError::nothing_here())?;
        shared.logs_in(&given, Some(&LogQuery::of_user(&id)))
    })
}

async fn user_list(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    let Ok(Path((id, list))) = path else { return nothing_here().await };
    match USER_LISTS.iter().find(|known| known.path == list) {
        Some(list) => {
            shared.call(&headers, Endpoint::Users, list.scopes, |_| shared.user_list(list, &id, query.as_deref()))
        }
        None => nothing_here().await,
    }
}

async fn user_blocks(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    shared.call(&headers, Endpoint::Users, USER_BLOCKS.scopes, |_| {
        let Path(id) = id.map_err(|_| ApiError::nothing_here())?;
        shared.user_list(&USER_BLOCKS, &id, query.as_deref())
    })
}

async fn users_by_email(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    shared.call(&headers, Endpoint::Users, READ_BY_EMAIL, |grant| {
        let given = Parameters::read(query.as_deref(), &["email", "fields", "include_fields"])?;
        let selection = given.user_selection()?;
        let email = given
            .text("email")
            .ok_or_else(|| ApiError::query("Query validation error: 'Missing required property: email'."))?;
        let with_idp_tokens = grant.has("read:user_idp_tokens");
        let found = shared.tenant.users_by_email(email);
        ok(&found.into_iter().map(|user| record(user, &selection, with_idp_tokens)).collect::<Vec<_>>())
    })
}

async fn logs(State(shared): State<Arc<Shared>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response<Body> {
    shared.call(&headers, Endpoint::Logs, READ_LOGS, |_| {
        let given = Parameters::read(
            query.as_deref(),
            &["page", "per_page", "include_totals", "sort", "fields", "include_fields", "q", "from", "take"],
        )?;
        let take = given.integer("take", 1..=100, 50, TAKE)?;
        match given.text("from") {
            Some(from) => shared.checkpoint(from, take),
            None => shared.log_search(&given),
        }
    })
}

async fn log(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    shared.call(&headers, Endpoint::Logs, READ_LOGS, |_| {
        Parameters::read(query.as_deref(), &[])?;
        let Path(id) = id.map_err(|_| ApiError::nothing_here())?;
        ok(&shared.tenant.log(&id, shared.now())?)
    })
}

impl Shared {
    /// The way of every call of the Management API, in Auth0's order as far as it shows:
    /// the token, its scopes, the rate limit, then the call itself.
    fn call(
        &self,
        headers: &HeaderMap,
        endpoint: Endpoint,
        needed: Needed,
        answer: impl FnOnce(&Grant) -> RouteResult,
    ) -> Response<Body> {
        self.admit(headers, endpoint, needed)
            .and_then(|(grant, reading)| {
                let mut response = answer(&grant)?;
                // Recorded: on every 2xx, and on no error.
                for (name, value) in [
                    ("x-ratelimit-limit", i64::from(reading.limit)),
                    ("x-ratelimit-remaining", i64::from(reading.remaining)),
                    ("x-ratelimit-reset", reading.reset),
                ] {
                    response.headers_mut().insert(name, HeaderValue::from(value));
                }
                Ok(response)
            })
            .unwrap_or_else(IntoResponse::into_response)
    }

    fn admit(
        &self,
        headers: &HeaderMap,
        endpoint: Endpoint,
        needed: Needed,
    ) -> Result<(Grant, RateLimitValues), ApiError> {
        let grant = self.issuer.bearer(headers, self.clock.now())?;
        let (is_enough, how_many, scopes) = match needed {
            Needed::AnyOf(scopes) => (scopes.iter().any(|scope| grant.has(scope)), "any", scopes),
            Needed::AllOf(scopes) => (scopes.iter().all(|scope| grant.has(scope)), "all", scopes),
        };
        if !is_enough {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                Some("insufficient_scope"),
                format!("Insufficient scope, expected {how_many} of: {}", scopes.join(",")),
            ));
        }
        let reading = self.limits.take(endpoint, self.now()).ok_or_else(ApiError::too_many)?;
        Ok((grant, reading))
    }

    fn user_list(&self, list: &UserList, id: &str, query: Option<&str>) -> RouteResult {
        match list.paging {
            Paging::Whole => {
                Parameters::read(query, &[])?;
                ok(&self.tenant.user_list(list, id)?)
            }
            Paging::Wrapped => {
                let given = Parameters::read(query, &["consider_brute_force_enablement"])?;
                given.flag("consider_brute_force_enablement", false)?;
                ok(&json!({ list.key: self.tenant.user_list(list, id)? }))
            }
            Paging::Pages { least } => {
                let given = Parameters::read(query, &["page", "per_page", "include_totals"])?;
                let number = given.integer("page", 0..=u64::from(u32::MAX), 0, PAGE)?;
                let page = Page { number, size: given.integer("per_page", least..=100, 50, PER_PAGE)? };
                let totals = given.flag("include_totals", false)?;
                let all = self.tenant.user_list(list, id)?;
                let total = all.len();
                let records = page.cut(all.into_iter());
                if !totals {
                    return ok(&records);
                }
                // Recorded: without the `length` that lists of users and logs have.
                ok(&json!({ list.key: records, "start": page.start(), "limit": page.size, "total": total }))
            }
            Paging::Checkpoints => {
                let given = Parameters::read(query, &["from", "take", "include_totals"])?;
                let take = given.integer("take", 1..=100, 50, TAKE)?;
                given.flag("include_totals", false)?;
                let all = self.tenant.user_list(list, id)?;
                let start = given.text("from").map_or(Ok(0), cursor::read)?;
                let next = start.saturating_add(take);
                let records = Page { number: 0, size: take }.cut(all.iter().skip(start as usize));
                let mut body = json!({ list.key: records });
                if next < all.len() as u64 {
                    body["next"] = cursor::write(next).into();
                }
                ok(&body)
            }
        }
    }

    /// Checkpoint mode: everything but `from` and `take` is ignored.
    fn checkpoint(&self, from: &str, take: u64) -> RouteResult {
        let logs = self.tenant.logs_after(from, take, self.now());
        let last = logs.last().and_then(|log| log.get("log_id")).and_then(Value::as_str).unwrap_or(from);
        let last: String = url::form_urlencoded::byte_serialize(last.as_bytes()).collect();
        let link = format!("<{}logs?from={last}&take={take}>; rel=\"next\"", self.audience);
        let mut response = ok(&logs)?;
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }

    fn log_search(&self, given: &Parameters<'_>) -> RouteResult {
        let query = given
            .text("q")
            .map(LogQuery::parse)
            .transpose()
            // Neither source of these messages quotes an errorCode.
            .map_err(|message| ApiError::new(StatusCode::BAD_REQUEST, None, message));
        match query {
            Ok(query) => self.logs_in(given, query.as_ref()),
            // The other parameters are judged first.
            Err(refusal) => self.logs_in(given, None).and(Err(refusal)),
        }
    }

    fn logs_in(&self, given: &Parameters<'_>, query: Option<&LogQuery>) -> RouteResult {
        let page = page(given)?;
        let totals = given.flag("include_totals", false)?;
        let selection = given.selection()?;
        let by_date = match given.sort()? {
            None => None,
            Some(("date", descending)) => Some(descending),
            Some((field, _)) => {
                // Only `date` is documented; the words of the refusal are not.
                return Err(ApiError::query(format!("Logs cannot be sorted by {field}.")));
            }
        };
        if page.is_beyond_reach() {
            // The error is documented, its body is not.
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                Some("invalid_paging"),
                "You can only page through the first 1000 records. Use from and take to read further.",
            ));
        }
        let mut logs = self.tenant.logs(query, by_date, page, self.now());
        for log in &mut logs {
            // Recorded: `_id` is always there.
            log.retain(|name, _| name == "_id" || selection.includes(name));
        }
        if !totals {
            return ok(&logs);
        }
        // In this version of the log search `total` is the length of the page.
        ok(&json!({
            "start": page.start(), "limit": page.size, "length": logs.len(), "total": logs.len(), "logs": logs,
        }))
    }
}

fn page(given: &Parameters<'_>) -> Result<Page, ApiError> {
    Ok(Page {
        number: given.integer("page", 0..=u64::from(u32::MAX), 0, PAGE)?,
        size: given.integer("per_page", 0..=100, 50, PER_PAGE)?,
    })
}

fn ok(body: &impl Serialize) -> RouteResult {
    serde_json::to_string(body)
        .map(|text| envelope::with_text(StatusCode::OK, text))
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, None, error.to_string()))
}
