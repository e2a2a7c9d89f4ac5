//! Words, phrases and wildcards.

/// A text to compare values with, or pieces with wildcards between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Glyph>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glyph {
    Letter(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, or none.
    Many,
}

impl Pattern {
    /// A text without wildcards.
    pub(crate) fn exact(text: &str) -> Self {
        Self(text.chars().map(Glyph::Letter).collect())
    }

    /// A text with anything after it.
    pub(super) fn prefix(text: &str) -> Self {
        let Self(mut glyphs) = Self::exact(text);
        glyphs.push(Glyph::Many);
        Self(glyphs)
    }

    /// A word with wildcards; what a backslash stands before is none.
    pub(super) fn wildcard(word: &str) -> Self {
        let mut chars = word.chars();
        let glyphs = std::iter::from_fn(|| {
            Some(match chars.next()? {
                '\\' => Glyph::Letter(chars.next()?),
                '*' => Glyph::Many,
                '?' => Glyph::One,
                letter => Glyph::Letter(letter),
            })
        });
        Self(glyphs.collect())
    }

    /// The same with `?` as an ordinary letter, for log search, which does not know it.
    pub(super) fn without_single_wildcards(&self) -> Self {
        Self(
            self.0
                .iter()
                .map(|glyph| match glyph {
                    Glyph::One => Glyph::Letter('?'),
                    other => *other,
                })
                .collect(),
        )
    }

    /// The text, if there is no wildcard in it.
    pub(crate) fn text(&self) -> Option<String> {
        self.0
            .iter()
            .map(|glyph| match glyph {
                Glyph::Letter(letter) => Some(*letter),
                Glyph::One | Glyph::Many => None,
            })
            .collect()
    }

    /// True if the pattern begins with a wildcard and has too few letters for that: Auth0 wants
    /// three (`*abc`, not `*ab`).
    pub(crate) fn is_too_vague(&self) -> bool {
        let letters = self.0.iter().filter(|glyph| matches!(glyph, Glyph::Letter(_))).count();
        matches!(self.0.first(), Some(Glyph::Many | Glyph::One)) && letters < 3
    }

    /// True if all of `value` fits the pattern; `fold` compares without regard to case.
    pub(crate) fn matches(&self, value: &str, fold: bool) -> bool {
        let same = |a: char, b: char| a == b || (fold && a.to_lowercase().eq(b.to_lowercase()));
        let value: Vec<char> = value.chars().collect();
        let (mut at, mut glyph) = (0, 0);
        // Where to go on when a letter does not fit: after the last `*`, one character later.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(glyph), value.get(at)) {
                (None, None) => return true,
                (Some(Glyph::Many), _) => {
                    retry = Some((at, glyph));
                    glyph += 1;
                    continue;
                }
                (Some(Glyph::One), Some(_)) => {
                    (at, glyph) = (at + 1, glyph + 1);
                    continue;
                }
                (Some(Glyph::Letter(letter)), Some(c)) if same(*letter, *c) => {
                    (at, glyph) = (at + 1, glyph + 1);
                    continue;
                }
                _ => {}
            }
            match retry {
                Some((from, star)) if from < value.len() => {
                    retry = Some((from + 1, star));
                    (at, glyph) = (from + 1, star + 1);
                }
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, value: &str) -> bool {
        Pattern::wildcard(pattern).matches(value, false)
    }

    #[test]
    fn wildcards_match_whole_values() {
        assert!(fits("jan*", "jane"));
        assert!(fits("*@example.com", "ada@example.com"));
        assert!(fits("*ana*na", "banana na"));
        assert!(fits("j?ne", "jane"));
        assert!(fits("*", ""));
        assert!(!fits("jan", "jane"));
        assert!(!fits("jan*", "Jane"));
        assert!(!fits("j?ne", "jne"));
        assert!(!fits("a*b", "ac"));
        assert!(!fits("", "a"));
    }

    #[test]
    fn case_is_folded_on_demand() {
        assert!(Pattern::exact("ÉMILE").matches("émile", true));
        assert!(!Pattern::exact("ÉMILE").matches("émile", false));
    }

    #[test]
    fn a_leading_wildcard_needs_three_letters() {
        assert!(Pattern::wildcard("*ab").is_too_vague());
        assert!(Pattern::wildcard("*ab*").is_too_vague());
        assert!(!Pattern::wildcard("*abc").is_too_vague());
        assert!(!Pattern::wildcard("a*").is_too_vague());
    }
}
