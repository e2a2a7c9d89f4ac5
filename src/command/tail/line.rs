//! A log as a line. Pure.
//!
//! The text of a log was often written by whoever was refused: nothing of it reaches a terminal that is not to be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::auth0::is_format;
use crate::graphql::log_selection;

/// Most characters of a text that are written out.
const LONGEST_TEXT: usize = 200;

/// Width that most codes of types fit in.
const TYPE_WIDTH: usize = 7;

/// The fields that a line to read is made of.
const SELECTION: &str =
    "date type typeDescription outcome userName userId ip connection clientName clientId description";

/// The form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineFormat {
    /// To be read.
    Text { has_colors: bool },
    /// A JSON object.
    Json,
}

/// A log, as a line to read has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(borrow)]
    date: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    type_description: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome: Option<&'a RawValue>,
    #[serde(borrow)]
    user_name: Option<&'a RawValue>,
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow)]
    ip: Option<&'a RawValue>,
    #[serde(borrow)]
    connection: Option<&'a RawValue>,
    #[serde(borrow)]
    client_name: Option<&'a RawValue>,
    #[serde(borrow)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
}

impl LineFormat {
    /// The fields that its lines are made of.
    pub(super) fn selection(self) -> Cow<'static, str> {
        match self {
            Self::Text { .. } => SELECTION.into(),
            Self::Json => log_selection().into(),
        }
    }

    /// Appends the line of a log.
    pub(super) fn write(self, record: &RawValue, is_late: bool, lines: &mut String) {
        let line = match self {
            Self::Text { has_colors } => text_line(record, is_late, has_colors),
            Self::Json => json_line(record, is_late),
        };
        // A log of another form than the schema's is told as it is.
        lines.push_str(&line.unwrap_or_else(|| printable(record.get()).into_owned()));
        lines.push('\n');
    }
}

fn json_line(record: &RawValue, is_late: bool) -> Option<String> {
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_str(record.get()).ok()?;
    fields.retain(|_, value| value.get() != "null");
    if is_late {
        fields.insert("late", RawValue::TRUE);
    }
    let line = serde_json::to_string(&fields).ok()?;
    // Between values alone: within a text, a line end is written as `\n`.
    let line = line.replace(['\n', '\r', '\t'], " ");
    Some(printable(&line).into_owned())
}

fn text_line(record: &RawValue, is_late: bool, has_colors: bool) -> Option<String> {
    let log: Log<'_> = serde_json::from_str(record.get()).ok()?;
    let (date, kind, outcome) = (text(log.date), text(log.kind), text(log.outcome));
    let color = match outcome.as_deref() {
        Some("SUCCESS") => Some(AnsiColor::Green),
        Some("FAILURE") => Some(AnsiColor::Red),
        Some("WARNING") => Some(AnsiColor::Yellow),
        _ => None,
    };
    let of_color = |color: Option<AnsiColor>| Style::new().fg_color(color.map(Into::into));
    let styled = |style: Style, text: String| if has_colors { format!("{style}{text}{style:#}") } else { text };
    let type_description = text(log.type_description);
    let mut line = styled(Style::new().dimmed(), date.unwrap_or_default());
    let kind = format!("{:TYPE_WIDTH$}", kind.unwrap_or_default());
    // Writing to a string does not fail.
    let _ = write!(line, "  {}", styled(of_color(color), kind));
    let who = text(log.user_name).or_else(|| text(log.user_id));
    let client = text(log.client_name).or_else(|| text(log.client_id));
    let description = text(log.description).filter(|description| type_description.as_ref() != Some(description));
    for part in [type_description, who, text(log.ip), text(log.connection), client, description].into_iter().flatten() {
        let _ = write!(line, "  {part}");
    }
    if is_late {
        let _ = write!(line, "  {}", styled(of_color(Some(AnsiColor::Yellow)), "(late)".to_owned()));
    }
    Some(line)
}

/// The text of a field, as it may be shown; none of one that is blank.
fn text(value: Option<&RawValue>) -> Option<String> {
    let value = value?.get();
    // Half of a surrogate pair is no text: it is shown as it is written.
    let text = serde_json::from_str::<Option<Cow<'_, str>>>(value).unwrap_or(Some(value.into()))?;
    let text = text.trim();
    let (end, is_long) = text.char_indices().nth(LONGEST_TEXT).map_or((text.len(), false), |(end, _)| (end, true));
    let shown = printable(&text[..end]);
    (!text.is_empty()).then(|| if is_long { format!("{shown}…") } else { shown.into_owned() })
}

/// The text with what is not to be read escaped, as JSON escapes it: characters that command a terminal, that end a line, that
/// turn the direction of what follows, or that are not seen.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

fn is_hidden(c: char) -> bool {
    c.is_control() || is_format(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LineFormat, record: &str, is_late: bool) -> String {
        let record: &RawValue = serde_json::from_str(record).unwrap();
        let mut lines = String::new();
        format.write(record, is_late, &mut lines);
        lines
    }

    const TEXT: LineFormat = LineFormat::Text { has_colors: false };

    #[test]
    fn a_line_to_read_has_what_there_is() {
        let log = r#"{"date":"2026-11-02T08:00:00.123Z","type":"fp","typeDescription":"Failed Login (Incorrect Password)",
            "outcome":"FAILURE","userName":"ada@example.com","userId":"auth0|1","ip":"192.0.2.1","connection":"people",
            "clientName":"","clientId":"app","description":"Wrong email or password."}"#;
        let expected = "2026-11-02T08:00:00.123Z  fp       Failed Login (Incorrect Password)  ada@example.com  192.0.2.1  people  \
                        app  Wrong email or password.\n";
        assert_eq!(line(TEXT, log, false), expected);
        assert_eq!(line(TEXT, log, true), expected.replace('\n', "  (late)\n"));
        let colored = line(LineFormat::Text { has_colors: true }, log, false);
        assert!(colored.contains("\u{1b}[31mfp     \u{1b}[0m"), "{colored:?}");
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), expected);
    }

    #[test]
    fn nothing_of_a_log_commands_a_terminal() {
        let log = "{\"type\":\"f\",\"userName\":\"\\u001b]0;owned\\u0007\\u009b31m\\r\\nlogin ok\u{9b}\u{7f}\u{202e}\",\"ip\":\"\\ud800\",\n\"description\":{\"a\":\n1}}";
        for format in [TEXT, LineFormat::Json] {
            let line = line(format, log, false);
            assert!(!line.trim_end_matches('\n').contains(is_hidden), "{line:?}");
            assert!(line.contains("login ok"), "{line}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&line(LineFormat::Json, &log.replace("\\ud800", ""), false)).unwrap();
        assert_eq!(json["userName"], "\u{1b}]0;owned\u{7}\u{9b}31m\r\nlogin ok\u{9b}\u{7f}\u{202e}");
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        let unseen = "a\u{200b}d\u{feff}m\u{2060}i\u{ad}n\u{e0041}";
        let log = format!(r#"{{"type":"f","userName":"{unseen}"}}"#);
        let written = r"a\u200bd\ufeffm\u2060i\u00adn\udb40\udc41";
        assert!(line(TEXT, &log, false).ends_with(&format!("  {written}\n")));
        let json = line(LineFormat::Json, &log, false);
        assert!(json.contains(written), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["userName"], unseen);
    }

    #[test]
    fn a_line_of_json_has_no_nulls_and_says_what_came_late() {
        assert_eq!(
            line(LineFormat::Json, r#"{"logId":"9","ip":null,"details":{"a": 1.0}}"#, true),
            "{\"details\":{\"a\": 1.0},\"late\":true,\"logId\":\"9\"}\n"
        );
        assert_eq!(line(LineFormat::Json, "7", false), "7\n");
    }

    #[test]
    fn long_texts_are_cut() {
        let log = format!(r#"{{"type":"f","description":"{}"}}"#, "é".repeat(LONGEST_TEXT + 1));
        assert!(line(TEXT, &log, false).ends_with("é…\n"));
    }
}
