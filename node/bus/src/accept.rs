//! Accepting connections, whatever happens: an accept that fails is waited out, and nobody who takes all there is keeps the
//! others out for good.

use std::{io, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::places::Seldom;

/// How long to wait after an accept that failed: others must end first. When somebody was asked to, it is a moment.
const PAUSE: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_millis(2);
/// How often it is said that accepts fail.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Files that may be open when the system does not say how many.
const FEW_FILES: usize = 1024;

/// An accept loop, which does not end on an error.
#[derive(Debug)]
pub struct Accepting {
    what: &'static str,
    failed: Seldom,
    /// Until when it waits, also when the wait is interrupted.
    until: Option<Instant>,
}

impl Accepting {
    /// Of what it is said that it failed.
    pub fn new(what: &'static str) -> Self {
        Self { what, failed: Seldom::new(SAY_EVERY), until: None }
    }

    /// What is accepted next. After an error, somebody is asked to make room, if there is anybody, and it is tried again. It
    /// may be dropped at any time if `accept` may.
    pub async fn next<T, F: Future<Output = io::Result<T>>>(
        &mut self,
        mut accept: impl FnMut() -> F,
        mut make_room: impl FnMut() -> bool,
    ) -> T {
        loop {
            if let Some(until) = self.until {
                sleep_until(until).await;
                self.until = None;
            }
            let error = match accept().await {
                Ok(accepted) => return accepted,
                Err(error) => error,
            };
            // Out of file descriptors, most likely.
            if let Some(unsaid) = self.failed.happened(std::time::Instant::now()) {
                let what = self.what;
                tracing::warn!(what, %error, unsaid, "a connection could not be accepted; it goes on");
            }
            let pause = if make_room() { MOMENT } else { PAUSE };
            self.until = Some(Instant::now() + pause);
        }
    }
}

/// How many files this process may have open, as the system says. What takes files by what others do takes a part of it.
pub fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    soft_limit(&limits).unwrap_or(FEW_FILES)
}

/// The soft limit of open files in `/proc/self/limits`; none when it is unlimited, or not there.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::VecDeque};

    use super::*;

    #[tokio::test]
    async fn an_accept_that_fails_is_tried_again_and_room_is_made() {
        let too_many = || Err(io::Error::from_raw_os_error(24));
        let what = VecDeque::from([too_many(), too_many(), Ok(7), too_many(), Ok(8)]);
        let (what, room) = (RefCell::new(what), RefCell::new(0));
        let mut accepting = Accepting::new("a test");
        let accept = || std::future::ready(what.borrow_mut().pop_front().expect("not so often"));
        let make_room = || {
            *room.borrow_mut() += 1;
            *room.borrow() == 2
        };
        let start = Instant::now();
        assert_eq!(accepting.next(accept, make_room).await, 7);
        assert_eq!(*room.borrow(), 2);
        assert!(start.elapsed() >= PAUSE + MOMENT, "it waits for others to end");
        // Somebody else needs the loop while it waits: it waits on, and neither spins nor forgets.
        let start = Instant::now();
        let accepted = loop {
            tokio::select! {
                biased;
                accepted = accepting.next(accept, make_room) => break accepted,
                () = tokio::time::sleep(MOMENT) => {}
            }
        };
        assert_eq!((accepted, *room.borrow()), (8, 3));
        assert!(start.elapsed() >= PAUSE);
    }

    #[test]
    fn the_system_says_how_many_files_may_be_open() {
        let text = "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 \
                    524288               files     \n";
        assert_eq!(soft_limit(text), Some(1024));
        assert_eq!(soft_limit("Max open files            unlimited            unlimited"), None);
        assert!(open_files() > 0);
    }
}
