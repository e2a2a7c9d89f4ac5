//! The normal form as a document, for tests.

use std::fmt;

use super::{Arguments, Name, Operation, SelectedField, Value};

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            Some(failure) => write!(f, "!{{{}}}", failure.message),
            None => write_fields(&self.fields, f),
        }
    }
}

fn write_fields(fields: &[SelectedField], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if fields.is_empty() {
        return f.write_str("{}");
    }
    f.write_str("{")?;
    fields.iter().try_for_each(|field| write!(f, " {field}"))?;
    f.write_str(" }")
}

impl fmt::Display for SelectedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key != self.name {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.name)?;
        match &self.arguments {
            Ok(Arguments(arguments)) if arguments.is_empty() => {}
            Ok(Arguments(arguments)) => write!(f, "({})", join(arguments))?,
            Err(failure) => write!(f, "!({})", failure.message)?,
        }
        self.failures.iter().try_for_each(|(object, failure)| write!(f, " !{object}{{{}}}", failure.message))?;
        if self.fields.is_empty() {
            Ok(())
        } else {
            f.write_str(" ")?;
            write_fields(&self.fields, f)
        }
    }
}

fn join(entries: &[(Name, Value)]) -> String {
    entries.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Int(int) => int.fmt(f),
            Self::Float(float) => float.fmt(f),
            // GraphQL escapes all that JSON does, and in the same way.
            Self::String(text) => serde_json::Value::from(text.as_str()).fmt(f),
            Self::Enum(name) => name.fmt(f),
            Self::List(items) => {
                write!(f, "[{}]", items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Object(fields) => write!(f, "{{{}}}", join(fields)),
        }
    }
}
