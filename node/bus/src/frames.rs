//! Reading frames from peers: each kind has a size, and what one peer's frames take of memory is bounded in both directions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use chancery_certs::AgencyName;
use chancery_protocol::{MAX_FRAME, MAX_RECEIPT};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::{Semaphore, SemaphorePermit},
};

use crate::NodeError;

/// What a frame is to be. Whoever reads one says so, and with it how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// What a stream starts with: an offer, which may bring its content along, or a question.
    Opening,
    /// The answer to an offer: a receipt at most.
    Reply,
    /// The answer to the question for a directory, which says how long that is.
    Directory,
    /// The answer to the question how a ledger grew.
    Growth,
    /// The answer to the question what was seen of a ledger: a sealed checkpoint.
    Seen,
    /// A cosignature, with the sealed statement of its key.
    Cosignature,
}

impl FrameKind {
    /// The most bytes that it may have.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Opening => MAX_FRAME,
            // Its names and lengths, and what a newer version may add.
            Self::Reply => MAX_RECEIPT + (4 << 10),
            Self::Directory => 4 << 10,
            // A proof of 128 digests for each of 65 sizes, a compact range and a note.
            Self::Growth => 512 << 10,
            Self::Seen | Self::Cosignature => 64 << 10,
        }
    }
}

/// Bytes of frames of one peer that may be in memory at once: of what it asks, and of what it answers. Two, so that neither
/// waits for the other.
const BUDGET: usize = 16 << 20;

/// What frames of one peer may take of memory, whatever connections and streams they come by.
#[derive(Debug)]
pub struct FrameBudget {
    asked: Semaphore,
    answered: Semaphore,
}

impl Default for FrameBudget {
    fn default() -> Self {
        Self { asked: Semaphore::new(BUDGET), answered: Semaphore::new(BUDGET) }
    }
}

impl FrameBudget {
    fn of(&self, kind: FrameKind) -> &Semaphore {
        match kind {
            FrameKind::Opening | FrameKind::Cosignature => &self.asked,
            FrameKind::Reply | FrameKind::Directory | FrameKind::Growth | FrameKind::Seen => {
                &self.answered
            }
        }
    }
}

/// The budgets of all peers that are being heard.
#[derive(Debug, Default)]
pub(crate) struct FrameBudgets(Mutex<HashMap<AgencyName, Weak<FrameBudget>>>);

impl FrameBudgets {
    /// The budget of a peer: one and the same for as long as anybody reads from it.
    pub(crate) fn of(&self, peer: &AgencyName) -> Arc<FrameBudget> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = all.get(peer).and_then(Weak::upgrade) {
            return budget;
        }
        all.retain(|_, budget| budget.strong_count() > 0);
        let budget = Arc::<FrameBudget>::default();
        all.insert(peer.clone(), Arc::downgrade(&budget));
        budget
    }
}

/// Reads one frame's body from a stream. Its bytes are taken out of the peer's budget for as long as the permit lives.
pub(crate) async fn read_frame<'a>(
    stream: &mut (impl AsyncRead + Unpin),
    peer: &AgencyName,
    kind: FrameKind,
    budget: &'a FrameBudget,
) -> Result<(Vec<u8>, SemaphorePermit<'a>), NodeError> {
    let failed = |why: String| NodeError::Network { peer: peer.to_string(), why };
    let length = stream.read_u32().await.map_err(|e| failed(e.to_string()))?;
    if length as usize > kind.most() {
        return Err(failed(format!("a frame claims {length} bytes")));
    }
    // It is never closed.
    let permit = budget.of(kind).acquire_many(length).await;
    let permit = permit.map_err(|e| failed(e.to_string()))?;
    // Memory grows with what has arrived, not with what is claimed.
    let mut body = Vec::new();
    let read = (&mut *stream).take(u64::from(length)).read_to_end(&mut body).await;
    read.map_err(|e| failed(e.to_string()))?;
    match body.len() == length as usize {
        true => Ok((body, permit)),
        false => Err(failed("a frame is cut off".into())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const KINDS: [FrameKind; 6] = [
        FrameKind::Opening,
        FrameKind::Reply,
        FrameKind::Directory,
        FrameKind::Growth,
        FrameKind::Seen,
        FrameKind::Cosignature,
    ];

    fn peer() -> AgencyName {
        "a.gov.cn".parse().expect("a name")
    }

    fn frame(length: usize, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(length).expect("small");
        [&length.to_be_bytes(), body].concat()
    }

    #[tokio::test]
    async fn no_kind_of_frame_is_longer_than_it_may_be_and_none_is_cut_off() {
        let budget = FrameBudget::default();
        for kind in KINDS {
            let body = vec![7; kind.most()];
            let largest = frame(body.len(), &body);
            let (read, permit) = read_frame(&mut &largest[..], &peer(), kind, &budget)
                .await
                .expect("it is as long as it may be");
            assert!(read == body && permit.num_permits() == body.len());
            let longer = frame(body.len() + 1, &[]);
            let refused = read_frame(&mut &longer[..], &peer(), kind, &budget).await;
            assert!(refused.expect_err("too long").to_string().contains("claims"), "{kind:?}");
            let cut = read_frame(&mut &largest[..body.len()], &peer(), kind, &budget).await;
            assert!(cut.expect_err("cut off").to_string().contains("cut off"), "{kind:?}");
        }
        assert_eq!(budget.asked.available_permits(), BUDGET, "all is given back");
        assert_eq!(budget.answered.available_permits(), BUDGET);
    }

    #[tokio::test]
    async fn answers_that_never_end_take_no_more_than_the_budget_and_keep_no_question_waiting() {
        let budgets = FrameBudgets::default();
        let budget = budgets.of(&peer());
        let (kind, body) = (FrameKind::Growth, vec![0; FrameKind::Growth.most() - 1]);
        let mut open = Vec::new();
        let mut read = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (mut theirs, mut ours) = tokio::io::duplex(64);
            let budget = budget.clone();
            read.spawn(async move { read_frame(&mut ours, &peer(), kind, &budget).await.is_ok() });
            theirs.write_all(&frame(body.len() + 1, &[])).await.expect("it is read");
            open.push(theirs);
        }
        while budget.answered.available_permits() >= kind.most() {
            tokio::task::yield_now().await;
        }
        // Whoever waits for room has nothing in memory: what it is sent stays on its way.
        let mut taken = 0;
        for theirs in &mut open {
            tokio::select! {
                biased;
                written = theirs.write_all(&body) => taken += usize::from(written.is_ok()),
                () = async { for _ in 0..100_000 { tokio::task::yield_now().await; } } => {}
            }
        }
        assert_eq!(taken, BUDGET / kind.most());
        let question = frame(5, b"a ask");
        let asked = read_frame(&mut &question[..], &peer(), FrameKind::Opening, &budget).await;
        assert!(asked.is_ok(), "the other direction has a budget of its own");
        drop(asked);
        let other = budgets.of(&"b.gov.cn".parse().expect("a name"));
        let answer = frame(body.len(), &body);
        let answered = read_frame(&mut &answer[..], &peer(), kind, &other).await;
        assert!(answered.is_ok(), "so has every other peer");
        drop(answered);
        assert!(Arc::ptr_eq(&budget, &budgets.of(&peer())), "however it is heard, it is one");
        drop(open);
        while read.join_next().await.is_some() {}
        assert_eq!(budget.answered.available_permits(), BUDGET);
        drop((budget, other));
        drop(budgets.of(&"c.gov.cn".parse().expect("a name")));
        assert_eq!(budgets.0.lock().expect("not poisoned").len(), 1, "who has gone is forgotten");
    }
}
