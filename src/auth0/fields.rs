//! Which part of each record is asked for.

use super::call::Call;

/// Which attributes of each record to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fields {
    /// The whole record.
    All,
    /// These keys, as they are called on the wire; an empty list asks for the record's id, which is
    /// the least that Auth0 can send.
    Only(Vec<&'static str>),
    /// The whole record but for these. Users have it; with logs, Auth0 was recorded to leave out nearly everything.
    AllBut(Vec<&'static str>),
}

impl Fields {
    /// Adds `fields` and `include_fields`. Auth0 refuses a list that does not match a pattern of
    /// plain names, so a list with any other key asks for the whole record instead.
    pub(crate) fn add_to(&self, call: Call, id: &'static str) -> Call {
        let is_plain = |key: &&str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match self {
            Self::Only(keys) if keys.iter().all(is_plain) => {
                let list = if keys.is_empty() { id.to_owned() } else { keys.join(",") };
                call.with("fields", &list).with("include_fields", "true")
            }
            Self::AllBut(keys) if !keys.is_empty() && keys.iter().all(is_plain) => {
                call.with("fields", &keys.join(",")).with("include_fields", "false")
            }
            Self::Only(_) | Self::AllBut(_) | Self::All => call,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sent_only_if_auth0_will_take_them() {
        let query = |fields: &Fields| {
            fields.add_to(Call::to("users"), "user_id").target().split_once('?').map(|(_, query)| query.to_owned())
        };
        assert_eq!(query(&Fields::All), None);
        assert_eq!(
            query(&Fields::Only(vec!["email", "isMobile"])).as_deref(),
            Some("fields=email,isMobile&include_fields=true")
        );
        assert_eq!(query(&Fields::Only(vec![])).as_deref(), Some("fields=user_id&include_fields=true"));
        assert_eq!(query(&Fields::Only(vec!["email", "$event_schema"])), None);
        assert_eq!(query(&Fields::Only(vec!["email", ""])), None);
        let all_but = Fields::AllBut(vec!["app_metadata", "identities"]);
        assert_eq!(query(&all_but).as_deref(), Some("fields=app_metadata,identities&include_fields=false"));
        assert_eq!(query(&Fields::AllBut(vec![])), None);
        assert_eq!(query(&Fields::AllBut(vec!["$event_schema"])), None);
    }
}
