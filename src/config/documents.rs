//! Settings of documents: which are run, and what they may cost.

use std::path::PathBuf;

use clap::Args;

use super::Problems;
use super::kinds::{Choice, Number, OnOff};
use super::row::DerivedDefault;
use super::setting::{Checked, GivenSetting as _, WithDefault as _};
use crate::graphql::{DocumentSettings, Enforcement, Limits, TrustedDocuments, TrustedMode};

#[derive(Args)]
#[command(next_help_heading = "Documents")]
pub(super) struct DocumentArgs {
    /// Fate of documents beyond a limit: enforce refuses them, measure counts and runs them.
    ///
    /// With measure, what keeps the process itself from harm is refused all the same: documents that nest too deeply or grow
    /// without bounds when their fragments are written out, and introspection of more than any tool asks for.
    #[arg(long, env, value_name = "MODE", default_value_t = Checked::of(Limits::default().enforcement))]
    limits: Checked<Enforcement>,

    /// Most values that one GraphQL operation may ask for, rows times fields, from 100 to 10000000.
    #[arg(long, env, value_name = "NUMBER", default_value_t = Checked::of(Limits::default().cost))]
    max_cost: Checked<Number<u64, 100, 10_000_000>>,

    /// Most levels to which the fields of an operation may nest, introspection left out, from 3 to 15.
    #[arg(long, env, value_name = "NUMBER", default_value_t = Checked::of(Limits::default().depth))]
    max_depth: Checked<Number<u64, 3, 15>>,

    /// Lets clients ask for the schema. Default: on with the sandbox and on loopback addresses, else off.
    ///
    /// With off, errors suggest no names either. The command schema prints the schema in any case.
    #[arg(
        long,
        env,
        value_name = "SWITCH",
        add = DerivedDefault(|serve| Some(OnOff::show(&serve.documents.introspection)))
    )]
    introspection: Option<Checked<OnOff>>,

    /// Lets clients have documents kept by their hash (automatic persisted queries).
    #[arg(long, env, value_name = "SWITCH", default_value_t = Checked::of(DocumentSettings::default().persisted_queries))]
    persisted_queries: Checked<OnOff>,

    /// Serves a subgraph of Apollo Federation 2: users and logs by their keys (_entities), and the schema with its keys (_service).
    ///
    /// The command schema --federation prints that schema. Whoever may ask the gateway can ask for it, INTROSPECTION or not.
    #[arg(long, env, value_name = "SWITCH", default_value_t = Checked::of(DocumentSettings::default().federation))]
    federation: Checked<OnOff>,

    /// Manifest of trusted documents, which clients ask for by id: a JSON file, or a folder of them.
    ///
    /// Taken are the manifests of GraphQL Code Generator's client preset, of Relay's compiler and of Apollo's
    /// generate-persisted-query-manifest. Changes are taken in while the gateway runs.
    #[arg(long, env, value_name = "PATH")]
    pub(super) trusted_documents: Option<Checked<PathBuf>>,

    /// Fate of documents that are not trusted: prefer runs them too, only refuses them.
    #[arg(long, env, value_name = "MODE", default_value_t = Checked::of(TrustedMode::Prefer))]
    pub(super) trusted_documents_mode: Checked<TrustedMode>,
}

impl DocumentArgs {
    pub(super) fn limits(&self, limits: &mut Limits, problems: &mut Problems) {
        self.limits.set(&mut limits.enforcement, problems);
        self.max_cost.set(&mut limits.cost, problems);
        self.max_depth.set(&mut limits.depth, problems);
    }

    /// `open` says whether the schema is shown where nothing else was said. Reads the trusted documents: a manifest that cannot
    /// be used is as wrong as any other setting.
    pub(super) fn settings(&self, open: bool, problems: &mut Problems) -> DocumentSettings {
        let mut settings = DocumentSettings { introspection: open, ..DocumentSettings::default() };
        self.introspection.set(&mut settings.introspection, problems);
        self.persisted_queries.set(&mut settings.persisted_queries, problems);
        self.federation.set(&mut settings.federation, problems);
        let (path, mode) = (self.trusted_documents.take(problems), self.trusted_documents_mode.take(problems));
        if let Some(path) = path {
            match TrustedDocuments::read(&path, mode.unwrap_or(TrustedMode::Prefer)) {
                Ok(documents) => settings.trusted = Some(documents),
                Err(error) => problems.add("TRUSTED_DOCUMENTS", format!("cannot be used: {error}")),
            }
        }
        settings
    }
}

impl Choice for Enforcement {
    type Value = Self;
    const CHOICES: &'static [(&'static str, Self)] = &[("enforce", Self::Enforce), ("measure", Self::Measure)];
}

impl Choice for TrustedMode {
    type Value = Self;
    const CHOICES: &'static [(&'static str, Self)] = &[("prefer", Self::Prefer), ("only", Self::Only)];
}
