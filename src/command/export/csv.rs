//! CSV as spreadsheets take it: a header, a column for each key, nested values in JSON, and no text that is taken for a formula.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes rows.
pub(super) struct CsvWriter<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> CsvWriter<W> {
    /// A writer that begins with these columns' header, if there is to be one.
    pub(super) fn new(out: W, header: Option<&[&str]>) -> io::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        if let Some(columns) = header {
            out.write_record(columns.iter().map(|column| harmless(column)))?;
        }
        Ok(Self { out })
    }

    /// Writes a row of values in JSON. One that is missing leaves its cell empty, as null does.
    pub(super) fn write(&mut self, values: Vec<Option<Vec<u8>>>) -> io::Result<()> {
        self.out.write_record(values.into_iter().map(|value| cell(value.unwrap_or_default())))?;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A value as a cell: a text as it is, null as nothing, all else in JSON.
fn cell(json: Vec<u8>) -> Vec<u8> {
    if json == b"null" {
        return Vec::new();
    }
    match serde_json::from_slice::<Cow<'_, str>>(&json) {
        Ok(text) => harmless(&text).into_bytes(),
        Err(_) => json,
    }
}

/// The text, with an apostrophe before what a spreadsheet would take for the beginning of a formula:
/// <https://owasp.org/www-community/attacks/CSV_Injection>.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: &[[Option<&str>; 3]]) -> String {
        let mut out = Vec::new();
        let mut csv = CsvWriter::new(&mut out, Some(&["a", "b", "c"])).unwrap();
        for row in rows {
            csv.write(row.iter().map(|value| value.map(|value| value.as_bytes().to_vec())).collect()).unwrap();
        }
        csv.flush().unwrap();
        drop(csv);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nested_values_are_json_and_what_is_missing_is_empty() {
        let rows =
            [[Some(r#""é, \"q\"\n2""#), Some(r#"{"x":[1,"y"]}"#), None], [Some("null"), Some("true"), Some("-1.5")]];
        assert_eq!(written(&rows), "a,b,c\n\"é, \"\"q\"\"\n2\",\"{\"\"x\"\":[1,\"\"y\"\"]}\",\n,true,-1.5\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\\t=1", "\\r=1", "＝1"] {
            let written = written(&[[Some(&format!("\"{text}\"")), None, None]]);
            let cell = written.lines().nth(1).unwrap().trim_start_matches('"');
            assert!(cell.starts_with('\''), "{text}: {written}");
        }
    }
}
