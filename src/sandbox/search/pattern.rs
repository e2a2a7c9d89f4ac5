//! Words, phrases and wildcards.

use std::str::Chars;

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
        let same = |a: char, b: char| a == b || (fold && is_same_folded(a, b));
        let (mut rest, mut glyph) = (value.chars(), 0);
        // Where to go on when a letter does not fit: after the last `*`, one character later.
        let mut retry: Option<(Chars<'_>, usize)> = None;
        loop {
            match (self.0.get(glyph), rest.clone().next()) {
                (None, None) => return true,
                (Some(Glyph::Many), _) if glyph + 1 == self.0.len() => return true,
                (Some(Glyph::Many), _) => {
                    retry = Some((rest.clone(), glyph));
                    glyph += 1;
                    continue;
                }
                (Some(Glyph::One), Some(_)) => {
                    rest.next();
                    glyph += 1;
                    continue;
                }
                (Some(Glyph::Letter(letter)), Some(c)) if same(*letter, c) => {
                    rest.next();
                    glyph += 1;
                    continue;
                }
                // Too few are left, wherever one goes on.
                (Some(_), None) => return false,
                _ => {}
            }
            let Some((from, star)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            (rest, glyph) = (from.clone(), *star + 1);
        }
    }
}

fn is_same_folded(a: char, b: char) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(&b);
    }
    a.to_lowercase().eq(b.to_lowercase())
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
        assert!(fits("a*", "a"));
        assert!(fits("*a?", "banan"));
        assert!(!fits("*a?", "banane"));
        assert!(fits("*é*é", "été é"));
        assert!(!fits("*an", "banane"));
        assert!(!fits("?", ""));
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
