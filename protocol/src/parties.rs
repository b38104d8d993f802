//! Who has a part in a document's journey, and what each of them may attest.

use chancery_certs::AgencyName;

use crate::{
    DocumentHeader, Event, EvidenceFact, Finding, Leaf, SubIndication, Whose, evidence::not_before,
    validation::CLOCK_TOLERANCE, verdict::judge_evidence,
};

/// The agencies that a document's header names, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parties {
    sender: AgencyName,
    recipients: Vec<AgencyName>,
    created: i64,
}

/// Who may record an event of a document's journey. Relays stand in no header: what one may record, any agency may that
/// the entry is not about.
enum By {
    Sender,
    Recipient,
    /// Who handed it on: the sender, or a relay.
    Carrier,
    /// Whoever was handed it: a recipient, or a relay.
    Holder,
    /// Whoever had it.
    Anybody,
}

/// Whom an entry about it must name.
enum About {
    Sender,
    Recipient,
    /// A relay: whoever is not the sender.
    Relay,
    Anybody,
}

/// Who may record an event, and about whom.
fn role(event: Event) -> (By, About) {
    match event {
        Event::SubmissionAcceptance => (By::Sender, About::Recipient),
        Event::SubmissionRejection => (By::Sender, About::Sender),
        Event::ContentConsignment
        | Event::ContentHandover
        | Event::WithdrawalAcceptance
        | Event::WithdrawalRejection => (By::Recipient, About::Sender),
        Event::RelayAcceptance => (By::Holder, About::Sender),
        Event::RelayRejection | Event::RelayFailure | Event::EvidenceReceived => {
            (By::Carrier, About::Recipient)
        }
        Event::RelayEvidenceReceived => (By::Carrier, About::Relay),
        Event::ContentPurged => (By::Anybody, About::Sender),
        // It is about a record that the ledger's owner keeps, and no part of a journey.
        Event::Decided => (By::Anybody, About::Anybody),
        // A newer version may know; what it says is shown by its name.
        Event::Unknown(_) => (By::Anybody, About::Anybody),
    }
}

impl Parties {
    /// Those of a document.
    pub(crate) fn of(header: &DocumentHeader) -> Self {
        Self {
            sender: header.sender().clone(),
            recipients: header.recipients().into_iter().cloned().collect(),
            created: header.created,
        }
    }

    fn is_recipient(&self, agency: &AgencyName) -> bool {
        self.recipients.contains(agency)
    }

    /// Whether a proven entry of an agency's ledger is one that this agency can have made of the document: by its part in
    /// the journey, about whom it names, and at that time.
    pub(crate) fn may_attest(&self, agency: &AgencyName, leaf: &Leaf) -> Result<(), Finding> {
        let (other, event) = (&leaf.counterpart, leaf.event);
        let (by, about) = role(leaf.event);
        let fits = match by {
            By::Sender => *agency == self.sender,
            By::Recipient => self.is_recipient(agency) && *agency != self.sender,
            By::Carrier => agency != other,
            By::Holder => *agency != self.sender,
            By::Anybody => true,
        };
        if !fits {
            return Err(Finding::failed(
                SubIndication::EvidenceFailure,
                EvidenceFact::NoPart { agency: agency.clone(), event },
            ));
        }
        let fits = match about {
            About::Sender => *other == self.sender,
            About::Recipient => self.is_recipient(other),
            About::Relay => *other != self.sender,
            About::Anybody => true,
        };
        if !fits {
            return Err(Finding::failed(
                SubIndication::EvidenceFailure,
                EvidenceFact::OtherPart { agency: agency.clone(), event, other: other.clone() },
            ));
        }
        // The document's time is by its signer's clock, for which there is room of its own.
        not_before(leaf.time, self.created.saturating_sub(CLOCK_TOLERANCE))
            .map_err(|error| judge_evidence(error, Whose::Agency(agency.clone())))
    }
}
