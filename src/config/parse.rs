//! From the text of a setting to its value. Every error completes the sentence "NAME …".

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::http::{Origin, Origins};

const REQUEST_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);
const LONGEST_SHUTDOWN_DELAY: Duration = Duration::from_secs(60);
const LONGEST_CACHE_TTL: Duration = Duration::from_secs(60);
const RATE_RESERVE: RangeInclusive<f64> = 0.0..=0.9;
const UPSTREAM_CALLS: RangeInclusive<u32> = 1..=1_000;
const MAX_BODY_BYTES: RangeInclusive<usize> = 1_000..=10_000_000;

/// The text of a setting, when there is one. Blank text, and what `.env.template` holds in place of a value, count as none.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    let text = text?.trim();
    let placeholder = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("YOUR_"));
    (!text.is_empty() && !placeholder).then_some(text)
}

pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    unbracketed(text).parse().map_err(|_| format!("must be an IP address or localhost, not {}", quoted(text)))
}

/// Whether only this machine reaches the address.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("must be a number from 0 to 65535, not {}", quoted(text)))
}

/// One of two words.
pub(super) fn switch(text: &str, on: &str, off: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case(on) {
        Ok(true)
    } else if text.eq_ignore_ascii_case(off) {
        Ok(false)
    } else {
        Err(format!("must be {on} or {off}, not {}", quoted(text)))
    }
}

pub(super) fn request_timeout(text: &str) -> Result<Duration, String> {
    let duration = duration(text).filter(|duration| REQUEST_TIMEOUT.contains(duration));
    duration.ok_or_else(|| format!("must be a time from 100ms to 120s, such as 10s or 500ms, not {}", quoted(text)))
}

pub(super) fn cache_ttl(text: &str) -> Result<Duration, String> {
    let duration = duration(text).filter(|duration| *duration <= LONGEST_CACHE_TTL);
    duration.ok_or_else(|| format!("must be a time from 0 to 60s, such as 1s or 500ms, not {}", quoted(text)))
}

pub(super) fn shutdown_delay(text: &str) -> Result<Duration, String> {
    let duration = duration(text).filter(|duration| *duration <= LONGEST_SHUTDOWN_DELAY);
    duration.ok_or_else(|| format!("must be a time from 0 to 60s, such as 5s, not {}", quoted(text)))
}

pub(super) fn rate_reserve(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| RATE_RESERVE.contains(share));
    share.ok_or_else(|| format!("must be a share from 0 to 0.9, such as 0.1, not {}", quoted(text)))
}

pub(super) fn upstream_calls(text: &str) -> Result<u32, String> {
    let calls = text.parse().ok().filter(|calls| UPSTREAM_CALLS.contains(calls));
    calls.ok_or_else(|| format!("must be a number from 1 to 1000, not {}", quoted(text)))
}

fn duration(text: &str) -> Option<Duration> {
    let duration = if let Some(milliseconds) = text.strip_suffix("ms") {
        milliseconds.trim_end().parse().map(Duration::from_millis)
    } else {
        let seconds = text.strip_suffix('s').unwrap_or(text);
        seconds.trim_end().parse().map(Duration::from_secs)
    };
    duration.ok()
}

pub(super) fn max_body_bytes(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|bytes| MAX_BODY_BYTES.contains(bytes)).ok_or_else(|| {
        format!(
            "must be a number of bytes from {} to {}, not {}",
            MAX_BODY_BYTES.start(),
            MAX_BODY_BYTES.end(),
            quoted(text)
        )
    })
}

/// Host names as they stand in a `Host` header: in lower case, IPv6 addresses in brackets.
pub(super) fn allowed_hosts(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(allowed_host).collect()
}

fn allowed_host(entry: &str) -> Result<String, String> {
    if let Ok(address) = unbracketed(entry).parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if entry.bytes().all(legal) {
        return Ok(entry.to_ascii_lowercase());
    }
    Err(format!(
        "must list plain host names, without scheme, port, path or wildcard (a name in other letters in its xn-- form); {} is none",
        quoted(entry)
    ))
}

pub(super) fn cors_origins(text: &str) -> Result<Origins, String> {
    let entries: Vec<_> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    if entries == ["*"] {
        return Ok(Origins::Any);
    }
    entries.into_iter().map(cors_origin).collect::<Result<_, _>>().map(Origins::These)
}

fn cors_origin(entry: &str) -> Result<Origin, String> {
    Origin::parse(entry).map_err(|error| format!("must be * or list origins; {} is {error}", quoted(entry)))
}

pub(super) fn audience(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty) || !is_one_word(text) || text.contains('@') {
        return Err(format!(
            "must be the Management API's identifier, such as https://example.us.auth0.com/api/v2/, not {}",
            quoted(text)
        ));
    }
    if text.ends_with("/api/v2") {
        return Err("must end with a slash: Auth0 compares it letter by letter with https://…/api/v2/".to_owned());
    }
    Ok(text.to_owned())
}

/// Identifiers of APIs, separated by commas. They look like URLs as a rule, but any text without spaces is one.
pub(super) fn audiences(text: &str) -> Result<Vec<String>, String> {
    let audiences: Vec<_> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    if audiences.is_empty() {
        return Err("must name an API's identifier, not only commas".to_owned());
    }
    match audiences.iter().find(|audience| !is_one_word(audience)) {
        Some(wrong) => Err(format!("must list API identifiers, separated by commas; {} is none", quoted(wrong))),
        None => Ok(audiences.into_iter().map(str::to_owned).collect()),
    }
}

/// An opaque value that was copied from somewhere. It is not repeated in the error, for it may be a secret.
pub(super) fn copied(text: &str) -> Result<String, String> {
    if is_one_word(text) {
        Ok(text.to_owned())
    } else {
        Err("holds a space or a character that is not ASCII; copy it once more from Auth0's dashboard".to_owned())
    }
}

fn is_one_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

/// The text, safe to print on a terminal, without a password, and not the whole of a file that ended up in a setting.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = without_user_info(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The text with `…` for what stands before an `@`: in a URL that is a user name and a password.
pub(super) fn without_user_info(text: &str) -> Cow<'_, str> {
    let Some((before, rest)) = text.rsplit_once('@') else { return text.into() };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| before.starts_with(scheme)).unwrap_or_default();
    format!("{scheme}…@{rest}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_text_and_placeholders_count_as_missing() {
        for text in ["", "  ", "YOUR_CLIENT_ID", "your_tenant.us.auth0.com", " YOUR_ "] {
            assert_eq!(given(Some(text)), None, "{text:?}");
        }
        assert_eq!(given(None), None);
        assert_eq!(given(Some(" yours ")), Some("yours"));
        assert_eq!(given(Some("ééé")), Some("ééé"));
    }

    #[test]
    fn a_host_is_an_address_or_localhost() {
        assert_eq!(host("LocalHost"), Ok(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(host("0.0.0.0"), Ok(IpAddr::from([0, 0, 0, 0])));
        assert_eq!(host("[::1]"), Ok(Ipv6Addr::LOCALHOST.into()));
        for text in ["example.com", "127.0.0.1:3000", "[127.0.0.1", "1"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_seen_through_ipv6() {
        for (text, expected) in [
            ("127.8.8.8", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(host(text).map(is_loopback), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_time_has_a_unit_and_bounds() {
        for (text, milliseconds) in [("10s", 10_000), ("500ms", 500), ("2", 2_000), ("100 ms", 100), ("120s", 120_000)]
        {
            assert_eq!(request_timeout(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["99ms", "121", "0", "-1s", "1m", "1.5s", "s", "ms", "10 0s", "99999999999999999999s"] {
            assert!(request_timeout(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shutdown_may_be_at_once_and_has_an_end() {
        for (text, seconds) in [("0", Some(0)), ("5s", Some(5)), ("60s", Some(60)), ("61s", None), ("1m", None)] {
            assert_eq!(shutdown_delay(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(port("0"), Ok(0));
        assert_eq!(max_body_bytes("1000"), Ok(1000));
        for text in ["65536", "-1", "3000.", "http"] {
            assert!(port(text).is_err(), "{text}");
        }
        for text in ["999", "10000001", "100kB", "-5"] {
            assert!(max_body_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn allowed_hosts_are_normal_names() {
        assert_eq!(
            allowed_hosts("API.example.com, ,10.0.0.1,::1,[FE80::1],"),
            Ok(["api.example.com", "10.0.0.1", "[::1]", "[fe80::1]"].map(str::to_owned).to_vec())
        );
        for text in
            ["https://example.com", "example.com:3000", "*.example.com", "a b", "example.com/", "müller.example"]
        {
            assert!(allowed_hosts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_exact_or_all() {
        let these =
            |origins: &[&str]| Origins::These(origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect());
        assert_eq!(cors_origins("*"), Ok(Origins::Any));
        assert_eq!(
            cors_origins("https://App.example.com/ ,, http://localhost:5173"),
            Ok(these(&["https://app.example.com", "http://localhost:5173"]))
        );
        for text in ["*,https://app.example.com", "https://*.example.com", "app.example.com", "null"] {
            assert!(cors_origins(text).unwrap_err().contains("not an origin"), "{text}");
        }
    }

    #[test]
    fn an_audience_without_its_slash_is_caught() {
        assert!(audience("https://example.us.auth0.com/api/v2/").is_ok());
        assert!(audience("http://127.0.0.1:4000/api/v2/").is_ok());
        assert!(audience("https://example.us.auth0.com/api/v2").unwrap_err().contains("slash"));
        for text in ["example.us.auth0.com/api/v2/", "https://", "https://a b/api/v2/", "ftp://a/", "https://a@b/"] {
            assert!(audience(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_copied_badly_is_not_repeated() {
        assert_eq!(copied("-_aZ9"), Ok("-_aZ9".to_owned()));
        for text in ["hush hush", "hush\u{7}", "hush\u{200b}"] {
            assert!(!copied(text).unwrap_err().contains("hush"));
        }
    }

    #[test]
    fn quoted_text_is_short_and_has_no_control_characters() {
        assert_eq!(quoted("a\u{1b}[31m"), r#""a\u{1b}[31m""#);
        assert_eq!(quoted(&"é".repeat(61)), format!("\"{}\"…", "é".repeat(60)));
    }

    #[test]
    fn what_stands_before_an_at_sign_is_not_shown() {
        for (text, expected) in [
            ("https://somebody:pass@example.com/a", "https://…@example.com/a"),
            ("somebody:pass@example.com", "…@example.com"),
            ("somebody:pa//ss@example.com", "…@example.com"),
            ("https://a:p@ss@example.com", "https://…@example.com"),
            ("https://a:pass@a.example,https://b:word@b.example", "https://…@b.example"),
            ("//:pass@", "…@"),
            ("example.com", "example.com"),
        ] {
            assert_eq!(without_user_info(text), expected);
        }
    }
}
