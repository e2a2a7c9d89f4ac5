//! Auth0's explanation of a refusal, made fit for showing.

/// Auth0's explanations are a sentence or two; whatever is longer repeats the request.
const LONGEST_MESSAGE: usize = 500;

/// How a JWT begins: `{"` in Base64.
const START_OF_JWT: &str = "eyJ";

/// Makes an explanation of Auth0's fit for showing: one line, of bounded length, without the
/// upstream's address, without tokens and without e-mail addresses (which it repeats from the query).
pub(crate) fn showable(message: &str, host: &str) -> String {
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
        ] {
            assert_eq!(showable(message, "tenant.us.auth0.com"), shown);
        }
        assert_eq!(showable(&"é".repeat(501), "tenant.us.auth0.com").chars().count(), 500);
        assert_eq!(showable(&"é".repeat(500), "tenant.us.auth0.com"), "é".repeat(500));
    }
}
