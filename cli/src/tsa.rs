//! `chancery tsa`: a small time-stamping authority.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use chancery_bus::NodeError;
use chancery_certs::TimeStampAuthority;
use chancery_doors::TimeStampServer;

use crate::{failure::Failure, keys::Signer, node::LogFormat, output::Output};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tsa {
    /// Answer requests for time-stamps (RFC 3161) over HTTP
    #[command(after_help = "Example:
  chancery ca issue --ca ca/root --profile timestamp --name tsa.gov.cn --display 国家时间戳 --out tsa --no-passphrase
  chancery tsa run --key tsa/timestamp.key --cert tsa/timestamp.pem --policy 1.2.156.1.1 --log tsa/issued.jsonl
  chancery doc timestamp signed --tsa http://127.0.0.1:3180/
The machine's clock is what it vouches for: keep it synchronized. CHANCERY_LOG sets what is logged.")]
    Run(Run),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    signer: Signer,
    /// Where to listen; put a reverse proxy in front for HTTPS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3180")]
    listen: SocketAddr,
    /// Object identifier of the policy under which time-stamps are given
    #[arg(long, value_name = "OID")]
    policy: String,
    /// Append each time-stamp's time and serial number to this file before it goes out
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// How to log, on stderr
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

impl Tsa {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::Run(run) = self;
        run.run(output)
    }
}

impl Run {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let authority = TimeStampAuthority::new(self.signer.load()?, &self.policy)?;
        crate::node::start_logging(self.log_format)?;
        let runtime = crate::node::threads()?;
        runtime.block_on(async {
            let server = TimeStampServer::bind(authority, self.listen, self.log).await?;
            let address = server.address()?;
            if output.json {
                output.print_json(&serde_json::json!({ "listening": address }));
            } else {
                println!("{} http://{address}/", output.t("listening on", "监听"));
            }
            server.run(crate::node::stop_signal()).await;
            Ok::<_, NodeError>(())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
