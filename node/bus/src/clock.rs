//! Watching this machine's clock.

use std::{sync::Arc, time::Duration};

use chancery_ledger::clock::Moment;
use chancery_protocol::CLOCK_TOLERANCE;

use crate::Bus;

/// Between two looks at whether the clock has jumped.
const LOOK: Duration = Duration::from_secs(10);

/// Says when the clock was set while the node runs, and when it is known to be wrong and is right again.
pub(crate) async fn watch(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    let mut last = Moment::now();
    let mut wrong = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now = Moment::now();
        let jump = now.wall.saturating_sub(now.since(last));
        if jump.saturating_abs() > 2 {
            let (seconds, forward) = (jump.unsigned_abs(), jump > 0);
            tracing::warn!(seconds, forward, "the clock of this machine was set");
        }
        last = now;
        let ahead = bus.ledger.ahead(now);
        if ahead > CLOCK_TOLERANCE {
            tracing::warn!(
                ahead_seconds = ahead,
                "the ledger's newest entry is later than this clock: until that time nothing is taken from peers, and all \
                 entries have it"
            );
        }
        match bus.ledger.check_clock() {
            Err(error) => {
                // It is to be mended now: so it is said again and again.
                tracing::error!(%error, code = error.code(), "nothing is sealed");
                wrong = true;
            }
            Ok(()) if wrong => {
                tracing::info!("the clock agrees with the others again; the node goes on");
                wrong = false;
            }
            Ok(()) => {}
        }
    }
}
