//! The conformance vectors in `tests/vectors/`, run with the Python client. `run.py` there runs them with any other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// The text of each vector, by group and file name.
type Vectors = BTreeMap<(String, String), String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vectors(folder: &Path) -> Vectors {
    let entries = |folder: &Path| {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let groups = entries(folder).filter(|path| path.is_dir());
    let files = groups.flat_map(|group| entries(&group).collect::<Vec<_>>());
    files
        .filter(|file| file.extension().is_some_and(|end| end == "json"))
        .map(|file| {
            let group = name(file.parent().unwrap());
            let text = std::fs::read_to_string(&file).unwrap();
            ((group, name(&file)), text)
        })
        .collect()
}

#[test]
fn the_python_client_concludes_what_each_vector_expects() {
    for python in tools::pythons() {
        let output = Command::new(&python)
            .arg("-B")
            .arg(folder().join("run.py"))
            .arg(&python)
            .arg(folder().join("python_client.py"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}{errors}");
    }
}

#[test]
fn the_vectors_are_what_make_py_writes() {
    for python in tools::pythons() {
        let temporary = tempfile::tempdir().unwrap();
        let output = Command::new(python)
            .arg(folder().join("make.py"))
            .arg(temporary.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (committed, written) = (vectors(&folder()), vectors(temporary.path()));
        assert!(committed.len() > 400);
        let names = |vectors: &Vectors| vectors.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&committed), names(&written));
        for (name, text) in committed {
            assert_eq!(text, written[&name], "{name:?}");
        }
    }
}
