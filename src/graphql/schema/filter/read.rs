//! Reading of filters: the condition that a filter's value stands for. An operator with null or with an empty list is refused, and so is a filter with
//! nothing in it: a variable that was forgotten must not find everybody.

use std::fmt::Display;
use std::ops::Bound;

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};

use super::{Filter, FilterField, FilterKind};
use crate::auth0::{Condition, Path, SHORTEST_SUFFIX};
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::operation::{Name, Value};
use crate::graphql::schema::log_type;
use crate::graphql::schema::outcome::LogOutcome;

type Entries = [(Name, Value)];

/// The condition that the value of a `filter` stands for.
pub(crate) fn read(filter: &Filter, given: &Value) -> Result<Condition, GraphqlError> {
    ConditionReader { path: vec!["filter".to_owned()] }.filter(filter, given)
}

/// The place in the filter that is being read, for errors.
struct ConditionReader {
    path: Vec<String>,
}

impl ConditionReader {
    fn filter(&mut self, filter: &Filter, given: &Value) -> Result<Condition, GraphqlError> {
        self.each(given, |this, name, value| match name {
            "and" => this.filters(filter, value).map(Condition::All),
            "or" => this.filters(filter, value).map(Condition::Any),
            "not" => this.filter(filter, value).map(Box::new).map(Condition::Not),
            name => match filter.fields.iter().find(|field| field.name == name) {
                Some(field) => this.field(field, value),
                None => Err(GraphqlError::bug("a filter has a field that its table has not")),
            },
        })
        .map(Condition::All)
    }

    fn filters(&mut self, filter: &Filter, given: &Value) -> Result<Vec<Condition>, GraphqlError> {
        let given = self.list(given)?;
        let conditions = given.iter().enumerate().map(|(index, item)| {
            self.path.push(index.to_string());
            let condition = self.filter(filter, item)?;
            self.path.pop();
            Ok(condition)
        });
        conditions.collect()
    }

    fn field(&mut self, field: &FilterField, given: &Value) -> Result<Condition, GraphqlError> {
        let path = Path::parse(field.path).ok_or_else(|| GraphqlError::bug("a filter's table has a bad path"))?;
        match field.kind {
            FilterKind::Text => self.each(given, |this, name, value| this.text(&path, name, value)).map(Condition::All),
            FilterKind::Flag => self.each(given, |this, _, value| this.flag(&path, value)).map(Condition::All),
            FilterKind::Moment => {
                let (lower, upper) = self.bounds(given, Self::moment)?;
                Ok(Condition::Within(path, lower, upper))
            }
            FilterKind::Count => {
                let (lower, upper) = self.bounds(given, |this, _, value| this.number(value))?;
                Ok(count(path, lower, upper))
            }
            FilterKind::IsZero => match given {
                Value::Boolean(is_zero) => {
                    let is_more = Condition::Within(path, Bound::Included("1".to_owned()), Bound::Unbounded);
                    Ok(if *is_zero { not(is_more) } else { is_more })
                }
                _ => Err(self.has_no_value()),
            },
            FilterKind::LogOutcome => self.each(given, |this, _, value| this.outcome(&path, value)).map(Condition::All),
            FilterKind::AppMetadata | FilterKind::UserMetadata => self.metadata(field.path, given),
        }
    }

    fn text(&self, path: &Path, operator: &str, given: &Value) -> Result<Condition, GraphqlError> {
        let path = path.clone();
        match operator {
            "in" => {
                let values = self.list(given)?.iter().map(|value| self.string(value).map(ToOwned::to_owned));
                Ok(Condition::OneOf(path, values.collect::<Result<_, _>>()?))
            }
            "startsWith" => Ok(Condition::StartsWith(path, self.string(given)?.to_owned())),
            "endsWith" => {
                let text = self.string(given)?;
                if text.chars().count() < SHORTEST_SUFFIX {
                    return Err(self.refuse(format_args!(
                        "must have {SHORTEST_SUFFIX} characters or more: Auth0 looks for no less"
                    )));
                }
                Ok(Condition::EndsWith(path, text.to_owned()))
            }
            _ => Ok(Condition::OneOf(path, vec![self.string(given)?.to_owned()])),
        }
    }

    fn flag(&self, path: &Path, given: &Value) -> Result<Condition, GraphqlError> {
        let is_true = Condition::IsTrue(path.clone());
        match given {
            Value::Boolean(true) => Ok(is_true),
            // Auth0 says so by having no value at all, as a rule.
            Value::Boolean(false) => Ok(not(is_true)),
            _ => Err(self.has_no_value()),
        }
    }

    /// A moment as Auth0 has them, in milliseconds. What is finer is rounded so that the same records are found.
    fn moment(&self, operator: &str, given: &Value) -> Result<String, GraphqlError> {
        let refuse =
            || self.refuse("must be a moment such as 2026-11-02T08:15:30.123Z, of a year from 0000 to 9999 in UTC");
        let moment = DateTime::parse_from_rfc3339(self.string(given)?).map_err(|_| refuse())?;
        let is_rounded_up = matches!(operator, "gte" | "lt") && moment.timestamp_subsec_nanos() % 1_000_000 > 0;
        let milliseconds = moment.timestamp_millis() + i64::from(is_rounded_up);
        let moment: DateTime<Utc> = DateTime::from_timestamp_millis(milliseconds).ok_or_else(refuse)?;
        if !(0..=9999).contains(&moment.year()) {
            return Err(refuse());
        }
        Ok(moment.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    fn number(&self, given: &Value) -> Result<f64, GraphqlError> {
        match given {
            Value::Int(number) => Ok(f64::from(*number)),
            Value::Float(number) => Ok(*number),
            _ => Err(self.has_no_value()),
        }
    }

    fn outcome(&self, path: &Path, given: &Value) -> Result<Condition, GraphqlError> {
        let outcomes = match given {
            Value::List(outcomes) if !outcomes.is_empty() => outcomes.as_slice(),
            outcome @ Value::Enum(_) => std::slice::from_ref(outcome),
            _ => return Err(self.has_no_value()),
        };
        let outcomes = outcomes.iter().map(|outcome| match outcome {
            Value::Enum(name) => {
                LogOutcome::of_name(name).ok_or_else(|| GraphqlError::bug("an outcome has no such name"))
            }
            _ => Err(self.has_no_value()),
        });
        let outcomes: Vec<_> = outcomes.collect::<Result<_, _>>()?;
        let types = |is_wanted: &dyn Fn(LogOutcome) -> bool| {
            let codes = log_type::codes().filter(|(_, outcome)| is_wanted(*outcome)).map(|(code, _)| code.to_owned());
            Condition::OneOf(path.clone(), codes.collect())
        };
        // Types that nobody knows are others: they cannot be listed.
        let is_listed = !outcomes.contains(&LogOutcome::Other);
        if log_type::codes().all(|(_, outcome)| outcomes.contains(&outcome)) {
            return Ok(Condition::Everything);
        }
        Ok(if is_listed {
            types(&|outcome| outcomes.contains(&outcome))
        } else {
            not(types(&|outcome| !outcomes.contains(&outcome)))
        })
    }

    fn metadata(&mut self, root: &str, given: &Value) -> Result<Condition, GraphqlError> {
        let entries = self.entries(given)?;
        let Some((_, within)) = entries.iter().find(|(name, _)| name == "path") else {
            return Err(GraphqlError::bug("a filter of metadata has no path"));
        };
        let path = Path::parse(&format!("{root}.{}", self.string(within)?));
        let path = path.ok_or_else(|| {
            let message =
                "has a `path` that Auth0's search cannot take: names of letters, digits, `_` and `-` between dots";
            self.refuse(message)
        })?;
        let is_bound = |name: &Name| matches!(name.as_str(), "gt" | "gte" | "lt" | "lte");
        let mut conditions = Vec::new();
        let bounds: Vec<_> = entries.iter().filter(|(name, _)| is_bound(name)).cloned().collect();
        if !bounds.is_empty() {
            let (lower, upper) = self.bounds(&Value::Object(bounds), |this, _, value| this.number(value))?;
            conditions.push(Condition::Within(path.clone(), lower.map(text), upper.map(text)));
        }
        for (name, value) in entries.iter().filter(|(name, _)| name != "path" && !is_bound(name)) {
            self.path.push(name.to_string());
            conditions.push(self.text(&path, name, value)?);
            self.path.pop();
        }
        if conditions.is_empty() { Err(self.finds_everything()) } else { Ok(Condition::All(conditions)) }
    }

    /// The bounds of `gt`, `gte`, `lt` and `lte`, or both from `eq`.
    fn bounds<T: Clone>(
        &mut self,
        given: &Value,
        read: impl Fn(&Self, &str, &Value) -> Result<T, GraphqlError>,
    ) -> Result<(Bound<T>, Bound<T>), GraphqlError> {
        let (mut lower, mut upper) = (Bound::Unbounded, Bound::Unbounded);
        let read = self.each(given, |this, name, value| {
            let value = read(this, name, value)?;
            let is_twice = match name {
                "gt" | "gte" => !matches!(lower, Bound::Unbounded),
                "lt" | "lte" => !matches!(upper, Bound::Unbounded),
                _ => !matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded)),
            };
            match name {
                "gt" => lower = Bound::Excluded(value),
                "gte" => lower = Bound::Included(value),
                "lt" => upper = Bound::Excluded(value),
                "lte" => upper = Bound::Included(value),
                _ => (lower, upper) = (Bound::Included(value.clone()), Bound::Included(value)),
            }
            if is_twice { Err(this.refuse("says the same bound twice: one operator is enough")) } else { Ok(()) }
        });
        read.map(|_: Vec<()>| (lower, upper))
    }

    /// Reads each of the entries of an object, of which there has to be one.
    fn each<T>(
        &mut self,
        given: &Value,
        mut read: impl FnMut(&mut Self, &str, &Value) -> Result<T, GraphqlError>,
    ) -> Result<Vec<T>, GraphqlError> {
        let entries = self.entries(given)?;
        let entries = entries.iter().map(|(name, value)| {
            self.path.push(name.to_string());
            let read = read(self, name, value)?;
            self.path.pop();
            Ok(read)
        });
        entries.collect()
    }

    fn entries<'v>(&self, given: &'v Value) -> Result<&'v Entries, GraphqlError> {
        match given {
            Value::Object(entries) if entries.is_empty() => Err(self.finds_everything()),
            Value::Object(entries) => Ok(entries),
            _ => Err(self.has_no_value()),
        }
    }

    fn list<'v>(&self, given: &'v Value) -> Result<&'v [Value], GraphqlError> {
        match given {
            Value::List(items) if items.is_empty() => {
                Err(self.refuse("is an empty list: leave it out, or put something into it"))
            }
            Value::List(items) => Ok(items),
            _ => Err(self.has_no_value()),
        }
    }

    fn string<'v>(&self, given: &'v Value) -> Result<&'v str, GraphqlError> {
        match given {
            Value::String(text) if text.is_empty() => Err(self.refuse("is empty: Auth0 finds no empty values")),
            Value::String(text) if text.chars().any(char::is_control) => {
                Err(self.refuse("must not hold control characters, such as line ends"))
            }
            Value::String(text) => Ok(text),
            _ => Err(self.has_no_value()),
        }
    }

    fn has_no_value(&self) -> GraphqlError {
        self.refuse("is null: leave it out, or give it a value")
    }

    fn finds_everything(&self) -> GraphqlError {
        self.refuse("has no condition in it, and so would find everything: leave it out, or put one in")
    }

    fn refuse(&self, problem: impl Display) -> GraphqlError {
        let message = format!("`{}` {problem}.", self.path.join("."));
        GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "filter")
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn text(number: f64) -> String {
    number.to_string()
}

/// A count within bounds. None is zero, which Auth0 has no key for: where zero is within, what is not within is left out instead.
fn count(path: Path, lower: Bound<f64>, upper: Bound<f64>) -> Condition {
    let begins_below = match lower {
        Bound::Included(lower) => lower <= 0.0,
        Bound::Excluded(lower) => lower < 0.0,
        Bound::Unbounded => true,
    };
    let above = match upper {
        Bound::Included(upper) if upper >= 0.0 => Bound::Excluded(upper),
        Bound::Excluded(upper) if upper > 0.0 => Bound::Included(upper),
        // No count is below zero: none is left out.
        Bound::Unbounded => {
            return match begins_below {
                true => not(Condition::Within(path, Bound::Unbounded, Bound::Excluded(text(0.0)))),
                false => Condition::Within(path, lower.map(text), Bound::Unbounded),
            };
        }
        upper => return Condition::Within(path, lower.map(text), upper.map(text)),
    };
    if begins_below {
        not(Condition::Within(path, above.map(text), Bound::Unbounded))
    } else {
        Condition::Within(path, lower.map(text), upper.map(text))
    }
}
