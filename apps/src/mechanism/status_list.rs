//! What is valid of a kind of credential, as a list that is signed and read by whoever has no line to the node.
//!
//! The list and the credential are plain JSON of one form each, so that their bytes can be signed, printed and compared. Who has
//! signed them, and whether for this agency, is for whoever reads them to verify before anything here is asked.

use std::collections::BTreeMap;

use chancery_crypto::Digest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::credential::{self, Issued, Status};
use crate::{
    civil::{Instant, Zone},
    kernel,
    state::{Family, Key, Overlay, State, StateError},
};

/// How many credentials stand in a row of two kilobytes: two bits each.
const IN_A_ROW: u64 = 8_192;

/// What the first key of each plain value says.
const LIST: &str = "chancery status list 1";
const CREDENTIAL: &str = "chancery credential 1";

/// The most bytes of a list that are read.
const MOST_BYTES: usize = 8 << 20;

fn row(module: &str, credential: &str, number: u64) -> Key {
    let row = number / IN_A_ROW;
    Key::new(Family::Credential, module).name(credential).id(&format!("list/{row:08}"))
}

/// Where a credential stands in its row: the byte, and by how many bits.
fn place(number: u64) -> (usize, u32) {
    let within = number % IN_A_ROW;
    (usize::try_from(within / 4).unwrap_or(usize::MAX), u32::try_from(within % 4 * 2).unwrap_or(0))
}

fn bits(status: Status) -> u8 {
    match status {
        Status::Valid => 0,
        Status::Revoked => 1,
        Status::Suspended => 2,
    }
}

fn status_of(bits: u8) -> Option<Status> {
    [Status::Valid, Status::Revoked, Status::Suspended]
        .into_iter()
        .find(|one| self::bits(*one) == bits)
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let digit = |of: u8| char::from_digit(u32::from(of), 16).unwrap_or('0');
        text.extend([digit(byte >> 4), digit(byte & 15)]);
        text
    })
}

/// Reads small hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |of: &u8| match of {
        b'0'..=b'9' => Some(of - b'0'),
        b'a'..=b'f' => Some(of - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    let each = pairs.map(|pair| match pair {
        [high, low] => Some((digit(high)? << 4) | digit(low)?),
        _ => None,
    });
    each.collect()
}

/// Notes in the list what became of a credential.
pub(super) fn set(
    overlay: &mut Overlay<'_>,
    module: &str,
    credential: &str,
    number: u64,
    status: Status,
) -> Result<(), StateError> {
    let key = row(module, credential, number);
    let mut bytes = overlay.get(&key)?.unwrap_or_default();
    let (at, by) = place(number);
    if bytes.len() <= at {
        bytes.resize(at + 1, 0);
    }
    if let Some(byte) = bytes.get_mut(at) {
        *byte = (*byte & !(3 << by)) | (bits(status) << by);
    }
    overlay.put(key, bytes);
    Ok(())
}

/// What is valid of a kind of credential, as of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusList {
    format: String,
    /// Whose ledger.
    pub home: String,
    /// The module.
    pub module: String,
    /// The kind.
    pub credential: String,
    /// The number of the decision of the ledger as of which it is: the last that it covers.
    pub entry: u64,
    /// The digest of the module's state then.
    pub state: Digest,
    /// When it was made, in seconds since 1970 UTC.
    pub at: i64,
    /// Until when it may be relied on.
    pub until: i64,
    /// How many credentials it covers.
    pub count: u64,
    /// Two bits each, from the lowest of the first byte on: 0 valid, 1 revoked, 2 suspended; in hexadecimal.
    list: String,
}

/// A credential as it is shown: printed, or carried in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlainCredential {
    format: String,
    /// Whose ledger.
    pub home: String,
    /// The module.
    pub module: String,
    /// The kind.
    pub credential: String,
    /// Its id.
    pub id: String,
    /// Its place in the status list.
    pub number: u64,
    /// To whom.
    pub to: String,
    /// What it says, as people read it.
    pub says: BTreeMap<String, String>,
    /// When it was issued, in seconds since 1970 UTC.
    pub issued: i64,
    /// Up to when it holds, in seconds since 1970 UTC: the end of its last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// What a check without the node comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offline {
    /// It was valid as of the list, and is within its term.
    Valid,
    /// It was suspended as of the list.
    Suspended,
    /// It was revoked as of the list.
    Revoked,
    /// Its term is over.
    Expired,
    /// The list is of another agency, module or kind.
    OtherList,
    /// It was issued after the list was made: a newer list is needed.
    NewerThanList,
    /// The list is too old to be relied on, or from the future: it says nothing.
    StaleList,
}

/// The bytes do not read as what they are to be, or not byte for byte as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no list or credential as they are written")]
pub struct NotPlain;

fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a plain value")
}

/// Reads a value that is written in one form alone.
fn read<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, NotPlain> {
    if bytes.len() > MOST_BYTES {
        return Err(NotPlain);
    }
    let value: T = serde_json::from_slice(bytes).map_err(|_| NotPlain)?;
    if write(&value) == bytes { Ok(value) } else { Err(NotPlain) }
}

impl StatusList {
    /// The list of a kind of credential, as of now. None where nothing was decided yet.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(
        state: &dyn State,
        home: &str,
        (module, credential): (&str, &str),
        at: Instant,
        until: Instant,
    ) -> Result<Option<Self>, StateError> {
        let Some(entry) = kernel::decisions(state)?.checked_sub(1) else { return Ok(None) };
        let count = credential::count(state, module, credential)?;
        let mut list = Vec::new();
        for n in 0..count.div_ceil(IN_A_ROW) {
            let found = state.get(&row(module, credential, n * IN_A_ROW))?;
            list.extend(found.ok_or_else(|| StateError::damaged("a row of a list is missing"))?);
        }
        Ok(Some(Self {
            format: LIST.to_owned(),
            home: home.to_owned(),
            module: module.to_owned(),
            credential: credential.to_owned(),
            entry,
            state: kernel::head(state, module)?.digest,
            at: at.0,
            until: until.0,
            count,
            list: hex(&list),
        }))
    }

    /// Its bytes: the same for whoever makes it as of the same decision for the same time.
    pub fn encode(&self) -> Vec<u8> {
        write(self)
    }

    /// Reads what [`StatusList::encode`] gave, and nothing that says the same in other bytes.
    ///
    /// # Errors
    /// [`NotPlain`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NotPlain> {
        let list: Self = read(bytes)?;
        let length = usize::try_from(list.count.div_ceil(4)).map_err(|_| NotPlain)?;
        let is = list.format == LIST && unhex(&list.list).is_some_and(|of| of.len() == length);
        if is { Ok(list) } else { Err(NotPlain) }
    }

    fn status(&self, number: u64) -> Option<Status> {
        let at = usize::try_from(number / 4).ok()?;
        let byte = unhex(self.list.get(at * 2..at * 2 + 2)?)?;
        status_of((byte.first()? >> (number % 4 * 2)) & 3)
    }

    /// Whether a credential holds at a moment, by this list alone.
    pub fn check(&self, credential: &PlainCredential, at: Instant) -> Offline {
        let own = (&self.home, &self.module, &self.credential);
        if own != (&credential.home, &credential.module, &credential.credential) {
            return Offline::OtherList;
        }
        let status = (credential.number < self.count).then(|| self.status(credential.number));
        match status.flatten() {
            // What was revoked stays so, however old the list is.
            Some(Status::Revoked) => Offline::Revoked,
            _ if at.0 < self.at || at.0 >= self.until => Offline::StaleList,
            None => Offline::NewerThanList,
            Some(Status::Suspended) => Offline::Suspended,
            Some(Status::Valid) if credential.until.is_some_and(|until| at.0 >= until) => {
                Offline::Expired
            }
            Some(Status::Valid) => Offline::Valid,
        }
    }
}

impl PlainCredential {
    /// A credential as it is shown. None when there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(
        state: &dyn State,
        home: &str,
        (module, credential): (&str, &str),
        id: &str,
        zone: Zone,
    ) -> Result<Option<Self>, StateError> {
        let Some(issued) = Issued::of(state, module, credential, id)? else { return Ok(None) };
        let says = issued.fields.iter().map(|(name, value)| (name.clone(), value.to_string()));
        Ok(Some(Self {
            format: CREDENTIAL.to_owned(),
            home: home.to_owned(),
            module: module.to_owned(),
            credential: credential.to_owned(),
            id: id.to_owned(),
            number: issued.number,
            to: issued.to,
            says: says.collect(),
            issued: issued.issued,
            until: issued.until.map(|day| zone.end(day).0),
        }))
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        write(self)
    }

    /// Reads what [`PlainCredential::encode`] gave.
    ///
    /// # Errors
    /// [`NotPlain`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NotPlain> {
        let one: Self = read(bytes)?;
        if one.format == CREDENTIAL { Ok(one) } else { Err(NotPlain) }
    }
}
