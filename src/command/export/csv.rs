//! CSV as spreadsheets take it: a header, a column for each key, nested values in JSON, and no text that is taken for a formula.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::value::RawValue;

/// Writes records as rows.
pub(super) struct CsvWriter<W: Write> {
    out: csv::Writer<W>,
    columns: Vec<String>,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(out: W, columns: Vec<String>, has_header: bool) -> io::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        if has_header {
            out.write_record(columns.iter().map(|column| harmless(column)))?;
        }
        Ok(Self { out, columns })
    }

    /// Writes a record, a JSON object. A key that it lacks leaves its cell empty, as null does.
    pub(super) fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let values: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(record)?;
        let cells = self.columns.iter().map(|column| match values.get(column.as_str()) {
            Some(value) => cell(value.get()),
            None => Cow::Borrowed(""),
        });
        self.out.write_record(cells.map(|cell| cell.into_owned().into_bytes()))?;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A value as a cell: a text as it is, null as nothing, all else in JSON.
fn cell(json: &str) -> Cow<'_, str> {
    if json == "null" {
        return Cow::Borrowed("");
    }
    match serde_json::from_str::<Cow<'_, str>>(json) {
        Ok(text) => Cow::Owned(harmless(&text)),
        Err(_) => Cow::Borrowed(json),
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

    fn written(records: &[&str]) -> String {
        let mut out = Vec::new();
        let columns = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut csv = CsvWriter::new(&mut out, columns, true).unwrap();
        records.iter().for_each(|record| csv.write(record.as_bytes()).unwrap());
        csv.flush().unwrap();
        drop(csv);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nested_values_are_json_and_what_is_missing_is_empty() {
        let records = [r#"{"b":{"x":[1,"y"]},"a":"é, \"q\"\n2"}"#, r#"{"c":-1.5,"a":null,"b":true,"d":1}"#];
        assert_eq!(written(&records), "a,b,c\n\"é, \"\"q\"\"\n2\",\"{\"\"x\"\":[1,\"\"y\"\"]}\",\n,true,-1.5\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\\t=1", "\\r=1", "＝1"] {
            let written = written(&[&format!(r#"{{"a":"{text}"}}"#)]);
            let cell = written.lines().nth(1).unwrap().trim_start_matches('"');
            assert!(cell.starts_with('\''), "{text}: {written}");
        }
    }
}
