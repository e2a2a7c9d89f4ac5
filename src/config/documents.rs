//! Settings of documents: which are run, and what they may cost.

use std::ops::RangeInclusive;
use std::path::Path;

use clap::Args;

use super::Problems;
use super::check::optional;
use super::parse::{self, given};
use crate::graphql::{DocumentSettings, Enforcement, Limits, TrustedDocuments, TrustedMode};

const MAX_COST: RangeInclusive<u64> = 100..=10_000_000;
/// No data is that deep; async-graphql itself refuses what nests deeper than 20, and fragments count there.
const MAX_DEPTH: RangeInclusive<u64> = 3..=15;

#[derive(Args, Default)]
#[command(next_help_heading = "Documents")]
pub(super) struct DocumentArgs {
    /// Whether documents beyond a limit are refused: enforce, or measure to count and run them. Default: enforce.
    ///
    /// With measure, what keeps the process itself from harm is refused all the same: documents that nest too deeply or grow
    /// without bounds when their fragments are written out.
    #[arg(long, env, value_name = "enforce|measure")]
    pub(super) limits: Option<String>,

    /// Most values that one GraphQL operation may ask for, rows times fields, from 100 to 10000000. Default: 50000.
    #[arg(long, env, value_name = "NUMBER")]
    pub(super) max_cost: Option<String>,

    /// How deeply the fields of an operation may nest, introspection left out, from 3 to 15. Default: 10.
    #[arg(long, env, value_name = "NUMBER")]
    pub(super) max_depth: Option<String>,

    /// Whether clients may ask for the schema: on or off. Default: on with the sandbox and on loopback addresses, else off.
    ///
    /// With off, errors suggest no names either. The command schema prints the schema in any case.
    #[arg(long, env, value_name = "on|off")]
    pub(super) introspection: Option<String>,

    /// Whether clients may have documents kept by their hash (automatic persisted queries): on or off. Default: on.
    #[arg(long, env, value_name = "on|off")]
    pub(super) persisted_queries: Option<String>,

    /// Manifest of trusted documents, which clients ask for by id: a JSON file, or a folder of them. Default: none.
    ///
    /// Taken are the manifests of GraphQL Code Generator's client preset, of Relay's compiler and of Apollo's
    /// generate-persisted-query-manifest. Changes are taken in while the gateway runs.
    #[arg(long, env, value_name = "PATH")]
    pub(super) trusted_documents: Option<String>,

    /// What becomes of documents that are not trusted: prefer runs them too, only refuses them. Default: prefer.
    #[arg(long, env, value_name = "prefer|only")]
    pub(super) trusted_documents_mode: Option<String>,
}

/// `limits` are those that were read already. `open` says whether the schema is shown where nothing else was said. Reads the
/// trusted documents: a manifest that cannot be used is as wrong as any other setting.
pub(super) fn check(
    args: &DocumentArgs,
    limits: Limits,
    open: bool,
    problems: &mut Problems,
) -> (Limits, DocumentSettings) {
    let on = |text: &str| parse::switch(text, "on", "off");
    let enforces =
        optional(problems, "LIMITS", args.limits.as_deref(), |text| parse::switch(text, "enforce", "measure"));
    let cost = optional(problems, "MAX_COST", args.max_cost.as_deref(), |text| number(text, &MAX_COST));
    let depth = optional(problems, "MAX_DEPTH", args.max_depth.as_deref(), |text| number(text, &MAX_DEPTH));
    let limits = Limits {
        enforcement: if enforces == Some(false) { Enforcement::Measure } else { Enforcement::Enforce },
        cost: cost.unwrap_or(limits.cost),
        depth: depth.unwrap_or(limits.depth),
        ..limits
    };
    let introspection = optional(problems, "INTROSPECTION", args.introspection.as_deref(), on);
    let persisted_queries = optional(problems, "PERSISTED_QUERIES", args.persisted_queries.as_deref(), on);
    let settings = DocumentSettings {
        introspection: introspection.unwrap_or(open),
        persisted_queries: persisted_queries.unwrap_or(true),
        trusted: trusted(args, problems),
    };
    (limits, settings)
}

fn trusted(args: &DocumentArgs, problems: &mut Problems) -> Option<TrustedDocuments> {
    let mode = args.trusted_documents_mode.as_deref();
    let prefers = optional(problems, "TRUSTED_DOCUMENTS_MODE", mode, |text| parse::switch(text, "prefer", "only"));
    let mode = if prefers == Some(false) { TrustedMode::Only } else { TrustedMode::Prefer };
    if given(args.trusted_documents.as_deref()).is_none() && mode == TrustedMode::Only {
        problems
            .add("TRUSTED_DOCUMENTS", "is missing: with TRUSTED_DOCUMENTS_MODE=only nothing could be run without it");
    }
    optional(problems, "TRUSTED_DOCUMENTS", args.trusted_documents.as_deref(), |path| {
        TrustedDocuments::read(Path::new(path), mode).map_err(|error| format!("cannot be used: {error}"))
    })
}

fn number(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        format!("must be a number from {} to {}, not {}", range.start(), range.end(), parse::quoted(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(args: &DocumentArgs) -> Result<(Limits, DocumentSettings), String> {
        let mut problems = Problems::default();
        let checked = check(args, Limits::default(), true, &mut problems);
        if problems.is_empty() { Ok(checked) } else { Err(problems.to_string()) }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_said_is_taken() {
        let (limits, settings) = checked(&DocumentArgs {
            limits: some("Measure"),
            max_cost: some("100"),
            max_depth: some("15"),
            introspection: some("off"),
            persisted_queries: some("off"),
            ..DocumentArgs::default()
        })
        .unwrap();
        let expected = Limits { enforcement: Enforcement::Measure, cost: 100, depth: 15, ..Limits::default() };
        assert_eq!(limits, expected);
        assert!(!settings.introspection && !settings.persisted_queries && settings.trusted.is_none());
    }

    #[test]
    fn every_fault_is_listed() {
        let faults = checked(&DocumentArgs {
            limits: some("off"),
            max_cost: some("99"),
            max_depth: some("16"),
            introspection: some("yes"),
            persisted_queries: some("no"),
            trusted_documents: some("no/such.json"),
            trusted_documents_mode: some("never"),
        })
        .unwrap_err();
        for fault in [
            "LIMITS must be enforce or measure",
            "MAX_COST must be a number from 100",
            "MAX_DEPTH must be a number from 3 to 15",
            "INTROSPECTION must be on or off",
            "PERSISTED_QUERIES must be on or off",
            "TRUSTED_DOCUMENTS cannot be used: no/such.json cannot be read",
            "TRUSTED_DOCUMENTS_MODE must be prefer or only",
        ] {
            assert!(faults.contains(&format!("\n  {fault}")), "{fault}: {faults}");
        }
    }

    #[test]
    fn trust_in_nothing_is_refused() {
        let args = DocumentArgs { trusted_documents_mode: some("only"), ..DocumentArgs::default() };
        assert!(checked(&args).unwrap_err().contains("TRUSTED_DOCUMENTS is missing"));
    }
}
