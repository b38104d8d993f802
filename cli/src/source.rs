//! Where a ledger lies: as the files of an export, or in a node's data folder.

use std::path::{Path, PathBuf};

use chancery_certs::Certificate;
use chancery_crypto::cbor;
use chancery_node::{DataFolder, KeptCosignature, NodeError, read_member};
use chancery_protocol::tile::{TILE_WIDTH, entries_path, history_path, tile_path};

use crate::{failure::Failure, keys::read_chain, verify::files_in};

/// A named piece of a ledger.
pub type Named<T> = (String, T);

/// What an audit or an import reads of a ledger.
pub trait Source: Sync {
    /// The checkpoint's note with its cosignatures.
    fn note(&self) -> Result<String, Failure>;
    /// The seal's chain, and whether it stands there in its plain form.
    fn seal(&self) -> Result<(Vec<Certificate>, bool), Failure>;
    /// The chains of the seals before it.
    fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, Failure>;
    /// The witnesses' cosignatures.
    fn cosignatures(&self) -> Result<Vec<Named<KeptCosignature>>, Failure>;
    /// The proofs of forks.
    fn forks(&self) -> Result<Vec<Named<Vec<u8>>>, Failure>;
    /// A bundle of entries; none beyond the last.
    fn entries(&self, bundle: u64) -> Result<Option<Vec<u8>>, Failure>;
    /// The hashes of a tile, if it is there with this width.
    fn tile(&self, level: u32, index: u64, width: usize) -> Option<Vec<u8>>;
    /// The bundles of the history of checkpoints.
    fn history(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>, Failure>> + '_>;
    /// The names of the evidence that it received.
    fn evidence_names(&self) -> Result<Vec<String>, Failure>;
    /// An evidence, by its name.
    fn evidence(&self, name: &str) -> Result<Vec<u8>, Failure>;
    /// The orders that entries follow.
    fn orders(&self) -> Result<Vec<Named<Vec<u8>>>, Failure>;
}

/// An exported ledger.
pub struct Folder(pub PathBuf);

impl Folder {
    /// The files of a folder in it, with their names.
    fn all(&self, folder: &str) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        let files = files_in(&self.0.join(folder))?;
        files.into_iter().map(|file| Ok((shown_name(&file), read_member(&file)?))).collect()
    }
}

/// A file's name, to be shown.
pub fn shown_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Source for Folder {
    fn note(&self) -> Result<String, Failure> {
        let path = self.0.join("checkpoint");
        String::from_utf8(read_member(&path)?).map_err(|_| {
            let remedy = "Export the ledger again.";
            Failure::usage("CHY-6014", "it is no text", remedy).at(&path)
        })
    }

    fn seal(&self) -> Result<(Vec<Certificate>, bool), Failure> {
        let path = self.0.join("seal.pem");
        let chain = read_chain(&path)?;
        let plain = read_member(&path)? == chancery_certs::encode_pem_chain(&chain).as_bytes();
        Ok((chain, plain))
    }

    fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, Failure> {
        files_in(&self.0.join("seals"))?.iter().map(|file| read_chain(file)).collect()
    }

    fn cosignatures(&self) -> Result<Vec<Named<KeptCosignature>>, Failure> {
        let read = self.all("witness")?.into_iter().map(|(name, bytes)| {
            let kept = cbor::decode(&bytes).map_err(NodeError::from);
            Ok((name.clone(), kept.map_err(|e| Failure::from(e).at(Path::new(&name)))?))
        });
        read.collect()
    }

    fn forks(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        self.all("forks")
    }

    /// The full bundle, or the widest partial one.
    fn entries(&self, bundle: u64) -> Result<Option<Vec<u8>>, Failure> {
        let widths = (1..=TILE_WIDTH).rev();
        let mut paths = widths.map(|width| self.0.join(entries_path(bundle, width)));
        match paths.find(|path| path.exists()) {
            Some(path) => Ok(Some(read_member(&path)?)),
            None => Ok(None),
        }
    }

    fn tile(&self, level: u32, index: u64, width: usize) -> Option<Vec<u8>> {
        read_member(&self.0.join(tile_path(level, index, width))).ok()
    }

    fn history(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>, Failure>> + '_> {
        let paths = (0..).map(|number| self.0.join(history_path(number)));
        let there = paths.take_while(|path| path.exists());
        Box::new(there.map(|path| Ok(read_member(&path)?)))
    }

    fn evidence_names(&self) -> Result<Vec<String>, Failure> {
        Ok(files_in(&self.0.join("evidence"))?.iter().map(|file| shown_name(file)).collect())
    }

    fn evidence(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(read_member(&self.0.join("evidence").join(name))?)
    }

    fn orders(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        self.all("orders")
    }
}

impl Source for DataFolder {
    fn note(&self) -> Result<String, Failure> {
        Ok(self.files().checkpoint()?)
    }

    fn seal(&self) -> Result<(Vec<Certificate>, bool), Failure> {
        Ok((self.files().seal().to_vec(), true))
    }

    fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, Failure> {
        Ok(self.files().old_seals()?)
    }

    fn cosignatures(&self) -> Result<Vec<Named<KeptCosignature>>, Failure> {
        Ok(self.files().cosignatures()?)
    }

    fn forks(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        Ok(self.files().forks()?)
    }

    fn entries(&self, bundle: u64) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.files().entries(bundle)?)
    }

    fn tile(&self, level: u32, index: u64, width: usize) -> Option<Vec<u8>> {
        self.files().tile(level, index, width).ok().flatten()
    }

    fn history(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>, Failure>> + '_> {
        Box::new(self.history_bundles().map(|bundle| Ok(bundle?)))
    }

    fn evidence_names(&self) -> Result<Vec<String>, Failure> {
        self.files().evidence_names().map(|name| Ok(name?.to_string())).collect()
    }

    fn evidence(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let digest = chancery_crypto::Digest::from_hex(name);
        let digest = digest.ok_or_else(|| NodeError::NotFound(name.to_owned()))?;
        Ok(self.files().evidence(&digest)?)
    }

    fn orders(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        let files = self.files();
        let orders = files.order_names().map(|name| {
            let name = name?;
            Ok((name.to_string(), files.order(&name)?))
        });
        orders.collect()
    }
}
