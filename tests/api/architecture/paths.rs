//! The paths that Rust code names, read from its text. Rough where roughness is harmless: it knows comments, literals, `use` groups
//! and inline modules, and takes macros' insides for plain code.

/// A path of two parts or more, groups spread out. `self` and `super` are resolved: what is of this crate begins with `crate`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) path: Vec<String>,
    /// The name that a `use` of the file itself, and of no module inside it, gives to the path.
    pub(super) import: Option<String>,
}

/// Every path in the code of a file that stands for the module `file` (`["config", "check"]`).
pub(super) fn paths(file: &[String], code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut depth = 0;
    // Modules written in the file itself, each with the depth of braces that it stands at.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut position = 0;
    while let Some(token) = tokens.get(position) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|(_, at)| *at == depth);
            }
            "mod" => {
                if let [name, brace, ..] = &tokens[position + 1..]
                    && brace.text == "{"
                {
                    inline.push((name.text.clone(), depth));
                }
            }
            _ if token.is_start_of_path() && !goes_on(&tokens[..position]) => {
                let module: Vec<_> = file.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect();
                let is_import = depth == 0 && is_of_use(&tokens[..position]);
                let first = found.len();
                position = spread(&tokens, position, &[], &mut found);
                for named in &mut found[first..] {
                    named.import = named.import.take().filter(|_| is_import);
                    resolve(&module, &mut named.path);
                }
                continue;
            }
            _ => {}
        }
        position += 1;
    }
    found.retain(|named| named.path.len() > 1);
    found
}

/// Words that a path may follow.
const KEYWORDS: &[&str] = &["as", "dyn", "for", "impl", "in", "match", "mut", "return", "use"];

/// True if a path after these tokens is that of a `use`.
fn is_of_use(before: &[Token]) -> bool {
    let end = before.iter().rposition(|token| token.text != "::");
    end.is_some_and(|end| before[end].text == "use")
}

/// True if a name after these tokens is not the first of its path, as `b` in `a::b` and in `<T>::b`, and unlike `b` in `use ::b`.
fn goes_on(before: &[Token]) -> bool {
    let [.., start, separator] = before else {
        return false;
    };
    separator.text == "::" && (start.text == ">" || start.is_start_of_path())
}

/// Reads the path at `position`, with the groups in it, and gives the position after it.
fn spread(tokens: &[Token], mut position: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let line = tokens[position].line;
    let is = |position: usize, text: &str| tokens.get(position).is_some_and(|token| token.text == text);
    let mut path = prefix.to_vec();
    while let Some(name) = tokens.get(position).filter(|token| token.is_name()) {
        if name.text != "self" || path.is_empty() {
            path.push(name.text.clone());
        }
        position += 1;
        if !is(position, "::") {
            break;
        }
        position += 1;
        if is(position, "*") {
            position += 1;
            break;
        }
        if is(position, "{") {
            return spread_group(tokens, position + 1, &path, found);
        }
    }
    let alias = tokens.get(position + 1).filter(|_| is(position, "as"));
    let import = alias.map(|alias| alias.text.clone()).or_else(|| path.last().cloned());
    found.push(Named { line, path, import });
    position
}

fn spread_group(tokens: &[Token], mut position: usize, path: &[String], found: &mut Vec<Named>) -> usize {
    while let Some(token) = tokens.get(position) {
        position = match token.text.as_str() {
            "}" => return position + 1,
            "as" => position + 2,
            "*" => {
                found.push(Named { line: token.line, path: path.to_vec(), import: None });
                position + 1
            }
            _ if token.is_name() => spread(tokens, position, path, found),
            _ => position + 1,
        };
    }
    position
}

fn resolve(module: &[String], path: &mut Vec<String>) {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (drop, base) = match path.first().map(String::as_str) {
        Some("auth0_graphql") => (1, &module[..0]),
        Some("self") => {
            let ups = path[1..].iter().take_while(|part| *part == "super").count();
            (1 + ups, &module[..module.len().saturating_sub(ups)])
        }
        Some("super") => (ups, &module[..module.len().saturating_sub(ups)]),
        _ => return,
    };
    let root = ["crate".to_owned()];
    let resolved = root.iter().chain(base).chain(&path[drop..]).cloned().collect();
    *path = resolved;
}

#[derive(Debug)]
struct Token {
    line: usize,
    text: String,
}

impl Token {
    fn is_start_of_path(&self) -> bool {
        self.is_name() && !KEYWORDS.contains(&self.text.as_str())
    }

    fn is_name(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// Names, `::` and single signs; comments and literals are left out.
fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let line = code[..code.len() - rest.len()].matches('\n').count() + 1;
        let length = ignored(rest);
        if length > 0 {
            rest = &rest[length..];
            continue;
        }
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_of_name(first) {
            rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(Token { line, text: text.to_owned() });
        }
        rest = after;
    }
    tokens
}

/// Length of the comment, literal or lifetime that the text begins with, or 0.
fn ignored(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    let prefixed = ["br", "cr", "b", "c", "r"].into_iter().find_map(|prefix| text.strip_prefix(prefix));
    let literal = prefixed.filter(|rest| rest.starts_with(['"', '#'])).unwrap_or(text);
    let prefix = text.len() - literal.len();
    let hashes = literal.bytes().take_while(|byte| *byte == b'#').count();
    if text[..prefix].contains('r') && literal[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let start = prefix + hashes + 1;
        return text[start..].find(&end).map_or(text.len(), |at| start + at + end.len());
    }
    if literal.starts_with('"') {
        return prefix + quoted(literal, '"');
    }
    if let Some(after) = text.strip_prefix('\'') {
        let mut chars = after.chars();
        let is_char = chars.next() == Some('\\') || chars.next() == Some('\'');
        return if is_char { quoted(text, '\'') } else { 1 };
    }
    0
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let code = r##"
        //! crate::comment::a
        /* crate::comment::b /* nested */ crate::comment::c */
        use crate::{auth0::{self, Domain as D, query::*}, http};
        use super::sibling::Item;
        pub(crate) fn f<'a>(x: &'a crate::graphql::Plan) -> char {
            let _ = ("crate::string::a \" crate::string::b", r#"crate::raw::" a"#, b"crate::bytes::a");
            let _ = self::inner::g(<X as ::axum::Y>::z, Vec::<std::env::Args>::new());
            ['"', '\'', 'a'];
            auth0_graphql::app::App
        }
        mod tests { use super::super::sibling; mod deeper { use super::super::here; } }
        use ::axum::Router;
        use super::after;
    "##;
    let module = ["config".to_owned(), "check".to_owned()];
    let found: Vec<_> = paths(&module, code)
        .into_iter()
        .map(|Named { line, path, .. }| format!("{line} {}", path.join("::")))
        .collect();
    let expected = [
        "4 crate::auth0",
        "4 crate::auth0::Domain",
        "4 crate::auth0::query",
        "4 crate::http",
        "5 crate::config::sibling::Item",
        "6 crate::graphql::Plan",
        "8 crate::config::check::inner::g",
        "8 axum::Y",
        "8 std::env::Args",
        "10 crate::app::App",
        "12 crate::config::sibling",
        "12 crate::config::check::here",
        "13 axum::Router",
        "14 crate::config::after",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_import_is_known_by_the_name_that_it_gets() {
    let code = "
        use crate::a::{self, B as C, d::E};
        pub use self::f::G;
        use ::h::I as J;
        fn k() { use crate::l::M; crate::n::o() }
        mod p { use crate::q::R; }
    ";
    let found = paths(&["s".to_owned()], code);
    let imports =
        found.iter().filter_map(|named| Some(format!("{} {}", named.import.as_ref()?, named.path.join("::"))));
    let expected = ["a crate::a", "C crate::a::B", "E crate::a::d::E", "G crate::s::f::G", "J h::I"];
    assert_eq!(imports.collect::<Vec<_>>(), expected);
}
