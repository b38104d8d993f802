//! Where a ledger lies: as the files of an export, or in a node's data folder.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use chancery_bus::NodeError;
use chancery_certs::{Certificate, decode_pem_chain};
use chancery_crypto::cbor;
use chancery_desk::DataFolder;
use chancery_ledger::{CosignedRow, KeptCosignature};
use chancery_protocol::tile::{
    TILE_WIDTH, cosigned_path, entries, entries_path, history_path, tile_path,
};
use chancery_store::files::{every_member, is_stray, read_below};

use crate::failure::{Failure, USAGE};

/// Folders that archivers and disk stations leave in others.
const LEFT_BEHIND: [&str; 2] = ["__macosx", "@eadir"];

/// Something about an export's files that is no part of the ledger.
#[derive(Debug, Clone)]
pub(crate) enum Remark {
    /// It means nothing, and is said: in English and in Chinese.
    Note(String, String),
    /// A file that nothing explains.
    Unexplained(String),
    /// A file that cannot be read as what it should be, and why.
    Unreadable(String, String),
}

/// A named piece of a ledger.
pub(crate) type Named<T> = (String, T);

/// What an audit or an import reads of a ledger.
pub(crate) trait Source: Sync {
    /// The checkpoint's note with its cosignatures.
    fn note(&self) -> Result<String, Failure>;
    /// The seal's chain.
    fn seal(&self) -> Result<Vec<Certificate>, Failure>;
    /// The chains of the seals before it.
    fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, Failure>;
    /// The witnesses' cosignatures.
    fn cosignatures(&self) -> Result<Vec<Named<KeptCosignature>>, Failure>;
    /// The statements by which the cosignatures of the history hold.
    fn statements(&self) -> Result<Vec<Vec<u8>>, Failure>;
    /// The cosignatures of the history, each as it is kept, those of a witness in its order.
    fn cosigned(&self) -> Result<Vec<Vec<u8>>, Failure>;
    /// The proofs of forks.
    fn forks(&self) -> Result<Vec<Named<Vec<u8>>>, Failure>;
    /// The checkpoints of other ledgers that it has seen.
    fn seen(&self) -> Result<Vec<Named<Vec<u8>>>, Failure>;
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
    /// What is to be said of its files, each thing once.
    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }
}

/// An exported ledger.
pub(crate) struct Folder {
    path: PathBuf,
    remarks: Mutex<Vec<Remark>>,
}

impl Folder {
    /// The export in a folder.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, remarks: Mutex::default() }
    }

    fn remark(&self, remark: Remark) {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).push(remark);
    }

    /// What the export holds at a place, as far as a plain file can be read there. What stands there and is none is told, and
    /// counts as missing.
    fn member(&self, below: &Path) -> Result<Option<Vec<u8>>, Failure> {
        match read_below(&self.path, below) {
            Err(error) if error.is_out_of_place() => {
                let name = below.display().to_string();
                self.remark(Remark::Unreadable(name, error.reason()));
                Ok(None)
            }
            read => Ok(Some(read?)),
        }
    }

    /// Whether anything stands at a place, or in the way to it.
    fn is_there(&self, below: &Path) -> bool {
        let in_the_way = |place: &Path| {
            let found = self.path.join(place).symlink_metadata();
            !place.as_os_str().is_empty() && found.is_ok_and(|found| !found.is_dir())
        };
        self.path.join(below).symlink_metadata().is_ok()
            || below.ancestors().skip(1).any(in_the_way)
    }

    /// The files of a folder in it that may be the ledger's.
    fn files(&self, folder: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        let members = match every_member(&self.path.join(folder)) {
            Err(error) if error.is_out_of_place() => {
                self.remark(Remark::Unreadable(folder.to_owned(), error.reason()));
                Vec::new()
            }
            members => members?,
        };
        for file in members {
            let name = shown_name(&file);
            let shown = format!("{folder}/{name}");
            if is_left_behind(&name) {
                self.remark(Remark::Note(
                    format!("{shown} is no file of the ledger and is not looked at"),
                    format!("{shown} 不是账本文件，未作检查"),
                ));
            } else if !is_plain_file(&file) || file.file_name().is_none_or(|f| f.to_str().is_none())
            {
                // No file of a ledger has a name that is no text.
                self.remark(Remark::Unexplained(shown));
            } else {
                files.push(file);
            }
        }
        Ok(files)
    }

    /// The files of a folder in it, with their names and bytes.
    fn all(&self, folder: &str) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        let mut all = Vec::new();
        for file in self.files(folder)? {
            let name = named(folder, &file);
            all.extend(self.member(name.as_ref())?.map(|bytes| (name, bytes)));
        }
        Ok(all)
    }

    /// The certificates of a file. What editors and transfers add to such a file means nothing, and is said; what else it
    /// holds is explained by nothing.
    fn chain(&self, name: &str) -> Result<Vec<Certificate>, Failure> {
        let path = self.path.join(name);
        // Whose ledger it is cannot be said without it, as without certificates in it.
        let bytes = read_below(&self.path, name.as_ref()).map_err(|error| match error {
            error if error.is_out_of_place() => Failure { exit: USAGE, ..error.into() },
            error => error.into(),
        })?;
        let blocks = plain_blocks(&String::from_utf8_lossy(&bytes));
        let chain = decode_pem_chain(match bytes.first() {
            // A certificate in DER.
            Some(0x30) => &bytes,
            _ => blocks.as_bytes(),
        });
        let chain = chain.map_err(|e| Failure::from(e).at(&path))?;
        let plain = chancery_certs::encode_pem_chain(&chain);
        if bytes != plain.as_bytes() {
            self.remark(match blocks == plain {
                true => Remark::Note(
                    format!("{name} holds more than its certificates; it means nothing"),
                    format!("{name} 除证书外还有其他文字，不影响结论"),
                ),
                false => {
                    Remark::Unexplained(format!("what stands in {name} beside the certificates"))
                }
            });
        }
        Ok(chain)
    }
}

/// The blocks of a PEM text, without what readers pass over: a byte order mark, carriage returns, blanks at the ends of
/// lines, blank lines, and text between blocks.
fn plain_blocks(text: &str) -> String {
    let (mut plain, mut inside) = (String::new(), false);
    for line in text.trim_start_matches('\u{feff}').split('\n') {
        let line = line.trim_end_matches(['\r', ' ', '\t']);
        inside |= line.starts_with("-----BEGIN ");
        if inside && !line.is_empty() {
            plain.push_str(line);
            plain.push('\n');
        }
        inside &= !line.starts_with("-----END ");
    }
    plain
}

/// Whether a name is one that operating systems, desktops and version control give to files of their own.
pub(crate) fn is_left_behind(name: &str) -> bool {
    name.starts_with('.')
        || is_stray(name.as_ref())
        || LEFT_BEHIND.contains(&name.to_ascii_lowercase().as_str())
}

/// Whether a file of a folder is one by itself: no link, which could lead anywhere, and no folder.
fn is_plain_file(file: &Path) -> bool {
    file.symlink_metadata().is_ok_and(|found| found.is_file())
}

/// How a file of a folder is shown.
fn named(folder: &str, file: &Path) -> String {
    format!("{folder}/{}", shown_name(file))
}

/// A file's name, to be shown.
pub(crate) fn shown_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Source for Folder {
    fn note(&self) -> Result<String, Failure> {
        let bytes = self.member("checkpoint".as_ref())?.unwrap_or_default();
        // What is no text is signed by nobody, and the audit says so.
        let text = String::from_utf8_lossy(&bytes);
        let plain = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let plain = format!("{}\n", plain.trim_end_matches('\n'));
        if plain != text {
            self.remark(Remark::Note(
                "checkpoint has other line ends, or blank lines, than it was written with; it \
                 means nothing"
                    .into(),
                "checkpoint 的换行或空行与原文不同，不影响结论".into(),
            ));
        }
        Ok(plain)
    }

    fn seal(&self) -> Result<Vec<Certificate>, Failure> {
        self.chain("seal.pem")
    }

    fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, Failure> {
        let mut chains = Vec::new();
        for file in self.files("seals")? {
            let name = named("seals", &file);
            match self.chain(&name) {
                Ok(chain) => chains.push(chain),
                Err(failure) => self.remark(Remark::Unreadable(name, failure.message)),
            }
        }
        Ok(chains)
    }

    fn cosignatures(&self) -> Result<Vec<Named<KeptCosignature>>, Failure> {
        let mut read = Vec::new();
        for (name, bytes) in self.all("witness")? {
            match cbor::decode_open(&bytes, cbor::MAX_BYTES) {
                Ok(kept) => read.push((name, kept)),
                Err(error) => self.remark(Remark::Unreadable(name, error.to_string())),
            }
        }
        Ok(read)
    }

    fn statements(&self) -> Result<Vec<Vec<u8>>, Failure> {
        Ok(self.all("statements")?.into_iter().map(|(_, bytes)| bytes).collect())
    }

    fn cosigned(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let paths = (0..).map(|number| PathBuf::from(cosigned_path(number)));
        let mut all = Vec::new();
        for path in paths.take_while(|path| self.is_there(path)) {
            let Some(bundle) = self.member(&path)? else { break };
            let kept = entries(&bundle).map_err(|e| Failure::from(e).at(&path))?;
            all.extend(kept.iter().map(|one| one.to_vec()));
        }
        Ok(all)
    }

    fn forks(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        self.all("forks")
    }

    fn seen(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        self.all("seen")
    }

    /// The full bundle, or the widest partial one.
    fn entries(&self, bundle: u64) -> Result<Option<Vec<u8>>, Failure> {
        let widths = (1..=TILE_WIDTH).rev();
        let mut paths = widths.map(|width| PathBuf::from(entries_path(bundle, width)));
        match paths.find(|path| self.is_there(path)) {
            Some(path) => self.member(&path),
            None => Ok(None),
        }
    }

    fn tile(&self, level: u32, index: u64, width: usize) -> Option<Vec<u8>> {
        read_below(&self.path, tile_path(level, index, width).as_ref()).ok()
    }

    fn history(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>, Failure>> + '_> {
        let paths = (0..).map(|number| PathBuf::from(history_path(number)));
        let there = paths.take_while(|path| self.is_there(path));
        Box::new(there.map_while(|path| self.member(&path).transpose()))
    }

    fn evidence_names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.files("evidence")?.iter().map(|file| shown_name(file)).collect())
    }

    fn evidence(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(read_below(&self.path, format!("evidence/{name}").as_ref())?)
    }

    fn orders(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        self.all("orders")
    }

    fn remarks(&self) -> Vec<Remark> {
        std::mem::take(&mut self.remarks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Source for DataFolder {
    fn note(&self) -> Result<String, Failure> {
        Ok(self.files().checkpoint()?)
    }

    fn seal(&self) -> Result<Vec<Certificate>, Failure> {
        Ok(self.files().seal().to_vec())
    }

    fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, Failure> {
        Ok(self.files().old_seals()?)
    }

    fn cosignatures(&self) -> Result<Vec<Named<KeptCosignature>>, Failure> {
        Ok(self.files().cosignatures()?)
    }

    fn statements(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let files = self.files();
        let all = files.cosigned()?.filter_map(|row| match row {
            Ok(CosignedRow::Statement(bytes)) => Some(Ok(bytes)),
            Ok(CosignedRow::Cosignature(_)) => None,
            Err(error) => Some(Err(error.into())),
        });
        all.collect()
    }

    fn cosigned(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let files = self.files();
        let all = files.cosigned()?.filter_map(|row| match row {
            Ok(CosignedRow::Cosignature(bytes)) => Some(Ok(bytes)),
            Ok(CosignedRow::Statement(_)) => None,
            Err(error) => Some(Err(error.into())),
        });
        all.collect()
    }

    fn forks(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        Ok(self.files().forks()?)
    }

    fn seen(&self) -> Result<Vec<Named<Vec<u8>>>, Failure> {
        Ok(self.files().seen()?)
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
