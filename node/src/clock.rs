//! Whether this machine's clock is right, as far as that can be told without one that is known to be.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chancery_certs::AgencyName;

use crate::shared::Shared;

/// How far clocks may differ, in seconds, before it is said. Certificates and expiry allow for five minutes.
const MOST: i64 = 60;
/// Between two looks at whether the clock has jumped.
const LOOK: Duration = Duration::from_secs(10);
/// How long it is said once only.
const QUIET: Duration = Duration::from_secs(3600);

/// What peers' clocks have shown.
#[derive(Debug, Default)]
pub struct PeerClocks(Mutex<HashMap<AgencyName, Seen>>);

#[derive(Debug)]
struct Seen {
    /// By how many seconds ours is ahead.
    ahead: i64,
    said: Option<Instant>,
}

impl PeerClocks {
    /// A peer has just said what time it is there.
    pub fn heard(&self, peer: &AgencyName, theirs: i64, ours: i64) {
        let ahead = ours.saturating_sub(theirs);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(peer.clone()).or_insert(Seen { ahead, said: None });
        seen.ahead = ahead;
        if ahead.abs() > MOST && seen.said.is_none_or(|said| said.elapsed() > QUIET) {
            seen.said = Some(Instant::now());
            tracing::warn!(
                %peer, ahead_seconds = ahead,
                "this clock and the peer's differ; one of them is wrong (chrony, systemd-timesyncd)"
            );
        }
    }

    /// By how many seconds this clock is ahead of the peers', in the middle of them.
    pub fn ahead(&self) -> i64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.values().map(|seen| seen.ahead).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Says when the clock was set while the node runs: times in evidence before and after do not compare then.
pub async fn watch(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let (mut steady, mut clock) = (Instant::now(), wall());
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let passed = (steady.elapsed(), wall());
        let expected = clock + passed.0;
        let jump = passed.1.abs_diff(expected);
        if jump > Duration::from_secs(2) {
            let forward = passed.1 > expected;
            tracing::warn!(seconds = jump.as_secs(), forward, "the clock of this machine was set");
        }
        (steady, clock) = (Instant::now(), passed.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_peers_tells_how_far_this_clock_is_ahead() {
        let clocks = PeerClocks::default();
        assert_eq!(clocks.ahead(), 0);
        for (peer, theirs) in [("a.cn", 1000), ("b.cn", 995), ("c.cn", 99_999)] {
            clocks.heard(&peer.parse().expect("a name"), theirs, 1000);
        }
        assert_eq!(clocks.ahead(), 0, "one that is far off does not matter");
    }
}
