//! Bundles `GraphiQL` for `src/http/playground.rs` to embed.
//!
//! Writes `OUT_DIR/playground.rs`: the constants `INDEX` and `ASSETS`. Without npm, or
//! when npm fails, they are empty, the build warns, and the gateway serves a plain page.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sources of the bundle. Named one by one, so that a `node_modules` made by hand
/// beside them is neither copied nor watched.
const SOURCES: [&str; 6] = [".npmrc", "bundle.mjs", "main.css", "main.jsx", "package-lock.json", "package.json"];

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo::rerun-if-changed=playground/{source}");
    }

    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let generated = if env::var_os("CARGO_FEATURE_PLAYGROUND").is_none() {
        constants(None, &[])
    } else {
        bundle(&out_dir.join("playground")).unwrap_or_else(|reason| {
            println!(
                "cargo::warning=The playground is left out, a plain page takes its place. \
                 To have it, install Node.js 20 or later with npm, go online, and build again \
                 after `touch build.rs`; to silence this, build without the feature `playground`."
            );
            for line in reason.lines().filter(|line| !line.trim().is_empty()).take(8) {
                println!("cargo::warning={line}");
            }
            constants(None, &[])
        })
    };
    fs::write(out_dir.join("playground.rs"), generated)?;
    Ok(())
}

/// Runs npm and the bundler in `directory`, and gives the constants for what they made.
///
/// Everything happens on a copy: a build script must leave the source tree alone.
fn bundle(directory: &Path) -> Result<String, String> {
    // A bundle is whole or absent: what an earlier, interrupted build left goes first.
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(|error| format!("clearing OUT_DIR: {error}"))?;
    }
    fs::create_dir_all(directory).map_err(|error| format!("writing to OUT_DIR: {error}"))?;
    for source in SOURCES {
        fs::copy(Path::new("playground").join(source), directory.join(source))
            .map_err(|error| format!("copying playground/{source}: {error}"))?;
    }

    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let bundled =
        run(npm, &["ci", "--prefer-offline"], directory).and_then(|()| run("node", &["bundle.mjs", "dist"], directory));
    // 200 MB that every profile would keep. npm has its own cache for the next time.
    let _ = fs::remove_dir_all(directory.join("node_modules"));
    bundled?;

    let mut assets: Vec<String> = fs::read_dir(directory.join("dist"))
        .map_err(|error| format!("reading the bundle: {error}"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| Some(file.strip_suffix(".br")?.to_owned()))
        .collect();
    assets.sort_unstable();
    Ok(constants(Some("playground/dist/index.html"), &assets))
}

/// Runs a program to its end; the error is what it complained of.
fn run(program: &str, arguments: &[&str], directory: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{program} {}` failed ({}):\n{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr),
    ))
}

/// The source of `INDEX` and `ASSETS`. Paths are relative to the file that holds them, so
/// that none of this machine's end up in the program.
fn constants(index: Option<&str>, assets: &[String]) -> String {
    let index = index.map_or_else(|| String::from("None"), |path| format!("Some(include_str!({path:?}))"));
    let assets: String = assets
        .iter()
        .map(|name| {
            let [brotli, gzip] = ["br", "gz"].map(|ending| format!("playground/dist/{name}.{ending}"));
            format!("    ({name:?}, include_bytes!({brotli:?}), include_bytes!({gzip:?})),\n")
        })
        .collect();
    format!(
        "const INDEX: Option<&str> = {index};\n\
         static ASSETS: &[Asset] = &[\n{assets}];\n"
    )
}
