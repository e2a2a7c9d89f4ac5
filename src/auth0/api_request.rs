//! Requests to the Management API: an endpoint, and the parameters that it is called with.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use super::endpoints::{Endpoint, ID, List, ListOfUser, Record};
use super::fields_parameter::Fields;
use super::ids::UserId;
use super::list_parameters::Parameters;
use super::page::Page;
use super::payload::Payload;
use super::request_target::{RequestTarget, TargetBuilder};

/// A read of the Management API that brings a `T`, to be made as often as need be. Cheap to clone.
#[derive(Debug)]
pub struct ApiRequest<T>(pub(super) Arc<RequestTarget>, PhantomData<fn() -> T>);

impl<T> ApiRequest<T> {
    fn new(target: TargetBuilder) -> Self {
        Self(Arc::new(target.into_request()), PhantomData)
    }

    /// The endpoint that is asked.
    pub(crate) fn endpoint(&self) -> &'static Endpoint {
        self.0.endpoint
    }

    /// The search that it sends, if there is one.
    #[must_use]
    pub fn q(&self) -> Option<String> {
        let (_, parameters) = self.0.target(true).split_once('?')?;
        url::form_urlencoded::parse(parameters.as_bytes()).find(|(name, _)| name == "q").map(|(_, q)| q.into_owned())
    }
}

impl<T> Clone for ApiRequest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl ApiRequest<Page> {
    /// A list, of whose records `fields` are asked for where the endpoint lets them be chosen.
    pub(crate) fn list<P: Parameters>(endpoint: &'static List<P>, parameters: &P, fields: &Fields) -> Self {
        Self::new(TargetBuilder::of(&endpoint.endpoint).with_all(parameters.pairs()).with_fields(fields))
    }

    /// A list that belongs to a user. Records come whole: no such endpoint has `fields`.
    pub(crate) fn list_of_user<P: Parameters>(endpoint: &'static ListOfUser<P>, id: &UserId, parameters: &P) -> Self {
        Self::new(TargetBuilder::of_id(&endpoint.endpoint, id.as_ref()).with_all(parameters.pairs()))
    }
}

impl ApiRequest<Option<Bytes>> {
    /// A record: a JSON object as Auth0 sent it, or `None` if there is none of this id.
    pub(crate) fn record<I: AsRef<str>>(endpoint: &'static Record<I>, id: &I, fields: &Fields) -> Self {
        Self::new(TargetBuilder::of_id(&endpoint.endpoint, id.as_ref()).with_fields(fields))
    }
}

impl ApiRequest<Payload> {
    /// The cheapest call to an endpoint, with as little of a record as it gives out. `id` is that of a record of the list that the endpoint's
    /// sample names.
    pub(crate) fn sample(endpoint: &'static Endpoint, id: &str) -> Self {
        let parameters = endpoint.sample.parameters.iter();
        let parameters = parameters.map(|(name, value)| (*name, if *value == ID { id } else { value }));
        let target = TargetBuilder::of_id(endpoint, id).with_all(parameters);
        Self::new(target.with_fields(&Fields::Only(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::{ENDPOINTS, USERS_BY_EMAIL};
    use super::super::ids::Email;
    use super::*;

    #[test]
    fn whole_records_are_asked_for_without_the_fields_alone() {
        let fields = Fields::Only(vec!["email"]);
        let ApiRequest(request, _) = ApiRequest::list(&USERS_BY_EMAIL, &Email::parse("a@b").unwrap(), &fields);
        assert_eq!(request.target(true), "/api/v2/users-by-email?email=a%40b&fields=email&include_fields=true");
        assert_eq!(request.target(false), "/api/v2/users-by-email?email=a%40b");
        assert_eq!(request.field_names, ["email"]);
    }

    #[test]
    fn a_sample_is_one_record_and_its_id_if_that_can_be_chosen() {
        let samples = ENDPOINTS.iter().map(|endpoint| ApiRequest::sample(endpoint, "a|1").0.target(true).to_owned());
        insta::assert_snapshot!(samples.collect::<Vec<_>>().join("\n"), @"
        /api/v2/users?page=0&per_page=1&search_engine=v3&fields=user_id&include_fields=true
        /api/v2/users/a%7C1?fields=user_id&include_fields=true
        /api/v2/users-by-email?email=nobody%40example.invalid&fields=user_id&include_fields=true
        /api/v2/logs?page=0&per_page=1&sort=date%3A-1&fields=log_id&include_fields=true
        /api/v2/logs?from=a%7C1&take=1
        /api/v2/logs/a%7C1
        /api/v2/users/a%7C1/logs?page=0&per_page=1
        /api/v2/users/a%7C1/roles?page=0&per_page=1
        /api/v2/users/a%7C1/permissions?page=0&per_page=1
        /api/v2/users/a%7C1/organizations?page=0&per_page=1
        /api/v2/users/a%7C1/authentication-methods?page=0&per_page=1
        /api/v2/users/a%7C1/enrollments
        /api/v2/users/a%7C1/sessions?take=1
        /api/v2/users/a%7C1/refresh-tokens?take=1
        /api/v2/user-blocks/a%7C1
        ");
    }
}
