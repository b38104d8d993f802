//! Whether entries may be made: whether this is the ledger that others have seen. Who finds that out says it here.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use chancery_certs::AgencyName;
use tokio::sync::watch;

use crate::{LedgerError, lock};

/// The writer's step while peers are asked.
pub(crate) const STEP: Duration = Duration::from_millis(5);

/// Where it stands.
#[derive(Debug, Clone)]
pub enum State {
    /// It is the ledger that was seen.
    Open,
    /// Peers are being asked, for a moment.
    Asking,
    /// Nobody could say, and there is reason for doubt.
    Unheard(String),
    /// It is not the newest: nothing is sealed any more.
    Behind(String),
    /// The node ends.
    Stopped,
}

/// Whether entries may be made.
#[derive(Debug)]
pub struct Continuity {
    pub(crate) state: watch::Sender<State>,
    /// Sizes that peers have asked about.
    pub(crate) asked_about: Mutex<BTreeMap<AgencyName, u64>>,
    /// Whether the operator answers for it that no peer is to be waited for.
    pub(crate) alone: Mutex<bool>,
}

impl Default for Continuity {
    /// Of a ledger that no node runs.
    fn default() -> Self {
        let state = watch::Sender::new(State::Open);
        Self { state, asked_about: Mutex::default(), alone: Mutex::default() }
    }
}

impl Continuity {
    /// Notes where it stands. What is proved stays so.
    pub fn set(&self, new: State) {
        self.state.send_if_modified(|state| {
            // What is proved stays so.
            if matches!(state, State::Behind(_) | State::Stopped) {
                return false;
            }
            *state = new;
            true
        });
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// The largest sizes that peers have asked about since this was asked last.
    pub fn take_asked_about(&self) -> BTreeMap<AgencyName, u64> {
        std::mem::take(&mut *lock(&self.asked_about))
    }

    /// Whether the operator has said that no peer is to be waited for.
    pub fn is_alone(&self) -> bool {
        *lock(&self.alone)
    }

    /// Ends the waiting of whoever waits.
    pub fn stop(&self) {
        if matches!(*self.state.borrow(), State::Asking) {
            self.set(State::Stopped);
        }
    }

    /// Whether entries may be made, once that is known.
    ///
    /// # Errors
    /// [`LedgerError::Behind`], [`LedgerError::Unheard`].
    pub fn wait(&self) -> Result<(), LedgerError> {
        while matches!(*self.state.borrow(), State::Asking) {
            std::thread::sleep(STEP);
        }
        self.check()
    }

    /// Whether entries may be made, as far as is known: while peers are asked, whoever makes one waits for it.
    ///
    /// # Errors
    /// [`LedgerError::Behind`], [`LedgerError::Unheard`].
    pub fn check(&self) -> Result<(), LedgerError> {
        match &*self.state.borrow() {
            State::Open | State::Asking => Ok(()),
            State::Unheard(why) => Err(LedgerError::Unheard(why.clone())),
            State::Behind(why) => Err(LedgerError::Behind(why.clone())),
            State::Stopped => Err(LedgerError::Stopping),
        }
    }

    /// Whether it is known that entries may be made.
    pub fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open)
    }

    /// Returns when entries may be made.
    pub async fn opened(&self) {
        // The sender lives as long as this does.
        drop(self.state.subscribe().wait_for(|state| matches!(state, State::Open)).await);
    }

    /// Returns when it is proved that this is not the newest ledger.
    pub async fn behind(&self) -> LedgerError {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| matches!(state, State::Behind(_))).await.as_deref() {
            Ok(State::Behind(why)) => LedgerError::Behind(why.clone()),
            _ => LedgerError::Stopping,
        }
    }

    /// A peer has asked how the ledger grew since sizes, of which this is the largest: it says that it has seen it so large.
    pub fn asked_about(&self, peer: &AgencyName, size: u64) {
        lock(&self.asked_about).insert(peer.clone(), size);
    }

    /// The operator says that no peer is to be waited for. What is proved, that does not change.
    pub fn go_alone(&self) {
        *lock(&self.alone) = true;
    }
}
