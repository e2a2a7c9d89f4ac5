//! Reading manifests, alone and in folders, and again.

use super::*;

impl TrustedDocuments {
    /// Documents without a file behind them.
    pub(crate) fn of(mode: TrustedMode, documents: &[(&str, &str)]) -> Self {
        let mut set = Set::default();
        for (id, text) in documents {
            assert!(set.add(id, text));
        }
        let manifests = Manifests {
            path: PathBuf::new(),
            current: ArcSwap::from_pointee(set),
            seen: Mutex::default(),
            look: Notify::new(),
        };
        Self { manifests: Arc::new(manifests), mode, looks_every: LOOKS_EVERY }
    }
}

/// An empty folder of a test's own.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("OUT_DIR")).join(format!("trusted-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn read(path: &Path) -> Result<TrustedDocuments, String> {
    TrustedDocuments::read(path, TrustedMode::Prefer).map_err(|error| error.to_string())
}

const A: &str = r#"{"a": "{ __typename }"}"#;
const B: &str = r#"{"b": "{ gateway { version } }"}"#;

#[test]
fn a_folder_is_the_sum_of_its_manifests() {
    let folder = folder("sum");
    fs::write(folder.join("one.json"), A).unwrap();
    fs::write(folder.join("two.json"), B).unwrap();
    fs::write(folder.join(".hidden.json"), "not read").unwrap();
    fs::write(folder.join("README.md"), "not read").unwrap();
    fs::create_dir(folder.join("more.json")).unwrap();
    let documents = read(&folder).unwrap();
    assert!(documents.get("a").is_some() && documents.get("b").is_some());
    assert!(documents.has("{ __typename }") && !documents.has("{__typename}"));
    assert_eq!(documents.all().len(), 2);
    // The same document under the same id in two manifests is no conflict.
    fs::write(folder.join("three.json"), A).unwrap();
    assert!(read(&folder).is_ok());
}

#[test]
fn what_cannot_be_trusted_is_told_with_its_file() {
    let folder = folder("wrong");
    assert!(read(&folder.join("none.json")).unwrap_err().contains("none.json cannot be read"));
    assert!(read(&folder).unwrap_err().contains("a folder without a .json file"));
    fs::write(folder.join("one.json"), A).unwrap();
    fs::write(folder.join("two.json"), "{").unwrap();
    assert!(read(&folder).unwrap_err().contains("two.json is not JSON: line 1"));
    fs::write(folder.join("two.json"), r#"{"a": "{ gateway { version } }"}"#).unwrap();
    assert!(read(&folder).unwrap_err().contains(r#"two.json gives the id "a" to another document"#));
    fs::write(folder.join("two.json"), b"{\"a\": \"\xff\"}").unwrap();
    assert!(read(&folder).unwrap_err().contains("two.json cannot be read"));
}

#[test]
fn a_change_is_taken_in_and_a_bad_one_is_not() {
    let file = folder("change").join("manifest.json");
    fs::write(&file, A).unwrap();
    let documents = read(&file).unwrap();
    assert!(!documents.manifests.refresh(), "nothing has changed");
    fs::write(&file, "{").unwrap();
    assert!(!documents.manifests.refresh());
    assert!(documents.get("a").is_some());
    fs::write(&file, B).unwrap();
    assert!(documents.manifests.refresh());
    assert!(documents.get("a").is_none() && documents.get("b").is_some());
    fs::remove_file(&file).unwrap();
    assert!(!documents.manifests.refresh());
    assert!(documents.get("b").is_some());
}
