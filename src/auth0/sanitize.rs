//! Auth0's explanation of a refusal, made fit for showing.

/// Auth0's explanations are a sentence or two; whatever is longer repeats the request.
const LONGEST_MESSAGE: usize = 500;

/// The beginning of a JWT: `{"` in Base64.
const START_OF_JWT: &str = "eyJ";

/// Makes an explanation of Auth0's fit for showing: one line, of bounded length, without the upstream's address, without tokens and
/// e-mail addresses (which it repeats from the query), and without characters that are not seen but change what is.
pub(crate) fn sanitize(message: &str, host: &str) -> String {
    let message: String = message.chars().filter(|c| !is_format(*c)).collect();
    let words = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let clean: Vec<String> = words
        .map(|word| {
            if !host.is_empty() && word.to_ascii_lowercase().contains(host) {
                "[address]".to_owned()
            } else if word.contains(START_OF_JWT) {
                "[token]".to_owned()
            } else {
                without_emails(word)
            }
        })
        .collect();
    let mut clean = clean.join(" ");
    if clean.chars().count() > LONGEST_MESSAGE {
        clean = clean.chars().take(LONGEST_MESSAGE - 1).chain(['…']).collect();
    }
    clean
}

/// True if a character is of Unicode's category Cf (Unicode 17): joiners, marks of direction, tags.
pub(crate) fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Replaces whatever looks like an e-mail address, up to the characters that separate it in queries
/// and prose.
fn without_emails(word: &str) -> String {
    let separates = |c: char| !c.is_alphanumeric() && !"@._%+-!#$&*=?^`{|}~/".contains(c);
    word.split_inclusive(separates)
        .map(|part| {
            let address = part.trim_end_matches(separates);
            let end = &part[address.len()..];
            if address.contains('@') { format!("[e-mail]{end}") } else { part.to_owned() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_cleaned_for_showing() {
        for (message, shown) in [
            ("a\u{0}b\r\n c\u{9b}", "a b c"),
            ("Bad audience: https://TENANT.us.auth0.com/api/v2/ here", "Bad audience: [address] here"),
            ("Token 'eyJhbGciOiJub25lIn0.e30.': bad", "Token [token] bad"),
            ("See https://auth0.com/docs/logs", "See https://auth0.com/docs/logs"),
            ("'email:\"ada@example.com\" OR x' is bad", "'email:\"[e-mail]\" OR x' is bad"),
            ("(ada.l+x@example.com)", "([e-mail])"),
            ("email:@ is bad", "email:[e-mail] is bad"),
            ("αδα@example.com,b", "[e-mail],b"),
            ("\u{0}", ""),
            ("a\u{202e}b\u{200b} \u{feff}c\u{ad}d", "ab cd"),
            ("ada\u{200d}@example\u{2060}.com", "[e-mail]"),
            ("ey\u{200b}J0", "[token]"),
        ] {
            assert_eq!(sanitize(message, "tenant.us.auth0.com"), shown);
        }
        assert_eq!(sanitize(&"é".repeat(501), "tenant.us.auth0.com").chars().count(), 500);
        assert_eq!(sanitize(&"é".repeat(500), "tenant.us.auth0.com"), "é".repeat(500));
    }
}
