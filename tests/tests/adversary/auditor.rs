//! Somebody who hands the auditor an export that hides something.
