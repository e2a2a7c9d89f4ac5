//! The query string of a Management API call, as strict as Auth0 reads it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::envelope::ApiError;

/// The parameters of a call, each known to the endpoint and given once.
#[derive(Debug)]
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Reads a query string for an endpoint that knows the `allowed` parameters.
    pub(crate) fn read(query: Option<&'a str>, allowed: &[&str]) -> Result<Self, ApiError> {
        let given: Vec<_> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
        let unknown: Vec<_> =
            given.iter().filter(|(name, _)| !allowed.contains(&name.as_ref())).map(|(name, _)| name.as_ref()).collect();
        if !unknown.is_empty() {
            // The beginning is quoted from Auth0, the end is modelled on its body errors.
            return Err(invalid(&format!("Additional properties not allowed: {}'.", unknown.join(","))));
        }
        for (position, (name, _)) in given.iter().enumerate() {
            if given[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(invalid(&format!("Expected type string but found type array' on property {name}.")));
            }
        }
        Ok(Self(given))
    }

    /// A parameter, as it was sent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_ref())
    }

    /// A whole number in bounds, or `default`. `meaning` ends Auth0's message.
    pub(crate) fn integer(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
        default: u64,
        meaning: &str,
    ) -> Result<u64, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        let value: i128 = text.parse().map_err(|_| {
            invalid(&format!("Expected type integer but found type string' on property {name} ({meaning})."))
        })?;
        if value > i128::from(*bounds.end()) {
            Err(invalid(&format!(
                "Value {value} is greater than maximum {}' on property {name} ({meaning}).",
                bounds.end()
            )))
        } else {
            u64::try_from(value).ok().filter(|value| bounds.contains(value)).ok_or_else(|| {
                invalid(&format!(
                    "Value {value} is less than minimum {}' on property {name} ({meaning}).",
                    bounds.start()
                ))
            })
        }
    }

    /// `true` or `false`, or `default`.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(invalid(&format!("Expected type boolean but found type string' on property {name}."))),
        }
    }

    /// `field:1` or `field:-1`: the field, and whether it is descending.
    pub(crate) fn sort(&self) -> Result<Option<(&str, bool)>, ApiError> {
        let Some(text) = self.text("sort") else {
            return Ok(None);
        };
        match text.rsplit_once(':') {
            Some((field, "1")) if !field.is_empty() => Ok(Some((field, false))),
            Some((field, "-1")) if !field.is_empty() => Ok(Some((field, true))),
            _ => Err(invalid(&format!(
                "String '{text}' does not match pattern. Must be a field name followed by :1 or :-1' on property sort."
            ))),
        }
    }

    /// The selection of `fields` and `include_fields`.
    pub(crate) fn selection(&self) -> Result<Selection<'_>, ApiError> {
        let include = self.flag("include_fields", true)?;
        let names: Vec<_> =
            self.text("fields").unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        Ok(match (names.is_empty(), include) {
            (true, _) => Selection::Everything,
            (false, true) => Selection::Only(names),
            (false, false) => Selection::Without(names),
        })
    }

    /// The same for the endpoints of single users, which take the names of a list and no other.
    pub(crate) fn user_selection(&self) -> Result<Selection<'_>, ApiError> {
        let selection = self.selection()?;
        match &selection {
            Selection::Only(names) | Selection::Without(names)
                if !names.iter().all(|name| USER_FIELDS.contains(name)) =>
            {
                Err(invalid(&format!(
                    "String '{}' does not match pattern. Must be a comma separated list of the following values: {}' on property fields (A comma separated list of fields to include or exclude (depending on include_fields) from the result, empty to retrieve all fields).",
                    names.join(","),
                    USER_FIELDS.join(",")
                )))
            }
            _ => Ok(selection),
        }
    }
}

/// The names that `GET /users/{id}` and `GET /users-by-email` take in `fields`, in the order in which Auth0's refusal has them.
const USER_FIELDS: [&str; 19] = [
    "phone_number",
    "email",
    "email_verified",
    "picture",
    "username",
    "user_id",
    "name",
    "nickname",
    "created_at",
    "identities",
    "app_metadata",
    "user_metadata",
    "last_ip",
    "last_login",
    "logins_count",
    "updated_at",
    "blocked",
    "family_name",
    "given_name",
];

/// The root members of a record that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection<'a> {
    Everything,
    Only(Vec<&'a str>),
    Without(Vec<&'a str>),
}

impl Selection<'_> {
    /// True if a root member was asked for.
    pub(crate) fn includes(&self, name: &str) -> bool {
        match self {
            Selection::Everything => true,
            Selection::Only(names) => names.contains(&name),
            Selection::Without(names) => !names.contains(&name),
        }
    }
}

fn invalid(fault: &str) -> ApiError {
    ApiError::query(format!("Query validation error: '{fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [&str; 5] = ["per_page", "include_totals", "sort", "fields", "include_fields"];
    const MEANING: &str = "Number of results per page. Defaults to 50";

    fn per_page(query: &str) -> Result<u64, String> {
        Parameters::read(Some(query), &ALLOWED)
            .and_then(|given| given.integer("per_page", 0..=100, 50, MEANING))
            .map_err(|refusal| refusal.message)
    }

    #[test]
    fn numbers_are_bounded_in_auth0s_words() {
        assert_eq!(per_page(""), Ok(50));
        assert_eq!(per_page("per_page=100"), Ok(100));
        assert_eq!(
            per_page("per_page=1000").unwrap_err(),
            "Query validation error: 'Value 1000 is greater than maximum 100' on property per_page (Number of results per page. Defaults to 50)."
        );
        for bad in ["-1", "1.5", "", "ten", "99999999999999999999999"] {
            assert!(per_page(&format!("per_page={bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        assert_eq!(
            per_page("per_page=1&search=a&x=1").unwrap_err(),
            "Query validation error: 'Additional properties not allowed: search,x'."
        );
        assert!(per_page("per_page=1&per_page=2").is_err());
    }

    #[test]
    fn selections_and_sorts() {
        let given = Parameters::read(Some("fields=a,%20b&include_fields=false&sort=x:y:-1"), &ALLOWED).expect("valid");
        assert_eq!(given.selection(), Ok(Selection::Without(vec!["a", "b"])));
        assert_eq!(given.sort(), Ok(Some(("x:y", true))));
        let given = Parameters::read(Some("sort=date&include_fields=maybe"), &ALLOWED).expect("known names");
        assert!(given.sort().is_err());
        assert!(given.selection().is_err());
    }
}
