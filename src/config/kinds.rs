//! Kinds of settings: how their text is read. Every error completes the sentence "NAME …".

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::setting::{Setting, WithDefault};

/// A number within bounds.
pub(super) struct Number<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T: FromStr + Clone + Send + Sync + 'static, const MIN: u64, const MAX: u64> Setting for Number<T, MIN, MAX> {
    type Value = T;

    fn parse(text: &str) -> Result<T, String> {
        let is_within = text.parse().is_ok_and(|number: u64| (MIN..=MAX).contains(&number));
        let number = text.parse().ok().filter(|_| is_within);
        number.ok_or_else(|| format!("must be a number from {MIN} to {MAX}, not {}", quoted(text)))
    }
}

impl<T: Display + FromStr + Clone + Send + Sync + 'static, const MIN: u64, const MAX: u64> WithDefault
    for Number<T, MIN, MAX>
{
    fn show(number: &T) -> String {
        number.to_string()
    }
}

/// A time within bounds, which are in milliseconds.
pub(super) struct Time<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Setting for Time<MIN, MAX> {
    type Value = Duration;

    fn parse(text: &str) -> Result<Duration, String> {
        let (number, unit) = match text.strip_suffix("ms") {
            Some(milliseconds) => (milliseconds, 1),
            None => (text.strip_suffix('s').unwrap_or(text), 1_000),
        };
        let milliseconds = number.trim_end().parse().ok().and_then(|number: u64| number.checked_mul(unit));
        let milliseconds = milliseconds.filter(|milliseconds| (MIN..=MAX).contains(milliseconds));
        milliseconds.map(Duration::from_millis).ok_or_else(|| {
            let [min, max] = [MIN, MAX].map(|bound| Self::show(&Duration::from_millis(bound)));
            format!("must be a time from {min} to {max}, such as 5s or 500ms, not {}", quoted(text))
        })
    }
}

impl<const MIN: u64, const MAX: u64> WithDefault for Time<MIN, MAX> {
    fn show(time: &Duration) -> String {
        match (time.as_millis(), time.subsec_millis()) {
            (_, 0) => format!("{}s", time.as_secs()),
            (milliseconds, _) => format!("{milliseconds}ms"),
        }
    }
}

/// A share of the tenant's rate limit.
pub(super) struct Share;

impl Setting for Share {
    type Value = f64;

    fn parse(text: &str) -> Result<f64, String> {
        let share = text.parse().ok().filter(|share| (0.0..=0.9).contains(share));
        share.ok_or_else(|| format!("must be a share from 0 to 0.9, such as 0.1, not {}", quoted(text)))
    }
}

impl WithDefault for Share {
    fn show(share: &f64) -> String {
        share.to_string()
    }
}

/// A few words to choose from, in any case.
pub(super) trait Choice: 'static {
    /// The type of what the words stand for.
    type Value: Copy + PartialEq + Send + Sync;

    /// Each word with its value.
    const CHOICES: &'static [(&'static str, Self::Value)];
}

impl<W: Choice> Setting for W {
    type Value = W::Value;

    fn parse(text: &str) -> Result<W::Value, String> {
        let known = W::CHOICES.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = Self::words().collect();
            format!("must be {}, not {}", words.join(" or "), quoted(text))
        })
    }

    fn words() -> impl Iterator<Item = &'static str> {
        W::CHOICES.iter().map(|(word, _)| *word)
    }
}

impl<W: Choice> WithDefault for W {
    fn show(value: &W::Value) -> String {
        let word = W::CHOICES.iter().find(|(_, known)| known == value);
        word.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
    }
}

pub(super) struct OnOff;

impl Choice for OnOff {
    type Value = bool;
    const CHOICES: &'static [(&'static str, bool)] = &[("on", true), ("off", false)];
}

pub(super) struct YesNo;

impl Choice for YesNo {
    type Value = bool;
    const CHOICES: &'static [(&'static str, bool)] = &[("yes", true), ("no", false)];
}

/// An address to listen on.
pub(super) struct Host;

impl Setting for Host {
    type Value = IpAddr;

    fn parse(text: &str) -> Result<IpAddr, String> {
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(Ipv4Addr::LOCALHOST.into());
        }
        unbracketed(text).parse().map_err(|_| format!("must be an IP address or localhost, not {}", quoted(text)))
    }
}

impl WithDefault for Host {
    fn show(address: &IpAddr) -> String {
        address.to_string()
    }
}

/// Host names as they stand in a `Host` header: in lower case, IPv6 addresses in brackets.
pub(super) struct HostNames;

impl Setting for HostNames {
    type Value = Vec<String>;

    fn parse(text: &str) -> Result<Vec<String>, String> {
        entries(text).map(host_name).collect()
    }
}

fn host_name(entry: &str) -> Result<String, String> {
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

/// A file or a folder.
impl Setting for PathBuf {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

/// An opaque value that was copied from somewhere. It is not repeated in the error, for it may be a secret.
pub(super) struct OpaqueText;

impl Setting for OpaqueText {
    type Value = String;

    fn parse(text: &str) -> Result<String, String> {
        if is_one_word(text) {
            return Ok(text.to_owned());
        }
        Err("holds a space or a character that is not ASCII; copy it once more from Auth0's dashboard".to_owned())
    }
}

pub(super) fn is_one_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The entries of a list that is separated by commas.
pub(super) fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

/// The text, safe to print on a terminal, without a password, and not the whole of a file that ended up in a setting.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let text = without_credentials(text);
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The text with `…` for what stands before an `@`, in a URL a user name and a password, and for the parameters of a query.
pub(super) fn without_credentials(text: &str) -> Cow<'_, str> {
    let Some((before, rest)) = text.rsplit_once('@') else { return without_parameters(text) };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| before.starts_with(scheme)).unwrap_or_default();
    // With a question mark before it, the `@` may be in a password or in a query.
    if before.contains('?') { format!("{scheme}…") } else { format!("{scheme}…@{}", without_parameters(rest)) }.into()
}

fn without_parameters(text: &str) -> Cow<'_, str> {
    match text.split_once('?') {
        Some((text, query)) if query.contains('=') => format!("{text}?…").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn a_host_is_an_address_or_localhost() {
        assert_eq!(Host::parse("LocalHost"), Ok(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(Host::parse("0.0.0.0"), Ok(IpAddr::from([0, 0, 0, 0])));
        assert_eq!(Host::parse("[::1]"), Ok(Ipv6Addr::LOCALHOST.into()));
        for text in ["example.com", "127.0.0.1:3000", "[127.0.0.1", "1"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_has_a_unit_and_bounds() {
        type Timeout = Time<100, 120_000>;
        for (text, milliseconds) in [("10s", 10_000), ("500ms", 500), ("2", 2_000), ("100 ms", 100), ("120s", 120_000)]
        {
            assert_eq!(Timeout::parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["99ms", "121", "0", "-1s", "1m", "1.5s", "s", "ms", "10 0s", "99999999999999999999s"] {
            assert!(Timeout::parse(text).is_err(), "{text}");
        }
        for text in ["0", "5s", "60s"] {
            assert!(Time::<0, 60_000>::parse(text).is_ok(), "{text}");
        }
        assert!(Time::<0, 60_000>::parse("61s").unwrap_err().contains("from 0s to 60s"));
        assert_eq!([0, 1_000, 1_500].map(|time| Timeout::show(&Duration::from_millis(time))), ["0s", "1s", "1500ms"]);
    }

    #[test]
    fn numbers_have_bounds() {
        type Port = Number<u16, 0, 65_535>;
        assert_eq!(Port::parse("0"), Ok(0));
        for text in ["65536", "-1", "3000.", "http"] {
            assert!(Port::parse(text).is_err(), "{text}");
        }
        type Count = Number<NonZeroUsize, 1, 100_000>;
        assert_eq!(Count::parse("1").map(NonZeroUsize::get), Ok(1));
        for text in ["0", "100001", "-1", "many"] {
            assert!(Count::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn allowed_hosts_are_normal_names() {
        assert_eq!(
            HostNames::parse("API.example.com, ,10.0.0.1,::1,[FE80::1],"),
            Ok(["api.example.com", "10.0.0.1", "[::1]", "[fe80::1]"].map(str::to_owned).to_vec())
        );
        for text in
            ["https://example.com", "example.com:3000", "*.example.com", "a b", "example.com/", "müller.example"]
        {
            assert!(HostNames::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_copied_badly_is_not_repeated() {
        assert_eq!(OpaqueText::parse("-_aZ9"), Ok("-_aZ9".to_owned()));
        for text in ["hush hush", "hush\u{7}", "hush\u{200b}"] {
            assert!(!OpaqueText::parse(text).unwrap_err().contains("hush"));
        }
    }

    #[test]
    fn quoted_text_is_short_and_has_no_control_characters() {
        assert_eq!(quoted("a\u{1b}[31m"), r#""a\u{1b}[31m""#);
        assert_eq!(quoted(&"é".repeat(61)), format!("\"{}\"…", "é".repeat(60)));
    }

    #[test]
    fn credentials_in_a_url_are_not_shown() {
        for (text, expected) in [
            ("https://somebody:pass@example.com/a", "https://…@example.com/a"),
            ("somebody:pass@example.com", "…@example.com"),
            ("somebody:pa//ss@example.com", "…@example.com"),
            ("https://a:p@ss@example.com", "https://…@example.com"),
            ("https://a:pass@a.example,https://b:word@b.example", "https://…@b.example"),
            ("//:pass@", "…@"),
            ("https://example.com/?password=pass", "https://example.com/?…"),
            ("a:pass@example.com?a&b=word", "…@example.com?…"),
            ("https://a:pass@example.com?b=p@ss", "https://…"),
            ("https://a:p?s=s@example.com", "https://…"),
            ("what?", "what?"),
            ("example.com", "example.com"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }
}
