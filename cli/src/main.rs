//! `chancery`: the one binary for operators, clerks and auditors.

// First: all others print by what it defines.
#[macro_use]
mod output;

mod app;
mod asic;
mod audit;
mod bench;
mod bench_crypto;
mod bench_ledger;
mod bench_modules;
mod ca;
mod cert;
mod clerk;
mod codes;
mod cose;
mod directory;
mod doc;
mod draft;
mod encrypt;
mod explain;
mod failure;
mod filing;
mod help;
mod key;
mod keys;
mod ledger;
mod local;
mod module;
mod module_versions;
mod node;
mod party;
mod pkcs12;
mod place;
mod report;
mod source;
mod stamping;
mod store;
mod token;
mod told;
mod trust;
mod tsa;
mod verify;
mod way;
mod web;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    failure::Failure,
    output::{Language, Output},
};

const EXAMPLES: &str = "\
Examples:
  chancery send notice.pdf --to justice.hz.gov.cn --type 通知 --title 关于做好换届工作的通知
  chancery inbox
  chancery open 3f2a91c0 --out received
  chancery receive 3f2a91c0
  chancery trace 3f2a91c0
  chancery verify received --anchor root.pem

Exit codes: 0 yes, 1 no (verification failed, not found), 2 usage or input, 3 environment (no node,
no disk), 4 refused by a peer, 5 indeterminate.";

/// Chancery (文驿): secure document exchange and e-signature for government
#[derive(Debug, Parser)]
#[command(name = "chancery", version, after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    /// Print results as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Language of the output (default: from LANG)
    #[arg(long, global = true, value_enum)]
    lang: Option<Language>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a document to other agencies
    Send(Box<clerk::Send>),
    /// List the documents that came in
    Inbox(clerk::List),
    /// List the documents that went out, and where their delivery stands
    Outbox(clerk::List),
    /// Open a document: write it, its parts and its evidence into a folder
    Open(clerk::Open),
    /// Receive and register a document (签收): sign for it, and tell its sender
    Receive(clerk::Receive),
    /// Send a document back to its sender (退回), with a reason
    Return(clerk::Return),
    /// Take back a document that was sent (撤回), where it has not been received yet
    Withdraw(clerk::Withdraw),
    /// Answer a document (答复)
    Reply(Box<clerk::Reply>),
    /// Send a document on to others, with its signatures (转发)
    Forward(Box<clerk::Forward>),
    /// Find documents by what stands over them
    Search(clerk::Search),
    /// Tell of every document that comes in or goes out, as it happens
    Watch(clerk::Watch),
    /// Show the journey of a document
    Trace(clerk::Trace),
    /// See what modules keep, and act on it
    #[command(subcommand)]
    App(app::App),
    /// Give powers of attorney, and record guardians
    #[command(subcommand)]
    Party(party::Party),
    /// List what is to be done, and by when
    Tasks(app::Tasks),
    /// Make, check, try and install modules; decide again what they have decided
    #[command(subcommand)]
    Module(Box<module::ModuleCommand>),
    /// Make signed documents without a node
    #[command(subcommand)]
    Doc(doc::Doc),
    /// Verify documents and their evidence offline
    Verify(verify::Verify),
    /// Encrypt a file to agencies
    Encrypt(encrypt::Encrypt),
    /// Decrypt a file
    Decrypt(encrypt::Decrypt),
    /// Write a document in a standard form of others
    #[command(subcommand)]
    Export(asic::Export),
    /// Verify what others made in a standard form, and take it apart
    #[command(subcommand)]
    Import(asic::Import),
    /// Audit exported ledgers offline
    Audit(audit::Audit),
    /// Show, prove and export the ledger of the local node
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Move a node's tables to another engine
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Set up and run a node
    #[command(subcommand)]
    Node(node::Node),
    /// Publish, show and install the directory of a trust domain
    #[command(subcommand)]
    Directory(directory::Directory),
    /// Make private keys
    #[command(subcommand)]
    Key(key::Key),
    /// Make certificate authorities; issue and revoke certificates
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Request, show and verify certificates
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Run a time-stamping authority
    #[command(subcommand)]
    Tsa(tsa::Tsa),
    /// Verify COSE messages of others
    #[command(subcommand)]
    Cose(cose::Cose),
    /// Measure speed
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Explain an error code
    Explain(explain::Explain),
    /// Write the manual pages into a folder
    Man {
        /// The folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: std::path::PathBuf,
    },
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn run(command: Command, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Send(send) => send.run(output),
        Command::Inbox(list) => list.run(output, true),
        Command::Outbox(list) => list.run(output, false),
        Command::Open(open) => open.run(output),
        Command::Receive(receive) => receive.run(output),
        Command::Return(command) => command.run(output),
        Command::Withdraw(withdraw) => withdraw.run(output),
        Command::Reply(reply) => reply.run(output),
        Command::Forward(forward) => forward.run(output),
        Command::Search(search) => search.run(output),
        Command::Watch(watch) => watch.run(output),
        Command::Trace(trace) => trace.run(output),
        Command::App(app) => app.run(output),
        Command::Party(party) => party.run(output),
        Command::Tasks(tasks) => tasks.run(output),
        Command::Module(module) => module.run(output),
        Command::Doc(doc) => doc.run(output),
        Command::Verify(verify) => verify.run(output),
        Command::Encrypt(encrypt) => encrypt.run(output),
        Command::Decrypt(decrypt) => decrypt.run(output),
        Command::Export(export) => export.run(output),
        Command::Import(import) => import.run(output),
        Command::Tsa(tsa) => tsa.run(output),
        Command::Audit(audit) => audit.run(output),
        Command::Ledger(ledger) => ledger.run(output),
        Command::Store(store) => store.run(output),
        Command::Node(node) => node.run(output),
        Command::Directory(directory) => directory.run(output),
        Command::Key(key) => key.run(output),
        Command::Ca(ca) => ca.run(output),
        Command::Cert(cert) => cert.run(output),
        Command::Cose(cose) => cose.run(output),
        Command::Bench(bench) => bench.run(output),
        Command::Explain(explain) => explain.run(output),
        Command::Man { out } => {
            std::fs::create_dir_all(&out).map_err(chancery_bus::NodeError::file(&out))?;
            let command = match output.chinese {
                true => help::in_chinese(Arguments::command()),
                false => Arguments::command(),
            };
            let written = clap_mangen::generate_to(command, &out);
            written.map_err(chancery_bus::NodeError::file(&out))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "chancery", &mut script);
            output::put_raw(&script);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints what clap has to say, in the language that the line asks for: help and version as they are, mistakes with their code.
fn misused(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let output = Output::of_words(&words);
    if error.exit_code() == 0 {
        // Nothing can be done about a closed standard output.
        drop(match output.chinese {
            true => match help::in_chinese(Arguments::command()).try_get_matches_from(&words) {
                Err(in_chinese) => in_chinese.print(),
                Ok(_) => error.print(),
            },
            false => error.print(),
        });
        return ExitCode::SUCCESS;
    }
    let text = match output.chinese {
        true => help::mistake(error),
        false => {
            let text = error.render().to_string();
            text.strip_prefix("error: ").unwrap_or(&text).to_owned()
        }
    };
    let remedy = output.t(
        "correct the command; `chancery help` shows examples",
        "请更正命令；chancery help 有示例",
    );
    if output.json {
        Failure::usage("CHY-6000", text.trim_end(), remedy).print(&output);
        return ExitCode::from(failure::USAGE);
    }
    let text = text.trim_end();
    eprintln!("{}[CHY-6000]: {text}", output.t("error", "错误"));
    eprintln!("  {}: {remedy}", output.t("what to do", "处理办法"));
    ExitCode::from(failure::USAGE)
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let output = Output::new(arguments.json, arguments.lang);
    output::end(match run(arguments.command, &output) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(&output);
            ExitCode::from(failure.exit)
        }
    })
}
