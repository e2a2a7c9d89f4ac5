//! Payloads: what an endpoint's answer holds, in Auth0's own bytes.

use bytes::Bytes;
use chrono::Utc;
use serde::de::IgnoredAny;

use super::endpoints::{Endpoint, ResponseKind, Selectable};
use super::error::Error;
use super::error_mapping::{error_of, is_absent_user};
use super::http_client::UpstreamResponse;
use super::ids::path_segment;
use super::page::{self, Page};

/// The payload of a read.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A list.
    Page(Page),
    /// A record, if there is one.
    Record(Option<Bytes>),
}

impl Payload {
    /// Reads a response of `endpoint`. `host` is the upstream's, kept out of what is shown.
    pub(crate) fn read(response: &UpstreamResponse, endpoint: &Endpoint, host: &str) -> Result<Self, Error> {
        if let ResponseKind::Record { is_absent } = endpoint.response
            && is_absent(response)
        {
            return Ok(Self::Record(None));
        }
        if let ResponseKind::ListOfUser { .. } = endpoint.response
            && is_absent_user(response)
        {
            return Ok(Self::Page(Page::default()));
        }
        if !response.status.is_success() {
            return Err(error_of(response, host, endpoint.scope, Utc::now()));
        }
        match endpoint.response {
            ResponseKind::List { key } => Page::read(&response.body, key, &response.headers).map(Self::Page),
            // A total that nobody asked for is left out: that of organizations was seen to be 0 for a list of one.
            ResponseKind::ListOfUser { key } => {
                Page::read(&response.body, key, &response.headers).map(|page| Self::Page(Page { total: None, ..page }))
            }
            ResponseKind::Record { .. } => page::record(&response.body).map(|record| Self::Record(Some(record))),
        }
    }

    /// The id of the first record, if it is a list of which `endpoint` lets ids be chosen.
    pub(crate) fn first_id(&self, endpoint: &Endpoint) -> Option<Box<str>> {
        let (Self::Page(page), Selectable::Any { least }) = (self, endpoint.selectable) else { return None };
        let records: Vec<serde_json::Value> = serde_json::from_slice(&page.records).ok()?;
        path_segment("id", records.first()?.get(least)?.as_str()?).ok()
    }

    /// True if it is a list without records.
    pub(crate) fn is_empty(&self) -> bool {
        let Self::Page(page) = self else { return false };
        serde_json::from_slice::<Vec<IgnoredAny>>(&page.records).is_ok_and(|records| records.is_empty())
    }

    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Page(page) => page.records.len(),
            Self::Record(record) => record.as_ref().map_or(0, Bytes::len),
        }
    }

    /// True if it may be served again.
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Page(page) => !page.identity.is_invalid(),
            Self::Record(_) => true,
        }
    }
}

/// A form that a payload can be given out in.
pub trait FromPayload: sealed::FromPayload {}

impl FromPayload for Page {}
impl FromPayload for Option<Bytes> {}
impl FromPayload for Payload {}

pub(super) mod sealed {
    pub trait FromPayload: Sized {
        fn from_payload(payload: super::Payload) -> Option<Self>;
    }
}

impl sealed::FromPayload for Page {
    fn from_payload(payload: Payload) -> Option<Self> {
        match payload {
            Payload::Page(page) => Some(page),
            Payload::Record(_) => None,
        }
    }
}

impl sealed::FromPayload for Option<Bytes> {
    fn from_payload(payload: Payload) -> Option<Self> {
        match payload {
            Payload::Record(record) => Some(record),
            Payload::Page(_) => None,
        }
    }
}

impl sealed::FromPayload for Payload {
    fn from_payload(payload: Payload) -> Option<Self> {
        Some(payload)
    }
}
