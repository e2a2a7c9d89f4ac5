//! The figures, as tables for people and as JSON for the record.

use serde_json::{Map, Value, json};

/// The results of the measurements.
#[derive(Default)]
pub(crate) struct Report {
    sections: Map<String, Value>,
    missed: Vec<String>,
}

/// One figure of one subject.
pub(crate) struct Figure {
    name: &'static str,
    value: Value,
    /// The value as it is shown.
    text: String,
    /// The target, and whether it is met.
    mark: Option<(&'static str, bool)>,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let text = value.as_f64().filter(|_| value.is_f64()).map_or_else(|| value.to_string(), |x| format!("{x:.1}"));
        Self { name, value, text, mark: None }
    }

    /// The same, with what it should be.
    pub(crate) fn mark(mut self, mark: &'static str, is_met: bool) -> Self {
        self.mark = Some((mark, is_met));
        self
    }
}

impl Report {
    /// Prints a table of what was measured of several subjects, each of which has the same figures, and keeps it.
    pub(crate) fn add(&mut self, section: &'static str, title: &str, subjects: &[(&str, Vec<Figure>)]) {
        println!("\n{title}\n");
        let width = subjects.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max(12);
        let header: String = subjects.iter().map(|(name, _)| format!("{name:>width$}  ")).collect();
        println!("{:<44}{header}", "");
        let rows = subjects.first().map_or(0, |(_, figures)| figures.len());
        for row in 0..rows {
            let figures = || subjects.iter().filter_map(|(_, figures)| figures.get(row));
            let name = figures().next().map_or("", |figure| figure.name);
            let cells: String = figures().map(|figure| format!("{:>width$}  ", figure.text)).collect();
            let mut marks: Vec<_> = figures().filter_map(|figure| figure.mark).map(|(mark, _)| mark).collect();
            marks.dedup();
            let marks = marks.join("; ");
            println!("{}", format!("{name:<44}{cells}{marks}").trim_end());
        }
        let figures = |figures: &[Figure]| -> Value {
            let named = figures.iter().map(|figure| (figure.name.to_owned(), figure.value.clone()));
            Value::Object(named.collect())
        };
        let named = subjects.iter().map(|(name, of)| ((*name).to_owned(), figures(of)));
        self.sections.insert(section.to_owned(), Value::Object(named.collect()));
        for (subject, figures) in subjects {
            for Figure { name, text, mark, .. } in figures {
                if let Some((mark, false)) = mark {
                    self.missed.push(format!("{section}, {subject}: {name} is {text}, and should be {mark}"));
                }
            }
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.missed.is_empty()
    }

    pub(crate) fn verdict(&self) -> String {
        if self.is_good() {
            return "\nEvery mark is met.".to_owned();
        }
        format!("\nMissed:\n  {}", self.missed.join("\n  "))
    }

    pub(crate) fn json(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let whole = json!({ "cores": cores, "figures": self.sections, "missed": self.missed });
        format!("{whole:#}\n")
    }
}

/// The value below which that share of the values lies; zero of nothing.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let place = (values.len() as f64 * share) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}
