//! Whether the ledger in the store is the one that others have seen. A disk that is not mounted, an old backup, a copy that is
//! started twice: each is a sound ledger by itself, and the first entry sealed in it is a second history, which nothing
//! takes back. So peers are asked before the first seal of every start, and what the node itself noted outside of its data
//! folder is compared.
//!
//! What is found falls in three: the ledger is the one that was seen, and it goes on; it is older, or another, which somebody
//! proves with this agency's own seal, and nothing is sealed; or nobody can say, and then it depends on whether there is a
//! reason for doubt. See [`Hearing::decide`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, PathReason, Uncovered};

use chancery_protocol::{
    Checkpoint, MessageFault, PeerMessage, ProtocolError, SealedNote, Validation, decode_frame,
    encode_frame,
};

use tokio::task::JoinSet;

use crate::{
    Bus, NodeError,
    endpoint::write,
    frames::{FrameKind, read_frame},
    outbound, witness,
};
use chancery_ledger::{ContinuityState, LedgerView, cosignatures, unix_now};
use chancery_store::{
    Blocking, blocking,
    files::{Staged, read_text},
    in_place,
};

/// For how long a ledger that nobody has reason to doubt waits for its peers. What comes meanwhile waits with it.
const GRACE: Duration = Duration::from_secs(2);

/// For how long a ledger that there is reason to doubt waits for the others once one has answered. A peer that is never
/// reached keeps nobody out.
const OTHERS: Duration = Duration::from_secs(30);

/// Peers that are asked, beyond those who have witnessed this ledger or exchanged with it.
const ENOUGH: usize = 8;

/// The most that are asked, beyond those who are connected.
const MOST: usize = 64;

/// The most of those with whom it has exchanged that are looked at.
const MANY: usize = 4096;

/// How long a peer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at what has come.
const LOOK: Duration = Duration::from_millis(50);

/// The same when nobody waits any more.
const SLOW_LOOK: Duration = Duration::from_secs(1);

/// Between two attempts at a peer.
const AGAIN: Duration = Duration::from_secs(2);

/// Between two writes of the mark.
const MARK_EVERY: Duration = Duration::from_secs(10);

/// What `node init` writes into the mark.
const FRESH: &str = "no entries yet\n";

/// The file in a data folder that was restored from a backup, until it is known to be the newest.
const RESTORED: &str = "restored";

/// What a checkpoint that was seen says of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// The ledger is that one, or has grown out of it.
    Fits,
    /// The ledger had more entries.
    Larger,
    /// The ledger had other entries.
    Other,
}

fn compare(ledger: &LedgerView, seen: &Checkpoint) -> Result<Sight, NodeError> {
    let (growths, own) = ledger.growth(&[seen.size])?;
    Ok(match growths.first() {
        _ if seen.origin != own.checkpoint.origin => Sight::Other,
        None => Sight::Larger,
        Some(growth) if growth.old_root == seen.root => Sight::Fits,
        Some(_) => Sight::Other,
    })
}

/// What a node has noted of its ledger outside of its data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Nothing can be said: an older version noted nothing, or the file cannot be read.
    Unknown,
    /// The node was made, and has sealed nothing yet.
    Fresh,
    /// It had sealed this.
    Sealed(Checkpoint),
}

impl Mark {
    /// Reads the mark.
    ///
    /// # Errors
    /// [`NodeError::Store`] when there is one that may not be read.
    pub fn read(path: &Path) -> Result<Self, NodeError> {
        let text = match read_text(path) {
            Err(error) if error.is_not_found() => {
                return Ok(Self::Unknown);
            }
            text => text?,
        };
        if text == FRESH {
            return Ok(Self::Fresh);
        }
        match Checkpoint::read_unverified(&text) {
            Ok(checkpoint) => Ok(Self::Sealed(checkpoint)),
            Err(error) => {
                if !text.is_empty() {
                    tracing::warn!(mark = %path.display(), %error, "the mark cannot be read; it is made anew");
                }
                Ok(Self::Unknown)
            }
        }
    }

    /// Refuses to begin a ledger where one was begun before and is not there. Nothing is made or changed by looking.
    ///
    /// # Errors
    /// [`NodeError::LedgerMissing`].
    pub fn require(&self, mark: &Path, data: &Path) -> Result<(), NodeError> {
        match self {
            Self::Sealed(seen) if seen.size > 0 && !data.join("store").join("CURRENT").exists() => {
                Err(NodeError::LedgerMissing {
                    data: data.to_owned(),
                    mark: mark.to_owned(),
                    entries: seen.size,
                })
            }
            _ => Ok(()),
        }
    }
}

/// What `node init` writes where the node will note what it has sealed.
pub const NEW_MARK: &str = FRESH;

/// Writes the newest checkpoint where a lost disk does not take it along. The folder may be one that the node may not write
/// to, when the file itself is one that it may.
fn write_mark(path: &Path, note: &str) -> Result<(), NodeError> {
    match Staged::replacing(path, 0o600) {
        Ok((staged, mut file)) => {
            let written = file.write_all(note.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(NodeError::file(staged.path()))?;
            Ok(staged.replace()?)
        }
        Err(_) => {
            // It has a positive value.
            let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
            let mut options = OpenOptions::new();
            let file = options.write(true).truncate(true).custom_flags(flags).open(path);
            let mut file = file.map_err(NodeError::file(path))?;
            let written = file.write_all(note.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(NodeError::file(path))
        }
    }
}

/// Says in a data folder that is being restored that it came out of a backup.
pub fn note_restored(folder: &Path) -> Result<(), NodeError> {
    Ok(chancery_store::files::write_new(&folder.join(RESTORED), b"")?)
}

/// What is known while peers are asked.
#[derive(Debug, Default)]
struct Hearing {
    /// Why this may not be the newest ledger, when there is a reason to think so.
    doubt: Option<String>,
    /// Whether it has entries.
    entries: bool,
    /// Whether the operator answers for it.
    alone: bool,
    /// Whether a directory says who its peers are.
    directory: bool,
    /// Those who are asked, and what they have said.
    asked: BTreeMap<AgencyName, Option<Word>>,
}

/// What a peer has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It has seen nothing that is not in this ledger.
    Nothing,
    /// It asks about a size that this ledger does not have, and shows no checkpoint of it: peers of the release before
    /// cannot.
    Claims(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Open,
    /// It waits. With a reason, nobody else waits with it.
    Wait(Option<String>),
}

impl Hearing {
    /// Whether the ledger goes on. A proof that it is not the newest is acted upon as it comes; this is about the rest.
    ///
    /// - Without any reason for doubt it goes on as soon as more than half of those who were asked have seen nothing newer, and
    ///   after two seconds whatever they say: it is the ledger that stood here when the node stopped, and a network that is
    ///   down must not keep an agency from its own work.
    /// - With a reason (it was restored; or it is empty, and it is not known that none was begun), at least one must have said
    ///   so, and the others have half a minute: a peer that is never reached keeps nobody out. When nobody answers, only the
    ///   operator can say that there is nothing to wait for.
    /// - Who has given no receipt and has no peer may start. Who holds no directory does not know whether he has one.
    /// - What is claimed and not shown counts as long as it is not outvoted: one liar keeps nobody out either. Without a reason
    ///   for doubt it counts after two seconds only when more than half of all who were asked say so.
    fn decide(&self, elapsed: Duration) -> Decision {
        if self.alone {
            return Decision::Open;
        }
        let words: Vec<_> = self.asked.values().flatten().collect();
        let claims = words.iter().filter_map(|word| match word {
            Word::Claims(size) => Some(*size),
            Word::Nothing => None,
        });
        let (claimed, newest) = claims.fold((0, 0), |(n, most), size| (n + 1, most.max(size)));
        let outvoted = match &self.doubt {
            None if elapsed >= GRACE => 2 * claimed <= self.asked.len(),
            _ => 2 * claimed < words.len(),
        };
        if claimed > 0 && !outvoted {
            let why = format!(
                "{claimed} of {} peers that have answered say that it had {newest} entries, more than there are, and cannot \
                 show it",
                words.len()
            );
            return Decision::Wait(Some(why));
        }
        if self.asked.is_empty()
            && let Some(why) = &self.doubt
            && !self.directory
        {
            let whom = "without a valid directory it is not known whom to ask";
            return Decision::Wait((elapsed >= GRACE).then(|| format!("{why}; {whom}")));
        }
        if self.asked.is_empty() && !(self.doubt.is_some() && self.entries) {
            return Decision::Open;
        }
        let all = words.len() == self.asked.len() && !words.is_empty();
        match &self.doubt {
            None if 2 * words.len() > self.asked.len() || elapsed >= GRACE => Decision::Open,
            None => Decision::Wait(None),
            Some(_) if all || (!words.is_empty() && elapsed >= OTHERS) => Decision::Open,
            Some(why) => {
                let heard = format!("{} of {} peers have answered", words.len(), self.asked.len());
                Decision::Wait((elapsed >= GRACE).then(|| format!("{why}; {heard}")))
            }
        }
    }
}

/// Why there is doubt about a ledger, if there is.
fn doubt(mark: &Mark, entries: u64, restored: bool) -> Option<String> {
    match mark {
        _ if restored => Some("it was restored from a backup".to_owned()),
        Mark::Unknown if entries == 0 => Some(
            "it is empty, and it is not known whether this node has begun one before".to_owned(),
        ),
        // What the mark says is compared with what is there.
        _ => None,
    }
}

/// Compares the ledger with the node's own mark, and closes it until peers were asked.
///
/// # Errors
/// [`NodeError::Store`].
pub(crate) fn begin(here: &Blocking, bus: &Bus, mark: &Mark) -> Result<(), NodeError> {
    let continuity = bus.ledger.continuity();
    continuity.set(ContinuityState::Asking);
    if let Mark::Sealed(seen) = mark {
        let by = bus.config.files.mark.display().to_string();
        found(here, bus, &by, seen)?;
    }
    Ok(())
}

/// Somebody shows a checkpoint of this ledger. Says whether the ledger is that one.
fn found(here: &Blocking, bus: &Bus, by: &str, seen: &Checkpoint) -> Result<bool, NodeError> {
    let sight = compare(bus.ledger.view(here), seen)?;
    let own = bus.ledger.checkpoint().checkpoint.size;
    let why = match sight {
        Sight::Fits => return Ok(true),
        Sight::Larger => format!(
            "this ledger has {own} entries, and {by} shows that it had {} (missing at its end: {})",
            seen.size,
            seen.size.saturating_sub(own)
        ),
        Sight::Other => format!(
            "this ledger and the one that {by} shows have different entries among their first {}",
            seen.size
        ),
    };
    let continuity = bus.ledger.continuity();
    if !matches!(continuity.state(), ContinuityState::Behind(_)) {
        tracing::error!(
            why,
            code = "CHY-4042",
            "this is not the newest ledger: nothing is sealed, and no receipt is given; what is here can be read"
        );
    }
    continuity.set(ContinuityState::Behind(why));
    Ok(false)
}

/// Whom to ask: those who are connected, have witnessed the ledger, are named to do so, relay for it or have exchanged with it,
/// and some others when these are few. Who is behind a relay can be asked when it has connected.
fn all_to_ask(here: &Blocking, bus: &Bus) -> Result<BTreeSet<AgencyName>, NodeError> {
    let own = &bus.identity.agency;
    let connected = bus.connections.peers();
    let Ok(directory) = bus.directory() else {
        // Whoever is connected can be asked all the same.
        return Ok(connected.into_iter().collect());
    };
    let direct = |name: &AgencyName| {
        *name != *own
            && directory.peer(name).is_ok()
            && (directory.routes().next_hop(own, name) == *name
                || bus.connections.get(name).is_some())
    };
    let witnesses = cosignatures(bus.store.on(here))?.into_iter().map(|(witness, _)| witness);
    let named = directory.witnesses(own);
    let relay = directory.peer(own).ok().and_then(|entry| entry.via.clone());
    let known = witness::known_peers(bus.store.on(here), MANY)?;
    let others: Vec<_> = directory.peers().map(|(name, _)| name.clone()).filter(direct).collect();
    let likely = witnesses.chain(named).chain(relay).chain(known).filter(direct);
    Ok(chosen(connected, likely, others))
}

/// All who are connected; of those who may have seen the ledger the first, the likeliest coming first; and others when these are few.
fn chosen(
    connected: Vec<AgencyName>,
    likely: impl IntoIterator<Item = AgencyName>,
    others: impl IntoIterator<Item = AgencyName>,
) -> BTreeSet<AgencyName> {
    let mut all: BTreeSet<_> = connected.into_iter().collect();
    let mut room = MOST;
    for name in likely {
        if room == 0 {
            break;
        }
        room -= usize::from(all.insert(name));
    }
    for name in others {
        if all.len() >= ENOUGH {
            break;
        }
        all.insert(name);
    }
    all
}

/// What one peer was asked.
enum Answered {
    /// It has seen nothing that is not here.
    Fits,
    /// It has, and has shown it.
    Shown,
    /// It is of a release that cannot say.
    CannotSay,
    /// It says so, and what it shows proves nothing.
    Says(u64),
}

/// Asks a peer for the newest checkpoint of this ledger that it has seen.
async fn ask(bus: &Arc<Bus>, peer: &AgencyName) -> Result<Answered, NodeError> {
    let connection = outbound::connect_to(bus, peer).await?;
    let failed = |why: String| NodeError::Network { peer: peer.to_string(), why };
    let question = async {
        let (mut send, mut recv) = connection.open_bi().await.map_err(|e| failed(e.to_string()))?;
        write(&mut send, &encode_frame(&PeerMessage::AskSeen)?, peer).await?;
        // It only fails when the peer has gone, and then it is asked again.
        drop(send.finish());
        let budget = bus.frames.of(peer);
        let (body, _permit) = read_frame(&mut recv, peer, FrameKind::Seen, &budget).await?;
        Ok::<_, NodeError>(decode_frame::<PeerMessage>(&body)?)
    };
    let answer = tokio::time::timeout(PATIENCE, question).await;
    match answer.map_err(|_| failed("it fell silent".into()))?? {
        PeerMessage::Seen { sealed: None } => Ok(Answered::Fits),
        PeerMessage::Seen { sealed: Some(sealed) } => {
            let (work, peer) = (bus.clone(), peer.clone());
            blocking(move |here| judge(here, &work, &peer, &sealed)).await
        }
        PeerMessage::Refuse(_) => Ok(Answered::CannotSay),
        _ => Err(ProtocolError::from(MessageFault::NotTheAnswer).into()),
    }
}

/// Judges what a peer shows. Only this agency's own seal can say what its ledger was.
fn judge(
    here: &Blocking,
    bus: &Bus,
    peer: &AgencyName,
    sealed: &SealedNote,
) -> Result<Answered, NodeError> {
    let crls = bus.crls();
    let plain = Validation::new(&bus.identity.trust, unix_now());
    // Whoever has a seal that was revoked could make up any ledger with it.
    let by = Validation { crls: &crls, uncovered: Uncovered::Passes, ..plain };
    let seen = match sealed.open_then(&bus.identity.agency, &by) {
        Err(ProtocolError::Path(error)) if error.reason == PathReason::Revoked => {
            let size = Checkpoint::read_unverified(&sealed.note)?.size;
            tracing::warn!(%peer, size, %error, "a peer shows a checkpoint of this ledger under a seal that was revoked");
            return Ok(Answered::Says(size));
        }
        seen => seen?,
    };
    match found(here, bus, peer.as_str(), &seen.checkpoint)? {
        true => Ok(Answered::Fits),
        false => Ok(Answered::Shown),
    }
}

/// A peer as it was asked.
#[derive(Debug, Default)]
struct Asked {
    word: Option<Word>,
    /// When it was asked last, and how often so far.
    tried: Option<Instant>,
    attempts: u32,
    /// Whether it was connected then.
    connected: bool,
    /// Whether it has answered, or can never answer. What it asks about is not taken for more than what it has shown then.
    done: bool,
}

impl Asked {
    /// Whether it is to be asked, now that it is connected or not: one that has just come need not wait.
    fn is_due(&self, connected: bool) -> bool {
        let pause = AGAIN * 2u32.saturating_pow(self.attempts.saturating_sub(1).min(5));
        let waited = self.tried.is_none_or(|at| at.elapsed() >= pause);
        !self.done && (waited || (connected && !self.connected))
    }

    /// It has asked about a size. Peers of the release before say no more than that; others are asked to show it.
    fn asks_about(&mut self, size: u64, own: u64) {
        if size <= own {
            self.word.get_or_insert(Word::Nothing);
        } else if self.word != Some(Word::Claims(size)) {
            *self = Self { word: Some(Word::Claims(size)), ..Self::default() };
        }
    }

    fn answered(&mut self, answer: &Answered, own: u64) {
        self.done = true;
        match answer {
            Answered::Fits => self.word = Some(Word::Nothing),
            Answered::Says(size) if *size <= own => self.word = Some(Word::Nothing),
            Answered::Says(size) => self.word = Some(Word::Claims(*size)),
            Answered::Shown | Answered::CannotSay => {}
        }
    }
}

/// Asks peers until the ledger may go on, and afterwards everybody who connects for the first time: a peer that was away may be
/// the one that has seen more.
pub(crate) async fn keep_asking(bus: Arc<Bus>, mark: Mark) {
    let mut stop = bus.stop.subscribe();
    let continuity = bus.ledger.continuity().clone();
    let restored = bus.config.files.data.join(RESTORED);
    let begun = Instant::now();
    let entries = bus.ledger.checkpoint().checkpoint.size;
    let reason = doubt(&mark, entries, restored.exists());
    let mut asked: BTreeMap<AgencyName, Asked> = BTreeMap::new();
    let mut asking: JoinSet<(AgencyName, Result<Answered, NodeError>)> = JoinSet::new();
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Some(done) = asking.join_next(), if !asking.is_empty() => match done {
                Ok((peer, Ok(answer))) => {
                    let own = bus.ledger.checkpoint().checkpoint.size;
                    asked.entry(peer).or_default().answered(&answer, own);
                }
                Ok((peer, Err(error))) => {
                    tracing::debug!(%peer, %error, "a peer does not say what it has seen");
                }
                Err(error) => tracing::error!(%error, "asking a peer ended badly"),
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let own = bus.ledger.checkpoint().checkpoint.size;
        for (peer, size) in continuity.take_asked_about() {
            asked.entry(peer).or_default().asks_about(size, own);
        }
        if matches!(continuity.state(), ContinuityState::Behind(_) | ContinuityState::Stopped) {
            // Who else has seen what is of no matter any more.
            asking.shutdown().await;
            drop(stop.wait_for(|stop| *stop).await);
            return;
        }
        let open = continuity.is_open();
        pause = if begun.elapsed() < 2 * GRACE && !open { LOOK } else { SLOW_LOOK };
        let mut whom: BTreeSet<_> = bus.connections.peers().into_iter().collect();
        if !open {
            match in_place(|here| all_to_ask(here, &bus)) {
                Ok(all) => whom = all,
                Err(error) => tracing::error!(%error, "it is not known whom to ask"),
            }
        }
        for peer in &whom {
            let one = asked.entry(peer.clone()).or_default();
            let connected = bus.connections.get(peer).is_some();
            if !one.is_due(connected) {
                continue;
            }
            one.connected = connected;
            (one.tried, one.attempts) = (Some(Instant::now()), one.attempts.saturating_add(1));
            let (work, peer) = (bus.clone(), peer.clone());
            asking.spawn(async move {
                let answer = ask(&work, &peer).await;
                (peer, answer)
            });
        }
        if open {
            continue;
        }
        let word = |peer: &AgencyName| asked.get(peer).and_then(|one| one.word);
        let hearing = Hearing {
            doubt: reason.clone(),
            entries: entries > 0,
            alone: continuity.is_alone(),
            directory: bus.directory().is_ok(),
            asked: whom.iter().map(|peer| (peer.clone(), word(peer))).collect(),
        };
        let (all, heard) = (whom.len(), hearing.asked.values().flatten().count());
        match hearing.decide(begun.elapsed()) {
            Decision::Open => {
                match hearing.alone {
                    true => tracing::warn!(
                        asked = all,
                        heard,
                        "the operator says that no peer is to be waited for"
                    ),
                    false => tracing::info!(asked = all, heard, "the ledger goes on"),
                }
                if restored.exists()
                    && let Err(error) = std::fs::remove_file(&restored)
                {
                    tracing::warn!(%error, file = %restored.display(), "it could not be removed");
                }
                continuity.set(ContinuityState::Open);
            }
            Decision::Wait(None) => {}
            Decision::Wait(Some(why)) => {
                if !matches!(continuity.state(), ContinuityState::Unheard(_)) {
                    tracing::error!(
                        why,
                        code = "CHY-4043",
                        "it is not known whether this is the newest ledger: nothing is sealed until peers say so"
                    );
                }
                continuity.set(ContinuityState::Unheard(why));
            }
        }
    }
}

/// Notes what was sealed outside of the data folder, now and then, for as long as the node runs, and once more at its end.
pub(crate) async fn keep_mark(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    let path: PathBuf = bus.config.files.mark.clone();
    let mut changed = bus.store.watch();
    changed.mark_changed();
    let mut marked = None;
    let mut said = false;
    loop {
        let stopping = tokio::select! {
            _ = changed.changed() => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        let newest = bus.ledger.checkpoint();
        let size = newest.checkpoint.size;
        if size > 0 && marked != Some(size) && bus.ledger.continuity().is_open() {
            let (to, note) = (path.clone(), newest.note);
            match blocking(move |_| write_mark(&to, &note)).await {
                Ok(()) => marked = Some(size),
                Err(error) if !std::mem::replace(&mut said, true) => tracing::warn!(
                    %error, mark = %path.display(),
                    "what is sealed cannot be noted outside of the data folder; see \"A lost disk\" in docs/operators.md"
                ),
                Err(_) => {}
            }
        }
        if stopping {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(MARK_EVERY), if marked.is_some() || said => {}
            () = std::future::ready(()), if marked.is_none() && !said => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::{Credential, Issuer, Profile, Subject};
    use chancery_crypto::{Algorithm, Digest, SigningKey};
    use chancery_protocol::{EnvelopeId, Event, Leaf};

    use super::*;
    use chancery_ledger::{Commit, Ledger, LedgerError, Outcome};
    use chancery_store::{MemoryStore, StoreError, Table};

    fn name(n: usize) -> AgencyName {
        format!("p{n}.cn").parse().expect("a name")
    }

    /// What peers have said: `.` nothing yet, `0` that they have seen nothing newer, another digit that they have.
    fn hearing(doubt: bool, entries: bool, words: &str) -> Hearing {
        let word = |digit: char| match digit {
            '.' => None,
            '0' => Some(Word::Nothing),
            size => Some(Word::Claims(u64::from(u32::from(size)))),
        };
        Hearing {
            doubt: doubt.then(|| "a reason".to_owned()),
            entries,
            alone: false,
            directory: true,
            asked: words.chars().enumerate().map(|(n, w)| (name(n), word(w))).collect(),
        }
    }

    #[test]
    fn a_ledger_goes_on_when_peers_say_so_or_nobody_has_a_reason_to_ask_them() {
        let open = |hearing: &Hearing, seconds: u64| {
            hearing.decide(Duration::from_secs(seconds)) == Decision::Open
        };
        let plain = |words: &str, seconds| open(&hearing(false, true, words), seconds);
        assert!(plain("", 0), "nobody is known");
        assert!(plain("0", 0) && plain("00.", 0) && plain("0.0", 0), "more than half say so");
        assert!(
            !plain(".", 0) && !plain("0.", 1) && !plain("0...", 1),
            "the others are waited for …"
        );
        assert!(
            plain(".", 2) && plain("....", 2),
            "… for a moment: a network that is down stops nobody"
        );
        let doubtful = |words: &str, seconds| open(&hearing(true, true, words), seconds);
        assert!(!doubtful("", 86_400) && !doubtful(".", 86_400), "nobody says so");
        assert!(doubtful("0", 0) && doubtful("000", 0));
        assert!(!doubtful("00.", 29), "the one that is missing may have seen more");
        assert!(doubtful("00.", 30), "one that is never reached keeps nobody out");
        // Who has given no receipt, and has no peer.
        assert!(open(&hearing(true, false, ""), 0) && !open(&hearing(true, false, "."), 86_400));
        // Who holds no directory does not know whether he has one.
        let blind =
            |doubt, words: &str| Hearing { directory: false, ..hearing(doubt, false, words) };
        assert!(!open(&blind(true, ""), 0) && !open(&blind(true, ""), 86_400));
        assert!(open(&blind(true, "0"), 0) && open(&blind(false, ""), 0));
    }

    #[test]
    fn those_who_are_connected_are_asked_and_of_others_the_likeliest() {
        let names = |range: std::ops::Range<usize>| range.map(name).collect::<Vec<_>>();
        // The witness, of a name that comes last, before a crowd of those it has once exchanged with.
        let likely = std::iter::once("z.cn".parse().expect("a name")).chain(names(0..200));
        let asked = chosen(names(500..503), likely, names(600..700));
        assert_eq!(asked.len(), MOST + 3);
        let asks = |name: &str| asked.iter().any(|one| one.as_str() == name);
        assert!(asks("z.cn") && asks("p500.cn") && asks("p502.cn") && !asks("p600.cn"));
        assert_eq!(chosen(Vec::new(), names(0..1), names(600..700)).len(), ENOUGH);
    }

    #[test]
    fn what_is_claimed_and_not_shown_counts_until_it_is_outvoted() {
        let decide =
            |doubt, words: &str| hearing(doubt, true, words).decide(Duration::from_secs(86_400));
        for (doubt, words) in [
            (true, "5"),
            (true, "05"),
            (true, "055"),
            (true, "5..."),
            (false, "5"),
            (false, "055"),
            (false, "55."),
        ] {
            let Decision::Wait(Some(why)) = decide(doubt, words) else { panic!("{words} goes on") };
            assert!(why.contains("53 entries"), "{why}");
        }
        // Where there is no reason for doubt, it takes more than half of all, whoever of them answers.
        for words in ["05", "5...", "55.."] {
            assert_eq!(decide(false, words), Decision::Open, "{words}");
            let at_once = hearing(false, true, words).decide(Duration::ZERO);
            assert!(matches!(at_once, Decision::Wait(Some(_))), "{words}: {at_once:?}");
        }
        for doubt in [false, true] {
            assert_eq!(decide(doubt, "005"), Decision::Open, "one liar keeps nobody out");
        }
        let operator = Hearing { alone: true, ..hearing(true, true, "5.") };
        assert_eq!(operator.decide(Duration::ZERO), Decision::Open);
    }

    #[test]
    fn while_others_wait_only_for_a_moment_the_reason_is_said_afterwards() {
        let wait = |seconds| hearing(true, true, "..").decide(Duration::from_secs(seconds));
        assert_eq!(wait(1), Decision::Wait(None));
        let said = "a reason; 0 of 2 peers have answered".to_owned();
        assert_eq!(wait(2), Decision::Wait(Some(said)));
    }

    #[test]
    fn doubt_needs_a_reason() {
        let sealed = Mark::Sealed(Checkpoint {
            origin: "a.gov.cn/ledger".into(),
            size: 3,
            root: Digest::of(b""),
        });
        for (mark, entries, restored, want) in [
            (&Mark::Fresh, 0, false, false),
            (&Mark::Unknown, 0, false, true),
            (&Mark::Unknown, 3, false, false),
            (&sealed, 3, false, false),
            (&sealed, 3, true, true),
            (&Mark::Fresh, 3, true, true),
        ] {
            assert_eq!(
                doubt(mark, entries, restored).is_some(),
                want,
                "{mark:?} {entries} {restored}"
            );
        }
    }

    #[test]
    fn a_peer_is_asked_again_less_and_less_often_and_anew_when_it_claims_more() {
        let mut one = Asked::default();
        assert!(one.is_due(false));
        (one.tried, one.attempts) = (Some(Instant::now()), 1);
        assert!(!one.is_due(false));
        one.tried = Instant::now().checked_sub(AGAIN);
        assert!(one.is_due(false));
        one.attempts = 4;
        assert!(!one.is_due(false), "sixteen seconds");
        assert!(one.is_due(true), "it has just come");
        one.connected = true;
        assert!(!one.is_due(true));
        one.answered(&Answered::Fits, 7);
        assert!(!one.is_due(false) && one.word == Some(Word::Nothing));
        one.asks_about(7, 7);
        assert_eq!(one.word, Some(Word::Nothing));
        one.asks_about(8, 7);
        assert!(one.is_due(false) && one.word == Some(Word::Claims(8)), "it is to show it");
        one.answered(&Answered::CannotSay, 7);
        one.asks_about(8, 7);
        assert!(!one.is_due(false) && one.word == Some(Word::Claims(8)), "it cannot");
        let mut old = Asked::default();
        old.answered(&Answered::CannotSay, 7);
        assert_eq!(old.word, None, "it has said nothing");
        old.asks_about(7, 7);
        assert_eq!(old.word, Some(Word::Nothing), "it asks about nothing that is not here");
    }

    fn seal() -> Arc<Credential> {
        let now = unix_now();
        let agency: AgencyName = "a.gov.cn".parse().expect("a name");
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, now).expect("a root");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let subject = Subject::agency(Profile::Seal, agency, "A");
        let cert = root.issue(&subject, &key.public_key(), now).expect("a seal");
        Arc::new(Credential::new(key, vec![cert]).expect("a credential"))
    }

    fn entry(n: u64) -> Commit {
        let digest = Digest::of(&n.to_be_bytes());
        let leaf = Leaf {
            event: Event::SubmissionAcceptance,
            envelope: EnvelopeId::from_slice(digest.as_bytes()).expect("32 bytes"),
            commitment: digest,
            counterpart: "b.gov.cn".parse().expect("a name"),
            time: unix_now(),
            evidence: None,
        };
        Commit { leaves: vec![leaf], ..Commit::default() }
    }

    async fn ledger_of(entries: std::ops::Range<u64>) -> Ledger {
        let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
        for n in entries {
            ledger.commit(entry(n)).await.expect("commits");
        }
        ledger
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ledger_is_the_one_that_was_seen_or_smaller_or_another() {
        let ledger = ledger_of(0..5).await;
        let small = ledger_of(0..0).await;
        let own = ledger.checkpoint().checkpoint;
        let sight =
            |seen: &Checkpoint| in_place(|here| compare(ledger.view(here), seen)).expect("reads");
        assert_eq!(
            (sight(&own), sight(&small.checkpoint().checkpoint)),
            (Sight::Fits, Sight::Fits)
        );
        let more = Checkpoint { size: 6, ..own.clone() };
        assert_eq!(sight(&more), Sight::Larger);
        let other = Checkpoint { root: Digest::of(b"other"), ..own.clone() };
        assert_eq!(sight(&other), Sight::Other);
        let before = Checkpoint { size: 3, ..own.clone() };
        assert_eq!(sight(&before), Sight::Other, "that small it had another root");
        let elsewhere = Checkpoint { origin: "b.gov.cn/ledger".into(), ..own };
        assert_eq!(sight(&elsewhere), Sight::Other);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn entries_wait_while_peers_are_asked_and_are_refused_when_it_is_not_the_newest() {
        let ledger = ledger_of(0..1).await;
        let continuity = ledger.continuity().clone();
        continuity.set(ContinuityState::Asking);
        assert!(continuity.check().is_ok() && !continuity.is_open());
        let commit = ledger.commit(entry(1));
        tokio::pin!(commit);
        let early = tokio::time::timeout(Duration::from_millis(50), &mut commit).await;
        assert!(early.is_err(), "it waits");
        continuity.set(ContinuityState::Open);
        assert!(matches!(commit.await, Ok(Outcome::Committed(_))));

        continuity.set(ContinuityState::Unheard("nobody answers".into()));
        let refused = ledger.commit(entry(2)).await.expect_err("not known");
        assert_eq!(refused.code(), "CHY-4043");
        continuity.set(ContinuityState::Behind("older".into()));
        continuity.set(ContinuityState::Open);
        let refused = ledger.commit(entry(2)).await.expect_err("what is proved stays so");
        assert_eq!((refused.code(), ledger.checkpoint().checkpoint.size), ("CHY-4042", 2));
        assert_eq!(continuity.behind().await.code(), "CHY-4042");
        // What makes no entry is written, and it is no reason to stop.
        let mut plain = Commit::default();
        plain.batch.put(Table::Meta, *b"x", *b"y");
        ledger.commit(plain).await.expect("it is no entry");
        assert_eq!(*ledger.failure().borrow(), None);
        in_place(|here| ledger.close(here));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_can_be_stopped_while_it_asks() {
        let ledger = Arc::new(ledger_of(0..0).await);
        ledger.continuity().set(ContinuityState::Asking);
        let work = ledger.clone();
        let waiting = tokio::spawn(async move { work.commit(entry(0)).await });
        tokio::pin!(waiting);
        let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
        assert!(early.is_err(), "it waits");
        let closing = ledger.clone();
        tokio::task::spawn_blocking(move || in_place(|here| closing.close(here)))
            .await
            .expect("it ends");
        assert_eq!(waiting.await.expect("ends").expect_err("stopping").code(), "CHY-4006");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_mark_is_what_was_sealed_and_a_ledger_that_is_gone_is_not_begun_anew() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let (path, data) = (dir.path().join("ledger.mark"), dir.path().join("data"));
        let refused = |mark: &Mark| mark.require(&path, &data).map_err(|error| error.code());
        assert_eq!(Mark::read(&path).expect("reads"), Mark::Unknown);
        chancery_store::files::write_new(&path, NEW_MARK.as_bytes()).expect("writes");
        assert_eq!(Mark::read(&path).expect("reads"), Mark::Fresh);
        assert_eq!(refused(&Mark::Fresh), Ok(()));

        let ledger = ledger_of(0..3).await;
        write_mark(&path, &ledger.checkpoint().note).expect("writes");
        let mark = Mark::read(&path).expect("reads");
        assert_eq!(mark, Mark::Sealed(ledger.checkpoint().checkpoint));
        assert_eq!(refused(&mark), Err("CHY-4041"));
        std::fs::create_dir_all(data.join("store")).expect("makes");
        assert_eq!(refused(&mark), Err("CHY-4041"), "an empty folder is no ledger");
        chancery_store::files::write_new(&data.join("store/CURRENT"), b"x").expect("writes");
        assert_eq!(refused(&mark), Ok(()), "what is in it is compared");

        // Torn by a power cut, or not this program's.
        for text in ["", "no entries", "a.gov.cn/ledger\n"] {
            std::fs::write(&path, text).expect("writes");
            assert_eq!(Mark::read(&path).expect("reads"), Mark::Unknown, "{text:?}");
        }
    }

    #[test]
    fn a_new_ledger_on_a_full_disk_is_refused_for_want_of_room() {
        let store = MemoryStore::default();
        store.set_full(true);
        assert!(matches!(
            Ledger::open(Arc::new(store), seal()),
            Err(LedgerError::Store(StoreError::Full(_)))
        ));
    }
}
