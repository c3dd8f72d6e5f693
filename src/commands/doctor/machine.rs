//! The folder of the database and its disk, without opening the database.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::Config;
use crate::model::doctor::Finding;
use crate::model::doctor::inside::{self, Disk, Entry};
use crate::service::disk_space;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let folder = &config.data_dir;
    let unreadable = |e: std::io::Error| {
        vec![Finding::error(format!(
            "`data_dir` {} cannot be read: {e}; name the folder of the server, and call the doctor as its user: \
             `sudo -u license-server license-server doctor`",
            folder.display()
        ))]
    };
    let (own, files) = match (fs::metadata(folder), files(folder)) {
        (Ok(own), Ok(files)) => (own, files),
        (Err(e), _) | (_, Err(e)) => return unreadable(e),
    };
    let us = rustix::process::geteuid().as_raw();
    let mut found = inside::files(&entry(folder, &own), &files, us);
    let size = |name| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    match disk_space(folder) {
        Ok(space) => found.extend(inside::disk(
            &Disk {
                free: space.free,
                database: size("licenses.db"),
                log: size("licenses.db-wal"),
            },
            &folder.display().to_string(),
        )),
        Err(e) => found.extend(unreadable(e)),
    }
    found.extend(backup_disk(config, size("licenses.db")));
    found
}

fn backup_disk(config: &Config, database: u64) -> Option<Finding> {
    let folder = config.backup_dir.as_ref()?;
    // The server makes it if it is missing.
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let space = disk_space(there.unwrap_or(folder));
    inside::backup_disk(&folder.display().to_string(), space, database)
}

fn entry(path: &Path, metadata: &Metadata) -> Entry {
    Entry {
        path: path.display().to_string(),
        owner: metadata.uid(),
        mode: metadata.mode(),
    }
}

/// The database and what SQLite has beside it.
fn files(folder: &Path) -> std::io::Result<Vec<Entry>> {
    let mut files = vec![];
    for file in fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name();
        if name.to_string_lossy().starts_with("licenses.db") || name == "lock" {
            // SQLite may have just removed it.
            files.extend(
                file.metadata()
                    .map(|metadata| entry(&file.path(), &metadata)),
            );
        }
    }
    Ok(files)
}
