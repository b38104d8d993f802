//! `chancery bench modules`: how long a decision takes, what it weighs, and how fast decisions are made again.

use std::{process::ExitCode, time::Instant as Clock};

use chancery_apps::{
    Decision, Document, Facts, Folder, Input, Instant, Kernel, MEDIA_TYPE, MemoryState, Module,
    OFFICE, Outcome, Replay, Salt, Signer,
};
use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, Form, FormValue, Part, Urgency};
use serde_json::json;

use crate::{
    bench::{percentile, print},
    failure::Failure,
    module::beginning,
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Modules {
    /// Matters that are opened and decided: two decisions each
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    matters: u64,
}

const HOME: &str = "example.gov.cn";
const START: i64 = 1_790_000_000;

/// A document as verification gives it.
fn document(
    module: &str,
    kind: &str,
    act: &str,
    about: Option<String>,
    by: &str,
    form: Form,
    part: Option<Vec<u8>>,
) -> Result<Document, Failure> {
    let home: AgencyName = HOME.parse()?;
    let filing = Filing {
        home: home.clone(),
        act: act.to_owned(),
        about,
        seen: None,
        reason: None,
        version: None,
        until: i64::MAX,
        behalf: None,
    };
    let parts = part.iter().map(|bytes| Part {
        name: "module.cbor".into(),
        media_type: MEDIA_TYPE.into(),
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
    });
    let mut header = DocumentHeader {
        kind: kind.to_owned(),
        number: None,
        title: "一件".into(),
        from: home,
        to: Vec::new(),
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: START,
        deadline: None,
        in_reply_to: None,
        module: module.to_owned(),
        fields: Default::default(),
        crit: Vec::new(),
        filing: Some(filing),
        form,
        parts: parts.collect(),
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    };
    header.crit = header.critical();
    let id = cbor::encode(&header).map_err(chancery_crypto::CryptoError::from)?;
    let id = Digest::of(&id);
    let id = DocumentId::from_slice(id.as_bytes()).ok_or_else(Failure::unexpected)?;
    let signer = Signer { name: format!("{by}@{HOME}"), agency: HOME.into() };
    Ok(Document { id, header, signers: vec![signer], part })
}

/// What is decided, and how long each took.
struct Run {
    kernel: Kernel,
    state: MemoryState,
    made: Vec<(Decision, Document)>,
    micros: Vec<f64>,
    bytes: u64,
}

impl Run {
    fn decide(&mut self, document: Document, at: i64) -> Result<String, Failure> {
        let mut input = Input {
            at: Instant(at),
            lodged: Instant(at),
            home: HOME.into(),
            salt: Salt::Fresh(Digest::from_bytes(chancery_crypto::random()?)),
            facts: Facts { first: Some(format!("li@{HOME}")), ..Facts::default() },
            document,
        };
        let failed = |error: chancery_apps::StateError| NodeError::damaged(error.to_string());
        input.facts.form = self.kernel.judge_form(&self.state, &input).map_err(failed)?;
        let begun = Clock::now();
        let made = self.kernel.decide(&self.state, &input).map_err(failed)?;
        let decision = made.into_iter().next_back().ok_or_else(Failure::unexpected)?;
        let record = decision.record.encode();
        self.micros.push(begun.elapsed().as_secs_f64() * 1e6);
        let rows = decision.writes.values().map(|value| value.as_ref().map_or(0, Vec::len) + 60);
        self.bytes += (record.len() + rows.sum::<usize>()) as u64;
        let thing = match &decision.record.outcome {
            Outcome::Applied(applied) => applied.thing.clone(),
            _ => return Err(Failure::unexpected()),
        };
        self.state.apply(&decision.writes);
        self.made.push((decision, input.document));
        Ok(thing)
    }
}

fn texts<const N: usize>(fields: [(&str, &str); N]) -> Form {
    fields.map(|(name, text)| (name.to_owned(), FormValue::Text(text.to_owned()))).into()
}

impl Modules {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let folder: Folder = beginning("bench")?;
        let module = Module::read(&folder).map_err(|_| Failure::unexpected())?;
        let (kernel, state, made, micros, bytes) = Default::default();
        let mut run = Run { kernel, state, made, micros, bytes };
        let office = |act, form, part| document(OFFICE, act, act, None, "li", form, part);
        for (who, role, of) in [
            ("li", "appointer", OFFICE),
            ("li", "module-keeper", OFFICE),
            ("li", "clerk", "bench"),
            ("wang", "chief", "bench"),
        ] {
            let officer = format!("{who}@{HOME}");
            let form = texts([("officer", &officer), ("role", role), ("of", of)]);
            run.decide(office("appoint", form, None)?, START)?;
        }
        let form = texts([("digest", &module.digest().to_string())]);
        run.decide(office("install", form, Some(folder.encode()))?, START)?;
        (run.micros, run.bytes) = (Vec::new(), 0);
        for n in 0..self.matters {
            let at = START + i64::try_from(n / 10).unwrap_or(0);
            let mut form = texts([("subject", "办公用纸")]);
            form.insert("quantity".into(), FormValue::Int(10));
            let opened = document("bench", "request", "request/request", None, "li", form, None)?;
            let id = run.decide(opened, at)?;
            let answer =
                document("bench", "answer", "request/grant", Some(id), "wang", Form::new(), None)?;
            run.decide(answer, at)?;
        }
        let mut replay = Replay::of(HOME);
        let begun = Clock::now();
        for (decision, document) in &run.made {
            let record = decision.record.encode();
            let step = replay.step(&record, &decision.salt, Some(document.clone()));
            step.map_err(|fault| NodeError::damaged(format!("{fault:?}")))?;
        }
        let again = run.made.len() as f64 / begun.elapsed().as_secs_f64();
        run.micros.sort_by(f64::total_cmp);
        let decisions = run.micros.len() as f64;
        let result = json!({
            "decisions": run.micros.len(),
            "decision_us": {
                "median": percentile(&run.micros, 0.5),
                "p99": percentile(&run.micros, 0.99),
                "mean": run.micros.iter().sum::<f64>() / decisions,
            },
            "bytes_a_decision": run.bytes as f64 / decisions,
            "replayed_a_second": again,
        });
        if output.json {
            output.print_json(&result);
        } else if let Some(object) = result.as_object() {
            object.iter().for_each(|(name, value)| print(name, value));
        }
        Ok(ExitCode::SUCCESS)
    }
}
