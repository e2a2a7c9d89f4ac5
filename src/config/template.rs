//! `.env.template`: every setting, its meaning and its default.

use clap::{Arg, Command};

use super::setting::is_placeholder;

/// Lines are filled up to this column.
const WIDTH: usize = 120;

const HEAD: &str = "Copy this file to .env and fill in the first three settings. A flag or an environment variable of the same name \
                    wins over it. A value with spaces, quotes, $, \\ or # goes into 'single quotes'.";

/// The template for the settings of a command. Those without which nothing works have their placeholders filled in, the others their
/// defaults, commented out.
pub(super) fn template(command: &Command) -> String {
    let settings = command.get_arguments().filter_map(setting);
    std::iter::once(comment(HEAD)).chain(settings).collect::<Vec<_>>().join("\n")
}

fn setting(arg: &Arg) -> Option<String> {
    let name = arg.get_env()?.to_str()?;
    let help = arg.get_long_help().or_else(|| arg.get_help())?.to_string();
    let words = arg.get_possible_values();
    let words: Vec<_> = words.iter().map(|word| word.get_name()).collect();
    let is_one_of = if words.is_empty() { String::new() } else { format!("\n\nOne of: {}.", words.join(", ")) };
    let placeholder = arg.get_value_names().and_then(|names| names.first()).filter(|name| is_placeholder(name));
    let line = match (placeholder, arg.get_default_values().first().and_then(|default| default.to_str())) {
        (Some(placeholder), _) => format!("{name}={placeholder}\n"),
        (None, default) => format!("#{name}={}\n", default.unwrap_or_default()),
    };
    Some(comment(&format!("{}{is_one_of}", full_stop(&help))) + &line)
}

/// clap takes the full stop off a help of one paragraph.
fn full_stop(help: &str) -> String {
    if help.ends_with('.') { help.to_owned() } else { format!("{help}.") }
}

/// Paragraphs as a comment.
fn comment(text: &str) -> String {
    let paragraphs: Vec<_> = text.split("\n\n").map(paragraph).collect();
    paragraphs.join("#\n")
}

fn paragraph(text: &str) -> String {
    let mut lines = String::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &(std::mem::replace(&mut line, "#".to_owned()) + "\n");
        }
        line = line + " " + word;
    }
    lines + &line + "\n"
}
