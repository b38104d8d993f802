//! Whether those who are connected may still be: judged again at each use, and cheaply.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chancery_certs::{Certificate, PathError, Purpose, Scrutiny};
use chancery_crypto::{Digest, Hasher};

use crate::directory::note_uncovered;

/// For how long a judgement holds by itself, in seconds: lists may run out, and clocks may be set.
const HOLDS: i64 = 60;
/// The most judgements that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// What was judged lately.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Moves when the lists change: what was judged before holds no more.
    generation: AtomicU64,
    judged: Mutex<HashMap<Digest, Judgement>>,
}

#[derive(Debug, Clone, Copy)]
struct Judgement {
    generation: u64,
    from: i64,
    until: i64,
}

impl Standing {
    /// Forgets what was judged: the lists have changed.
    pub(crate) fn renew(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.lock().clear();
    }

    /// How often the lists have changed. To be asked before the lists are, so that a directory which comes between the
    /// two makes the judgement an old one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Validates a chain for a purpose, unless that was done a moment ago with the lists of this generation.
    ///
    /// # Errors
    /// [`PathError`], saying what does not hold. That is not remembered.
    pub(crate) fn check(
        &self,
        generation: u64,
        by: &Scrutiny<'_>,
        chain: &[Certificate],
        purpose: Purpose,
    ) -> Result<(), PathError> {
        let Some((leaf, above)) = chain.split_first() else { return Ok(()) };
        let mut hasher = Hasher::new();
        hasher.update(purpose.name().as_bytes());
        chain.iter().for_each(|c| hasher.update(c.fingerprint().as_bytes()));
        let key = hasher.finish();
        let held = self.lock().get(&key).copied();
        if held.is_some_and(|h| h.generation == generation && (h.from..=h.until).contains(&by.at)) {
            return Ok(());
        }
        let path = by.check(leaf, above, purpose)?;
        note_uncovered(path.uncovered.as_deref());
        let until = path.not_after.min(by.at.saturating_add(HOLDS));
        let mut judged = self.lock();
        if judged.len() >= MAX_REMEMBERED {
            judged.clear();
        }
        judged.insert(key, Judgement { generation, from: by.at, until });
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Judgement>> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::{
        Credential, Crl, Issuer, Profile, RevocationReason, Revoked, Subject, TrustStore,
    };
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn a_judgement_holds_until_the_lists_change_the_minute_is_over_or_the_clock_goes_back() {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let name = "a.gov.cn".parse().expect("a name");
        let seal = Subject::agency(Profile::Seal, name, "A");
        let made = root.issue(&seal, &key.public_key(), NOW).expect("issues");
        let seal = Credential::new(key, vec![made]).expect("fits");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let gone = Revoked {
            serial: seal.chain()[0].serial().to_owned(),
            time: NOW,
            reason: RevocationReason::KeyCompromise,
        };
        let list = root.crl(&[gone], 1, NOW, NOW + 100).expect("a list");
        let lists = [Crl::from_der(&list).expect("a list")];
        let standing = Standing::default();
        let check = |generation, lists: &[Crl], at| {
            let by = Scrutiny::by(&trust, lists, at);
            standing.check(generation, &by, seal.chain(), Purpose::Sign).is_ok()
        };
        let first = standing.generation();
        assert!(check(first, &[], NOW));
        // It is remembered: the lists are not looked at again …
        assert!(check(first, &lists, NOW + HOLDS));
        // … but after a minute, and when the clock is set back.
        assert!(!check(first, &lists, NOW + HOLDS + 1));
        assert!(!check(first, &lists, NOW - 1));
        // Other lists, other answer, also for one who has asked with the old ones meanwhile.
        standing.renew();
        assert!(!check(standing.generation(), &lists, NOW + 1));
        assert!(check(first, &[], NOW));
        assert!(!check(standing.generation(), &lists, NOW + 1));
    }
}
