//! The report for people. Pure.

use std::fmt::{self, Write as _};

use super::report::{Report, ScopeState, Status};

/// Lines are filled up to this column, so that what goes on in the next one is below its beginning on most terminals.
const WIDTH: usize = 110;

/// An application may have been granted all of Auth0's two hundred scopes. More unused ones than this are counted; JSON has them all.
const MOST_UNUSED: usize = 8;

impl Status {
    /// The failures stand out.
    fn word(self) -> &'static str {
        match self {
            Self::Skipped => "-",
            Self::Ok => "ok",
            Self::Warning => "WARN",
            Self::Failed => "FAIL",
        }
    }
}

impl ScopeState {
    fn words(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Missing => "MISSING",
            Self::Unused => "granted, UNUSED",
            Self::Optional => "not granted, not needed",
            Self::Unknown => "not known",
        }
    }
}

/// The report for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        if let Some(tenant) = self.tenant() {
            writeln!(f, "  {tenant}\n")?;
        }
        let names = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        // A remedy for several is told with the first.
        let mut told = Vec::new();
        for check in &self.checks {
            let start = format!("  {:4}  {:names$}  ", check.status.word(), check.name);
            fill(f, &start, &check.finding)?;
            if let Some(remedy) = check.remedy.as_ref().filter(|remedy| !told.contains(remedy)) {
                told.push(remedy);
                fill(f, &format!("{:indent$}> ", "", indent = start.len()), remedy)?;
            }
        }
        if !self.scopes.is_empty() {
            writeln!(f)?;
            self.write_scopes(f)?;
        }
        writeln!(f, "\n  {}\n", self.summary())
    }
}

impl Report {
    fn write_scopes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_surplus = |state, needed_for: Option<_>| state == ScopeState::Unused && needed_for.is_none();
        let (mut surplus, mut left_out) = (0, 0);
        let rows = self.scopes.iter().filter(|row| {
            surplus += usize::from(is_surplus(row.state, row.needed_for));
            let is_shown = surplus <= MOST_UNUSED || !is_surplus(row.state, row.needed_for);
            left_out += usize::from(!is_shown);
            is_shown
        });
        let mut table = vec![["Scope", "Gateway's application", "For"]];
        table.extend(rows.map(|row| {
            [&*row.scope, row.state.words(), row.needed_for.unwrap_or("nothing that a caller could ask for")]
        }));
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (scopes, states) = (width(0), width(1));
        for [scope, state, needed_for] in table {
            fill(f, &format!("  {scope:scopes$}  {state:states$}  "), needed_for)?;
        }
        if left_out > 0 {
            writeln!(f, "  … and {left_out} more that are granted and unused; --json has them all")?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let count = |status| self.checks.iter().filter(|check| check.status == status).count();
        let told = |count, one, many| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let parts =
            [told(count(Status::Failed), "problem", "problems"), told(count(Status::Warning), "warning", "warnings")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "All is well.".to_owned() } else { format!("{}.", parts.join(", ")) }
    }
}

/// Writes words behind `start`, in as many lines as they need, each below the first.
fn fill(f: &mut fmt::Formatter<'_>, start: &str, text: &str) -> fmt::Result {
    let indent = start.chars().count();
    let mut line = start.to_owned();
    let mut column = indent;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > indent && column + 1 + width > WIDTH {
            write!(line, "\n{:indent$}", "")?;
            column = indent;
        }
        let gap = if column > indent { " " } else { "" };
        write!(line, "{gap}{word}")?;
        column += gap.len() + width;
    }
    writeln!(f, "{}", line.trim_end())
}
