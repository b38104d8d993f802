//! The seals that a ledger has had.

use chancery_certs::{Certificate, Credential};
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{Checkpoint, LogKey};
use chancery_store::{Batch, Read, Table, all};
use serde_bytes::ByteBuf;

use crate::LedgerError;

/// The prefix of keys in [`Table::Meta`] under which the seals' chains are kept.
pub(crate) const SEALS: &[u8] = b"seal ";

/// The key in [`Table::Meta`] of a seal that this ledger has had.
pub(crate) fn seal_key(seal: &Certificate) -> Vec<u8> {
    [SEALS, Digest::of(seal.der()).as_bytes()].concat()
}

/// The chains of all seals that the ledger has had.
///
/// # Errors
/// [`LedgerError::Store`].
pub fn all_seals(store: &(impl Read + ?Sized)) -> Result<Vec<Vec<Certificate>>, LedgerError> {
    let chains = all(store, Table::Meta, SEALS).map(|row| {
        let chain: Vec<ByteBuf> = cbor::decode(&row?.1)?;
        let chain = chain.iter().map(|der| Certificate::from_der(der));
        Ok(chain.collect::<Result<Vec<_>, _>>()?)
    });
    chains.collect()
}

/// Puts a seal's chain where [`all_seals`] finds it.
///
/// # Errors
/// [`LedgerError::Protocol`] never in practice; the form is plain.
pub fn put_seal(chain: &[Certificate], batch: &mut Batch) -> Result<(), LedgerError> {
    let Some(own) = chain.first() else { return Ok(()) };
    let chain: Vec<_> = chain.iter().map(|c| ByteBuf::from(c.der())).collect();
    batch.put(Table::Meta, seal_key(own), cbor::encode(&chain)?);
    Ok(())
}

pub(crate) fn log_key(seal: &Credential) -> Result<LogKey, LedgerError> {
    let origin = Checkpoint::origin_of(seal.name().agency());
    Ok(LogKey::new(&origin, &seal.key().public_key())?)
}
