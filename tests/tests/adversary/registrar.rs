//! Somebody who speaks in the registrar's place, or with a key that was revoked.
