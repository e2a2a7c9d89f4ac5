//! Conditions of a search, and their text in Auth0's Lucene.
//!
//! Whatever a value holds, what is written is one literal term. The syntax:
//! <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax> and
//! <https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax>.

use std::ops::Bound;

/// A condition that records meet or do not.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The field has one of these values, of which there is at least one.
    OneOf(Path, Vec<String>),
    /// The field's value begins with this text.
    StartsWith(Path, String),
    /// The field's value ends with this text, of [`SHORTEST_SUFFIX`] characters or more.
    EndsWith(Path, String),
    /// The field's value lies within bounds, which are numbers or dates as Auth0 writes them.
    Within(Path, Bound<String>, Bound<String>),
    /// The field is true.
    IsTrue(Path),
    /// The field has a value.
    Exists(Path),
    /// All of these, of which there is at least one.
    All(Vec<Condition>),
    /// Any of these, of which there is at least one.
    Any(Vec<Condition>),
    /// Every record but those that meet the condition.
    Not(Box<Condition>),
    /// A query as a caller wrote it, which has to be whole by itself.
    Query(String),
    /// Every record.
    Everything,
}

/// The fewest characters behind a `*`: Auth0 refuses less.
pub const SHORTEST_SUFFIX: usize = 3;

/// The path to a field, such as `identities.connection`: letters, digits, `_` and `-`, in parts between dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// None where a part is empty or holds another character: it could be an operator.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        path.split('.').all(is_name).then(|| Self(path.to_owned()))
    }

    /// The path, dots and all.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A kind of records that can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// `GET /users`.
    Users,
    /// `GET /logs`.
    Logs,
}

impl Searched {
    /// The records, in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Logs => "logs",
        }
    }

    /// A condition that every record meets, to stand beside a negation: in Lucene, negations alone match nothing. A half-open
    /// range of dates, because that is documented; `*:*` is not, and a question for existence is slow. A profile whose date of
    /// creation is no date, as some were recorded, is found if the index has one, which is not known.
    const fn everything(self) -> &'static str {
        match self {
            Self::Users => "created_at:[1970-01-01 TO *]",
            Self::Logs => "date:[1970-01-01 TO *]",
        }
    }
}

impl Condition {
    /// The condition as a search for records of this kind has it in its `q`.
    #[must_use]
    pub fn to_query(&self, searched: Searched) -> String {
        let mut query = String::new();
        Writer { query: &mut query, searched }.whole(self);
        query
    }

    /// True of a record with these values; `values` gives those of a field. Compared by case, as Auth0 compares those of logs.
    /// Conditions that only a search can judge do not hold.
    #[must_use]
    pub fn holds(&self, values: &impl Fn(&Path) -> Vec<String>) -> bool {
        let any = |path, test: &dyn Fn(&str) -> bool| values(path).iter().any(|value| test(value));
        match self {
            Self::OneOf(path, texts) => any(path, &|value| texts.iter().any(|text| text == value)),
            Self::StartsWith(path, text) => any(path, &|value| value.starts_with(text.as_str())),
            Self::EndsWith(path, text) => any(path, &|value| value.ends_with(text.as_str())),
            Self::IsTrue(path) => any(path, &|value| value == "true"),
            Self::Exists(path) => any(path, &|_| true),
            Self::All(parts) => parts.iter().all(|part| part.holds(values)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(values)),
            Self::Not(condition) => !condition.holds(values),
            Self::Everything => true,
            Self::Within(..) | Self::Query(_) => false,
        }
    }

    /// The paths of the fields that it names, without those in a [`Condition::Query`].
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::OneOf(path, _)
            | Self::StartsWith(path, _)
            | Self::EndsWith(path, _)
            | Self::Within(path, ..)
            | Self::IsTrue(path)
            | Self::Exists(path) => vec![path.as_str()],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::paths).collect(),
            Self::Not(condition) => condition.paths(),
            Self::Query(_) | Self::Everything => Vec::new(),
        }
    }
}

struct Writer<'q> {
    query: &'q mut String,
    searched: Searched,
}

impl Writer<'_> {
    /// A condition that stands alone.
    fn whole(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.joined(parts, " AND "),
            Condition::Any(parts) => self.joined(parts, " OR "),
            Condition::Not(negated) => {
                self.push(self.searched.everything());
                self.push(" AND NOT ");
                self.part(negated);
            }
            Condition::Query(query) => self.push(query),
            leaf => self.part(leaf),
        }
    }

    fn joined(&mut self, parts: &[Condition], operator: &str) {
        if let [only] = parts {
            return self.whole(only);
        }
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(operator);
            }
            self.part(part);
        }
    }

    /// A condition among others, in parentheses if it is of several clauses: operators of different kinds never meet.
    fn part(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) | Condition::Any(parts) if parts.len() == 1 => self.part(&parts[0]),
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) | Condition::Query(_) => {
                self.push("(");
                self.whole(condition);
                self.push(")");
            }
            Condition::OneOf(path, values) => self.one_of(path, values),
            Condition::StartsWith(path, text) => {
                self.field(path);
                self.term(text);
                self.push("*");
            }
            Condition::EndsWith(path, text) => {
                self.field(path);
                self.push("*");
                self.term(text);
            }
            Condition::Within(path, lower, upper) => self.range(path, lower, upper),
            Condition::IsTrue(path) => {
                self.field(path);
                self.push("true");
            }
            Condition::Everything => self.push(self.searched.everything()),
            Condition::Exists(path) => {
                self.push("_exists_:");
                self.push(path.as_str());
            }
        }
    }

    fn one_of(&mut self, path: &Path, values: &[String]) {
        self.field(path);
        if let [only] = values {
            return self.phrase(only);
        }
        self.push("(");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.push(" OR ");
            }
            self.phrase(value);
        }
        self.push(")");
    }

    fn range(&mut self, path: &Path, lower: &Bound<String>, upper: &Bound<String>) {
        self.field(path);
        let (opening, from) = match lower {
            Bound::Included(from) => ("[", from.as_str()),
            Bound::Excluded(from) => ("{", from.as_str()),
            Bound::Unbounded => ("[", "*"),
        };
        let (to, closing) = match upper {
            Bound::Included(to) => (to.as_str(), "]"),
            Bound::Excluded(to) => (to.as_str(), "}"),
            Bound::Unbounded => ("*", "]"),
        };
        [opening, from, " TO ", to, closing].into_iter().for_each(|piece| self.push(piece));
    }

    fn field(&mut self, path: &Path) {
        self.push(path.as_str());
        self.push(":");
    }

    /// Between quotes nothing has a meaning but these two.
    fn phrase(&mut self, value: &str) {
        self.push("\"");
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                self.query.push('\\');
            }
            self.query.push(character);
        }
        self.push("\"");
    }

    /// A backslash takes every meaning away but from letters and digits, which have none, or get one: `\u0041` is a letter. Blanks
    /// beyond ASCII end words too.
    fn term(&mut self, value: &str) {
        for character in value.chars() {
            if !character.is_alphanumeric() {
                self.query.push('\\');
            }
            self.query.push(character);
        }
    }

    fn push(&mut self, text: &str) {
        self.query.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Path {
        Path::parse(path).unwrap()
    }

    fn is(field: &str, value: &str) -> Condition {
        Condition::OneOf(path(field), vec![value.to_owned()])
    }

    fn users(condition: &Condition) -> String {
        condition.to_query(Searched::Users)
    }

    #[test]
    fn operators_of_different_kinds_never_meet() {
        let (a, b, c) = (is("name", "a"), is("name", "b"), is("name", "c"));
        let all = Condition::All(vec![a.clone(), Condition::Any(vec![b.clone(), c.clone()])]);
        assert_eq!(users(&all), r#"name:"a" AND (name:"b" OR name:"c")"#);
        let any = Condition::Any(vec![Condition::Query("x OR y".to_owned()), Condition::All(vec![b, c])]);
        assert_eq!(users(&any), r#"(x OR y) OR (name:"b" AND name:"c")"#);
        assert_eq!(users(&Condition::All(vec![Condition::Any(vec![a])])), r#"name:"a""#);
    }

    #[test]
    fn a_negation_has_something_to_be_taken_from() {
        let not = Condition::Not(Box::new(Condition::Any(vec![is("name", "a"), is("name", "b")])));
        assert_eq!(users(&not), r#"created_at:[1970-01-01 TO *] AND NOT (name:"a" OR name:"b")"#);
        let any = Condition::Any(vec![not, Condition::Exists(path("blocked"))]);
        assert_eq!(
            any.to_query(Searched::Logs),
            r#"(date:[1970-01-01 TO *] AND NOT (name:"a" OR name:"b")) OR _exists_:blocked"#
        );
    }

    #[test]
    fn values_are_literal() {
        assert_eq!(users(&is("name", r#"a" OR "b\"#)), r#"name:"a\" OR \"b\\""#);
        let starts = Condition::StartsWith(path("name"), "Ö*l AND\u{3000}x".to_owned());
        assert_eq!(users(&starts), "name:Ö\\*l\\ AND\\\u{3000}x*");
        let ends = Condition::EndsWith(path("email"), "@x.io".to_owned());
        assert_eq!(users(&ends), r"email:*\@x\.io");
        let several = Condition::OneOf(path("type"), vec!["f".to_owned(), "fp".to_owned()]);
        assert_eq!(users(&several), r#"type:("f" OR "fp")"#);
    }

    #[test]
    fn ranges_are_open_where_nothing_bounds_them() {
        let within = |lower, upper| users(&Condition::Within(path("logins_count"), lower, upper));
        assert_eq!(within(Bound::Excluded("3".to_owned()), Bound::Unbounded), "logins_count:{3 TO *]");
        assert_eq!(within(Bound::Included("3".to_owned()), Bound::Excluded("9".to_owned())), "logins_count:[3 TO 9}");
    }

    #[test]
    fn a_path_holds_no_operator() {
        for (text, expected) in [
            ("app_metadata.plan-2.a_B", true),
            ("name", true),
            ("", false),
            ("a..b", false),
            (".a", false),
            ("a:b", false),
            ("a b", false),
            ("a*", false),
            ("ä", false),
        ] {
            assert_eq!(Path::parse(text).is_some(), expected, "{text}");
        }
    }
}
