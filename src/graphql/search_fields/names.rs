//! The names in a Lucene query, read so that none is missed: what cannot be told is taken to be one.

use std::iter::Peekable;
use std::str::Chars;

/// What a query may name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The query without escapes and quotes, in lower case. Auth0 compares names by case, as far as is known; this does not rely on it.
    pub(crate) text: String,
    /// Names with wildcards, in lower case.
    patterns: Vec<String>,
    /// Whether a term stands for itself, with no field to look for it in.
    pub(crate) has_bare_term: bool,
}

/// What a term belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nothing,
    /// A field, whose value it is.
    Field,
    /// Something like `_exists_`, of which it is a field.
    Names,
}

impl Names {
    pub(crate) fn read(q: &str) -> Self {
        let mut reader =
            Reader { rest: q.chars().peekable(), names: Self::default(), groups: Vec::new(), pending: None };
        reader.read();
        reader.names
    }

    /// Whether a name with wildcards can stand for `path`, or for something in it.
    pub(crate) fn has_pattern_for(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| can_start_with(pattern, path))
    }
}

/// Whether some text that begins with `path` matches `pattern`.
fn can_start_with(pattern: &str, path: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // Where in the pattern one can be, having matched so much of the path.
    let mut places = vec![false; pattern.len() + 1];
    places[0] = true;
    let pass_stars = |places: &mut [bool]| {
        for (place, character) in pattern.iter().enumerate() {
            places[place + 1] |= places[place] && *character == '*';
        }
    };
    pass_stars(&mut places);
    for character in path.chars() {
        let mut next = vec![false; places.len()];
        for (place, expected) in pattern.iter().enumerate() {
            match expected {
                _ if !places[place] => {}
                '*' => next[place] = true,
                '?' => next[place + 1] = true,
                expected => next[place + 1] |= *expected == character,
            }
        }
        pass_stars(&mut next);
        places = next;
    }
    places.contains(&true)
}

struct Reader<'q> {
    rest: Peekable<Chars<'q>>,
    names: Names,
    /// Whose terms stand in the groups that are open.
    groups: Vec<Owner>,
    /// Whose the next term or group is, if a field has just been named.
    pending: Option<Owner>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut last = String::new();
        while let Some(&next) = self.rest.peek() {
            match next {
                '(' => {
                    self.next();
                    let owner = self.owner();
                    self.groups.push(owner);
                }
                ')' => {
                    self.next();
                    self.groups.pop();
                    self.pending = None;
                    self.skip_suffix();
                }
                '[' | '{' => self.range(),
                '"' => {
                    let (phrase, owner) = (self.phrase(), self.pending);
                    last.clone_from(&phrase);
                    if self.rest.peek() == Some(&':') {
                        self.next();
                        self.named(&phrase);
                    } else {
                        self.pending = owner;
                        self.term(&phrase);
                        self.skip_suffix();
                    }
                }
                // Between a name and its colon there may be a space. Whether Auth0 takes that is not known: the name has been taken for a term,
                // and so will be the value.
                ':' => {
                    self.next();
                    self.named(&last);
                    self.pending.take_if(|owner| *owner == Owner::Field);
                }
                '^' | '~' => self.skip_suffix(),
                '+' | '-' | '!' | '&' | '|' | '<' | '>' | '=' | ']' | '}' => {
                    self.next();
                }
                next if next.is_whitespace() => {
                    self.next();
                }
                // A regular expression, perhaps: it can hold anything, and nobody says that Auth0 takes them.
                '/' => {
                    self.names.has_bare_term = true;
                    last = self.word();
                }
                _ => last = self.word_or_name(),
            }
        }
    }

    /// The next character as it stands.
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.keep(next);
        Some(next)
    }

    /// The next character that is not a quote; for an escape, the one that it stands for.
    fn next_unescaped(&mut self) -> Option<char> {
        let mut next = self.rest.next()?;
        if next == '\\' {
            next = self.rest.next()?;
            if let Some(character) = (next == 'u').then(|| code_point(self.rest.clone())).flatten() {
                self.rest.nth(CODE_POINT - 1);
                next = character;
            }
        }
        self.keep(next);
        Some(next)
    }

    fn keep(&mut self, character: char) {
        if character != '"' {
            self.names.text.extend(character.to_lowercase());
        }
    }

    fn word_or_name(&mut self) -> String {
        let is_escaped = self.rest.peek() == Some(&'\\');
        let word = self.word();
        if self.rest.peek() == Some(&':') {
            self.next();
            if word == "*" && self.takes_everything() {
                return word;
            }
            self.named(&word);
        } else if !is_escaped && matches!(word.as_str(), "AND" | "OR" | "NOT" | "TO") {
            self.pending = None;
        } else {
            self.term(&word);
        }
        word
    }

    /// Takes the star of `*:*`, Lucene's way to write everything, which tells nothing of any field.
    fn takes_everything(&mut self) -> bool {
        let mut ahead = self.rest.clone();
        let is_everything =
            ahead.next() == Some('*') && ahead.next().is_none_or(|after| after.is_whitespace() || after == ')');
        if is_everything {
            self.next();
        }
        is_everything
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(&next) = self.rest.peek() {
            if next.is_whitespace() || matches!(next, '(' | ')' | '[' | ']' | '{' | '}' | '"' | ':' | '^' | '~') {
                break;
            }
            word.extend(self.next_unescaped());
        }
        word
    }

    fn phrase(&mut self) -> String {
        let mut phrase = String::new();
        self.next();
        while let Some(&next) = self.rest.peek() {
            if next == '"' {
                self.next();
                break;
            }
            phrase.extend(self.next_unescaped());
        }
        phrase
    }

    /// Everything up to the end of a range, which is one term.
    fn range(&mut self) {
        self.next();
        while let Some(&next) = self.rest.peek() {
            match next {
                ']' | '}' => {
                    self.next();
                    break;
                }
                '"' => drop(self.phrase()),
                _ => drop(self.next_unescaped()),
            }
        }
        self.term("");
        self.skip_suffix();
    }

    /// A boost or a distance.
    fn skip_suffix(&mut self) {
        while let Some('^' | '~') = self.rest.peek() {
            self.next();
            while self.rest.next_if(|next| next.is_ascii_digit() || *next == '.').is_some() {}
        }
    }

    fn owner(&mut self) -> Owner {
        self.pending.take().or(self.groups.last().copied()).unwrap_or(Owner::Nothing)
    }

    fn named(&mut self, name: &str) {
        self.note_pattern(name);
        // `_exists_`, and whatever else of its kind there is.
        self.pending = Some(if name.starts_with('_') { Owner::Names } else { Owner::Field });
    }

    fn term(&mut self, term: &str) {
        match self.owner() {
            Owner::Nothing => self.names.has_bare_term |= term != "*",
            Owner::Field => {}
            Owner::Names => self.note_pattern(term),
        }
    }

    fn note_pattern(&mut self, name: &str) {
        // Names without wildcards are found in the text.
        if name.contains(['*', '?']) {
            self.names.patterns.push(name.to_lowercase());
        }
    }
}

/// How many digits follow `\u`.
const CODE_POINT: usize = 4;

/// The character that hexadecimal digits stand for.
fn code_point(digits: impl Iterator<Item = char>) -> Option<char> {
    let digits: String = digits.take(CODE_POINT).filter(char::is_ascii_hexdigit).collect();
    let number = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == CODE_POINT)?;
    char::from_u32(number)
}
