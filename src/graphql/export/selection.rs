//! The part of each record that an export writes: all but credentials, or columns that are named.

use super::shown::{write_all, write_field};
use crate::auth::{Scope, Scopes};
use crate::auth0::{Fields, Searched};
use crate::graphql::project::json::{self, JsonError, Raw, Records};
use crate::graphql::schema::connection::{LOG_CONNECTION, USER_CONNECTION};
use crate::graphql::schema::log::LOG;
use crate::graphql::schema::object::{Field, Kind, Object};
use crate::graphql::schema::user::USER;

/// Scopes of an export that is to have no credentials in it.
const ALL_BUT_CREDENTIALS: Scopes = Scopes::of(&Scope::ALL).without(Scopes::of(&[Scope::ReadUserIdpTokens]));

/// The part of each record that is written.
#[derive(Debug)]
pub(crate) struct ExportSelection {
    searched: Searched,
    /// The columns that were named; none for whole records.
    columns: Vec<Column>,
    held: Scopes,
}

/// A column.
#[derive(Debug)]
struct Column {
    /// Its name, which is its path.
    name: String,
    key: &'static str,
    /// The keys that lead on from there.
    path: Vec<String>,
}

/// Fields that cannot be exported as they were named. `Display` is for whoever named them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectionError {
    /// No record has it.
    #[error(
        "--fields: {records} have no `{name}`. They have {}. A path leads into {}, such as `{}.a`. What else there may be, as identity providers add to users, is named with --other-fields", known.join(", "), open.join(", "), open.first().copied().unwrap_or_default()
    )]
    Unknown {
        /// The field as it was named.
        name: String,
        /// The kind of records.
        records: &'static str,
        /// The fields that there are.
        known: Vec<&'static str>,
        /// The fields in which there may be anything.
        open: Vec<&'static str>,
    },
    /// It is no path.
    #[error("--fields: `{0}` is no path: names of letters, digits, - and _ are expected, with dots between them")]
    Path(String),
    /// It has no name.
    #[error("--other-fields: a name is empty")]
    Empty,
    /// There is nothing to ask for.
    #[error("--with-credentials is for users: logs hold none")]
    NoCredentials,
}

impl ExportSelection {
    /// The columns `fields`, which are known, and `others`, which need not be; whole records if there are none of either.
    ///
    /// # Errors
    ///
    /// See [`SelectionError`].
    pub(crate) fn new(
        searched: Searched,
        fields: &[String],
        others: &[String],
        with_credentials: bool,
    ) -> Result<Self, SelectionError> {
        if with_credentials && searched == Searched::Logs {
            return Err(SelectionError::NoCredentials);
        }
        let mut columns = Vec::new();
        for field in fields {
            columns.push(column(searched, field)?);
        }
        for other in others {
            if other.is_empty() {
                return Err(SelectionError::Empty);
            }
            // It is there for as long as the program.
            columns.push(Column { name: other.clone(), key: String::leak(other.clone()), path: Vec::new() });
        }
        let held = if with_credentials { Scopes::of(&Scope::ALL) } else { ALL_BUT_CREDENTIALS };
        Ok(Self { searched, columns, held })
    }

    /// The columns of a table. Of whole records those that all of them may have.
    pub(crate) fn columns(&self) -> Vec<&str> {
        if self.columns.is_empty() {
            return keys(self.searched).collect();
        }
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The keys that are asked for: those of the columns, and those that the order goes by.
    pub(crate) fn fields(&self) -> Fields {
        if self.columns.is_empty() {
            return Fields::All;
        }
        let mut keys: Vec<_> = self.columns.iter().map(|column| column.key).chain(self.order()).collect();
        keys.sort_unstable();
        keys.dedup();
        Fields::Only(keys)
    }

    /// Appends the record as a JSON object, with the keys that the order goes by.
    ///
    /// # Errors
    ///
    /// It is no JSON. What was appended is to be thrown away.
    pub(crate) fn write(&self, record: &[u8], out: &mut Vec<u8>) -> Result<(), JsonError> {
        out.push(b'{');
        json::read_record(record, &mut ObjectWriter { selection: self, separator: b"", out })?;
        out.push(b'}');
        Ok(())
    }

    /// The values of the columns, in JSON.
    ///
    /// # Errors
    ///
    /// It is no JSON.
    pub(crate) fn values(&self, record: &[u8]) -> Result<Vec<Option<Vec<u8>>>, JsonError> {
        let columns = self.columns();
        let mut cells = Cells { selection: self, columns: &columns, values: vec![None; columns.len()] };
        json::read_record(record, &mut cells)?;
        Ok(cells.values)
    }

    fn order(&self) -> impl Iterator<Item = &'static str> {
        let connection = match self.searched {
            Searched::Users => &USER_CONNECTION,
            Searched::Logs => &LOG_CONNECTION,
        };
        connection.order.iter().copied()
    }

    /// True if the whole value under this key is written.
    fn takes(&self, key: &str) -> bool {
        let is_named = |column: &Column| column.path.is_empty() && column.key == key;
        self.columns.is_empty() || self.columns.iter().any(is_named) || self.order().any(|order| order == key)
    }

    /// Appends the value under `key`, as far as it is shown.
    fn write_value(&self, key: &str, value: Raw<'_>, out: &mut Vec<u8>) -> bool {
        match object(self.searched).field_of_key(key) {
            Some(field) => write_field(field, value, self.held, out),
            None => write_all(value, out),
        }
    }
}

fn column(searched: Searched, name: &str) -> Result<Column, SelectionError> {
    let mut parts = name.split('.');
    let key = parts.next().unwrap_or_default();
    let path: Vec<_> = parts.map(ToOwned::to_owned).collect();
    let is_open = |field: &&Field| matches!(field.kind, Kind::Json);
    let fields = object(searched).fields;
    let field = object(searched).field_of_key(key).filter(|field| path.is_empty() || is_open(field));
    let known = field.and_then(|field| field.keys.iter().copied().find(|known| *known == key));
    let Some(key) = known else {
        let open = fields.iter().filter(is_open).filter_map(|field| field.keys.first().copied());
        let (records, known) = (searched.name(), keys(searched).collect());
        return Err(SelectionError::Unknown { name: name.to_owned(), records, known, open: open.collect() });
    };
    let is_name =
        |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !path.iter().all(is_name) {
        return Err(SelectionError::Path(name.to_owned()));
    }
    Ok(Column { name: name.to_owned(), key, path })
}

/// The keys of records on the wire, in the order of the schema.
fn keys(searched: Searched) -> impl Iterator<Item = &'static str> {
    let mut known: Vec<&str> = Vec::new();
    for key in object(searched).fields.iter().filter_map(|field| field.keys.first()) {
        if !known.contains(key) {
            known.push(key);
        }
    }
    known.into_iter()
}

fn object(searched: Searched) -> &'static Object {
    match searched {
        Searched::Users => &USER,
        Searched::Logs => &LOG,
    }
}

/// Writes a record's entries.
struct ObjectWriter<'s, 'o> {
    selection: &'s ExportSelection,
    separator: &'static [u8],
    out: &'o mut Vec<u8>,
}

impl ObjectWriter<'_, '_> {
    /// Appends an entry, if there is a value.
    fn write(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>) -> bool) {
        let start = self.out.len();
        self.out.extend_from_slice(self.separator);
        key(self.out);
        self.out.push(b':');
        if value(self.out) {
            self.separator = b",";
        } else {
            self.out.truncate(start);
        }
    }
}

impl<'a> Records<'a> for ObjectWriter<'_, '_> {
    fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
        let selection = self.selection;
        let Some(name) = key.string() else { return };
        if selection.takes(&name) {
            self.write(|out| key.write(out), |out| selection.write_value(&name, value, out));
        }
        for column in selection.columns.iter().filter(|column| column.key == name && !column.path.is_empty()) {
            let Some(found) = at(value, &column.path) else { continue };
            self.write(|out| json::write_string(&column.name, out), |out| write_all(found, out));
        }
    }

    fn end(&mut self, _: bool) {}
}

/// The values of columns.
struct Cells<'s> {
    selection: &'s ExportSelection,
    columns: &'s [&'s str],
    values: Vec<Option<Vec<u8>>>,
}

impl<'a> Records<'a> for Cells<'_> {
    fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
        let selection = self.selection;
        let Some(name) = key.string() else { return };
        for (index, cell) in self.values.iter_mut().enumerate() {
            let found = match selection.columns.get(index) {
                Some(column) if column.key == name => at(value, &column.path),
                None if self.columns.get(index).is_some_and(|column| *column == name) => Some(value),
                _ => continue,
            };
            let mut written = Vec::new();
            let is_shown = found.is_some_and(|found| match selection.columns.get(index) {
                Some(column) if !column.path.is_empty() => write_all(found, &mut written),
                _ => selection.write_value(&name, found, &mut written),
            });
            *cell = is_shown.then_some(written);
        }
    }

    fn end(&mut self, _: bool) {}
}

/// The value at the end of a path.
fn at<'a>(value: Raw<'a>, path: &[String]) -> Option<Raw<'a>> {
    struct Step<'a, 'p> {
        name: &'p str,
        found: Option<Raw<'a>>,
    }
    impl<'a> Records<'a> for Step<'a, '_> {
        fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
            if key.is(self.name) {
                self.found = Some(value);
            }
        }

        fn end(&mut self, _: bool) {}
    }
    path.iter().try_fold(value, |value, name| {
        let mut step = Step { name, found: None };
        json::read_record(value.bytes(), &mut step).ok()?;
        step.found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(fields: &[&str], others: &[&str], with_credentials: bool) -> Result<ExportSelection, SelectionError> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        ExportSelection::new(Searched::Users, &owned(fields), &owned(others), with_credentials)
    }

    fn line(selection: &ExportSelection, record: &str) -> String {
        let mut out = Vec::new();
        selection.write(record.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const RECORD: &str = r#"{"user_id":"a|1","groups":["x"],"identities":[{"provider":"p","user_id":7,"access_token":"hush","\u0061ccess_token_secret":"hush",
        "id_token":"hush","expires_in":9,"profileData":{"email":"a@b","token":"hush"}},"hush",null],"app_metadata":{"plan":{"name":"gold"}}}"#;

    #[test]
    fn credentials_are_left_out_unless_they_are_asked_for() {
        let shown = line(&selection(&[], &[], false).unwrap(), RECORD);
        assert_eq!(
            shown,
            r#"{"user_id":"a|1","groups":["x"],"identities":[{"provider":"p","user_id":7,"expires_in":9,"profileData":{"email":"a@b"}},null,null],"app_metadata":{"plan":{"name":"gold"}}}"#
        );
        assert!(!line(&selection(&["identities"], &[], false).unwrap(), RECORD).contains("hush"));
        assert!(!line(&selection(&[], &["identities"], false).unwrap(), RECORD).contains("hush"));
        let all = line(&selection(&[], &[], true).unwrap(), RECORD);
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(&all), parsed(RECORD));
        for form in [r#"{"identities":"hush"}"#, r#"{"identities":{"refresh_token":"hush"}}"#] {
            assert!(!line(&selection(&[], &[], false).unwrap(), form).contains("hush"), "{form}");
            assert!(line(&selection(&[], &[], true).unwrap(), form).contains("hush"), "{form}");
        }
    }

    #[test]
    fn columns_are_fields_paths_and_what_providers_add() {
        let some = selection(&["app_metadata.plan.name", "email", "app_metadata.none"], &["groups"], false).unwrap();
        let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8(value).unwrap());
        assert_eq!(some.columns(), ["app_metadata.plan.name", "email", "app_metadata.none", "groups"]);
        assert_eq!(some.fields(), Fields::Only(vec!["app_metadata", "created_at", "email", "groups", "user_id"]));
        let values: Vec<_> = some.values(RECORD.as_bytes()).unwrap().into_iter().map(text).collect();
        assert_eq!(values, [Some("\"gold\"".to_owned()), None, None, Some("[\"x\"]".to_owned())]);
        assert_eq!(line(&some, RECORD), r#"{"user_id":"a|1","groups":["x"],"app_metadata.plan.name":"gold"}"#);
        let whole = selection(&[], &[], false).unwrap();
        assert_eq!((&whole.columns()[..2], whole.fields()), (&["user_id", "email"][..], Fields::All));
        let identities = whole.columns().iter().position(|column| *column == "identities").unwrap();
        let cell = whole.values(RECORD.as_bytes()).unwrap().swap_remove(identities).unwrap();
        assert!(!String::from_utf8(cell).unwrap().contains("hush"));
        assert!(whole.values(b"{").is_err());
    }

    #[test]
    fn what_no_record_has_is_refused_with_what_there_is() {
        for name in ["nope", "", "Email", "userId", "email.x", "identities.provider", "attributes"] {
            let refused = selection(&["email", name], &[], false).unwrap_err().to_string();
            let expected = format!("--fields: users have no `{name}`. They have user_id, email, ");
            assert!(refused.starts_with(&expected) && refused.contains("such as `app_metadata.a`"), "{refused}");
        }
        for path in ["app_metadata.", "app_metadata..a", "user_metadata.a b"] {
            assert_eq!(selection(&[path], &[], false).unwrap_err(), SelectionError::Path(path.to_owned()));
        }
        assert_eq!(selection(&[], &[""], false).unwrap_err(), SelectionError::Empty);
        let logs = |name: &str| ExportSelection::new(Searched::Logs, &[name.to_owned()], &[], false);
        assert!(logs("_id").is_ok() && logs("details.request.method").is_ok());
        assert!(
            logs("nickname").unwrap_err().to_string().contains("logs have no `nickname`. They have log_id, date, ")
        );
        assert_eq!(ExportSelection::new(Searched::Logs, &[], &[], true).unwrap_err(), SelectionError::NoCredentials);
    }
}
