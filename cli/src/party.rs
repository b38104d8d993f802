//! `chancery party`: who acts for whom. Powers of attorney are given by parties, guardians recorded by officers; both are acts of
//! the office of an agency, and hold there.

use std::process::ExitCode;

use chancery_certs::PartyName;
use chancery_protocol::{Form, FormValue};
use clap::Subcommand;

use crate::{
    failure::Failure,
    filing::Done,
    keys::Signer,
    module::{of_office, texts},
    output::Output,
    way::{Door, Way},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Party {
    /// Give somebody a power of attorney at an agency: for what, and until when
    #[command(after_help = "Example:
  chancery party empower p-7hq2m4k9x3v6t5wa@party.zj.gov.cn --scope licence/application/apply --until 2026-12-31 --node a.zj.gov.cn --connect 10.0.0.7:8443 --anchor root.pem
A scope is a module, a case of it (licence/application), or an act (licence/application/apply).")]
    Empower {
        /// Who is to act
        #[arg(value_name = "AGENT")]
        agent: PartyName,
        /// What for (may be given several times)
        #[arg(long, required = true, value_name = "SCOPE")]
        scope: Vec<String>,
        /// Not before this day
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The last day
        #[arg(long, value_name = "DATE")]
        until: String,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        way: Way,
    },
    /// End a power of attorney that you have given, or were given
    #[command(
        after_help = "Example:\n  chancery party revoke 3f2a91… --of p-7hq2m4k9x3v6t5wa@party.zj.gov.cn --node …"
    )]
    Revoke {
        /// The document by which it was given
        #[arg(value_name = "DOCUMENT")]
        mandate: String,
        /// Who has it
        #[arg(long, value_name = "AGENT")]
        of: PartyName,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        way: Way,
    },
    /// Record a guardian: for officers with the office's role party-registrar
    #[command(after_help = "Example:
  chancery party guardian p-…@party.zj.gov.cn --of p-…@party.zj.gov.cn --basis 民法典27")]
    Guardian {
        /// Who is the guardian
        #[arg(value_name = "GUARDIAN")]
        guardian: PartyName,
        /// Whose
        #[arg(long, value_name = "WARD")]
        of: PartyName,
        /// The law or the judgment that it rests on
        #[arg(long, value_name = "TEXT")]
        basis: String,
        /// The last day
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        way: Way,
    },
    /// Record that somebody is a guardian no more
    EndGuardian {
        /// The document by which it was recorded
        #[arg(value_name = "DOCUMENT")]
        mandate: String,
        /// Who was the guardian
        #[arg(long, value_name = "GUARDIAN")]
        of: PartyName,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        way: Way,
    },
}

impl Party {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let ended = |mandate: String, of: PartyName| {
            texts([("mandate", Some(mandate)), ("of", Some(of.into()))])
        };
        let (act, title, form, signer, way) = match self {
            Self::Empower { agent, scope, from, until, signer, way } => {
                let mut form =
                    texts([("agent", Some(agent.into())), ("from", from), ("until", Some(until))]);
                let scope = scope.into_iter().map(FormValue::Text).collect();
                form.insert("scope".to_owned(), FormValue::List(scope));
                ("empower", "授权委托书", form, signer, way)
            }
            Self::Revoke { mandate, of, signer, way } => {
                ("revoke", "撤销授权委托", ended(mandate, of), signer, way)
            }
            Self::Guardian { guardian, of, basis, until, signer, way } => {
                let form = texts([
                    ("guardian", Some(guardian.into())),
                    ("ward", Some(of.into())),
                    ("basis", Some(basis)),
                    ("until", until),
                ]);
                ("guardian", "监护人登记", form, signer, way)
            }
            Self::EndGuardian { mandate, of, signer, way } => {
                ("end-guardian", "监护终止登记", ended(mandate, of), signer, way)
            }
        };
        let done = file(act, title, form, &signer, &way)?;
        if output.json {
            output.print_json(&serde_json::json!({
                "document": done.document, "mandate": done.applied.thing, "state": done.applied.state,
            }));
        } else {
            let in_force = done.applied.state == "in-force";
            println!(
                "{}",
                if in_force {
                    output.t("in force", "已生效")
                } else {
                    output.t("ended", "已终止")
                }
            );
            println!("  {} {}", output.t("document", "文件编号"), done.applied.thing);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn file(act: &str, title: &str, form: Form, signer: &Signer, way: &Way) -> Result<Done, Failure> {
    let filed = of_office(act, title.to_owned(), form);
    match way.open(Some(signer))? {
        Door::Local(mut client) => filed.file(&mut client, signer),
        Door::Web(web) => filed.file_at(&web),
    }
}
