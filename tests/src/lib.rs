//! What the end-to-end tests share: a trust domain with agencies, real node processes, and the
//! `chancery` binary run as its users run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod clerk;
pub mod container;
mod database;
pub mod forge;
mod hosts;
pub mod mutate;
mod network;
mod objects;
pub mod peer;

pub use clerk::Clerk;
pub use database::Database;
pub use hosts::{Hosts, ip};
pub use network::{BadNetwork, Cables, Faults};
pub use objects::Objects;

use std::{
    collections::BTreeMap,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// The folder of this package, asked for when the test runs: a target folder may be shared by several checkouts.
pub fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).expect("set by cargo test")
}

/// The binary under test: the one that the same build made.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let bin = test.ancestors().nth(2).expect("target/profile/deps/test").join("chancery");
    assert!(bin.exists(), "{} is missing: run the tests with `make test`", bin.display());
    bin
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// The answer, which must be exit 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Asserts a refusal: exit code and stable error code.
    #[track_caller]
    pub fn refused(&self, exit: i32, code: &str) {
        assert_eq!(self.code, exit, "{self:?}");
        assert!(self.stderr.contains(&format!("[{code}]")), "want {code}: {self:?}");
        assert!(self.stderr.contains("what to do: "), "no remedy: {self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

/// A trust domain `gov.cn` in a folder of its own: a root, a province `zj.gov.cn`, a registrar, and
/// the agencies `a.zj.gov.cn` and `b.zj.gov.cn` with a node and a clerk each. What belongs to `a`
/// uses P-256, what belongs to `b` Ed25519.
pub struct World {
    /// The folder; every command runs in it.
    pub dir: TempDir,
    nodes: BTreeMap<String, Child>,
    /// Environment of the node processes.
    pub node_env: Vec<(String, String)>,
    /// Environment of every command that is run.
    pub env: Vec<(String, String)>,
    /// Settings of each agency's node, in place of those in its file.
    settings: BTreeMap<String, BTreeMap<String, String>>,
    /// The network namespaces in which nodes run.
    hosts: BTreeMap<String, String>,
    /// The programs of agencies that run another than the one under test.
    programs: BTreeMap<String, PathBuf>,
    /// The sizes of the disks of agencies whose data folder is on a small one.
    disks: BTreeMap<String, String>,
}

impl Drop for World {
    fn drop(&mut self) {
        for child in self.nodes.values_mut() {
            drop(child.kill());
            drop(child.wait());
        }
        if std::thread::panicking() {
            for agency in ["a", "b"] {
                let log = std::fs::read_to_string(self.path(&format!("{agency}.log")));
                let log = log.unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(40).collect();
                eprintln!("-- the log of {agency}, newest first:\n{}", tail.join("\n"));
            }
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A folder for commands, with nothing in it.
    pub fn bare() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let (nodes, settings) = (BTreeMap::new(), BTreeMap::new());
        let (hosts, programs, disks) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (node_env, env) = (Vec::new(), Vec::new());
        Self { dir, nodes, node_env, env, settings, hosts, programs, disks }
    }

    /// Makes the trust domain; no node runs yet.
    pub fn new() -> Self {
        let world = Self::bare();
        world.run("ca init --dir root --display Root --permit gov.cn --no-passphrase").ok();
        world
            .run(
                "ca issue --ca root --profile intermediate --display Zhejiang --permit zj.gov.cn \
                 --path-len 0 --out zj --no-passphrase",
            )
            .ok();
        world.issue("seal", "registry.zj.gov.cn", "registry", "p256");
        for (agency, algorithm) in [("a", "p256"), ("b", "ed25519")] {
            world.add_agency(agency, algorithm);
        }
        world.publish(1, &["a", "b"]);
        world
    }

    /// Issues a certificate under the province.
    pub fn issue(&self, profile: &str, name: &str, out: &str, algorithm: &str) {
        self.run(&format!(
            "ca issue --ca zj --profile {profile} --name {name} --display {name} --out {out} \
             --algorithm {algorithm} --no-passphrase"
        ))
        .ok();
    }

    /// Has an agency's node and clerks use another program from now on, such as that of the release before.
    pub fn use_program(&mut self, agency: &str, program: &Path) {
        self.programs.insert(agency.to_owned(), program.to_owned());
    }

    /// The program of an agency.
    fn program(&self, agency: &str) -> PathBuf {
        self.programs.get(agency).cloned().unwrap_or_else(binary)
    }

    /// Makes certificates, a node's folder and a clerk for an agency `NAME.zj.gov.cn`.
    pub fn add_agency(&self, agency: &str, algorithm: &str) {
        let name = format!("{agency}.zj.gov.cn");
        let certs = format!("certs-{agency}");
        self.issue("seal", &name, &certs, algorithm);
        self.issue("node", &name, &certs, algorithm);
        self.issue("officer", &format!("clerk@{name}"), &certs, algorithm);
        self.run_by(
            &self.program(agency),
            &format!(
                "node init --dir {agency} --agency {name} --display {agency} \
             --listen 127.0.0.1:{} --anchor root/ca.pem --registrar registry.zj.gov.cn \
             --seal-cert {certs}/seal.pem --seal-key {certs}/seal.key \
             --node-cert {certs}/node.pem --node-key {certs}/node.key",
                free_port()
            ),
        )
        .ok();
    }

    /// Publishes a directory of agencies and gives it to their nodes as a file.
    pub fn publish(&self, version: u64, agencies: &[&str]) {
        let cards: Vec<_> = agencies.iter().map(|a| format!("{a}/agency.card")).collect();
        self.run(&format!(
            "directory publish --key registry/seal.key --cert registry/seal.pem --version-number \
             {version} --out directory-{version}.cose --anchor root/ca.pem {}",
            cards.join(" ")
        ))
        .ok();
        for agency in agencies {
            let from = self.path(&format!("directory-{version}.cose"));
            std::fs::copy(from, self.path(&format!("{agency}/directory.cose"))).expect("copies");
        }
    }

    /// Sets a setting of an agency's node, such as `limits.peer_rate`, from its next start on.
    pub fn set(&mut self, agency: &str, setting: &str, value: &str) {
        let name = setting.to_uppercase().replace('.', "__");
        let own = self.settings.entry(agency.to_owned()).or_default();
        own.insert(format!("CHANCERY_NODE__{name}"), value.to_owned());
    }

    /// Has an agency's node run in a network namespace.
    pub fn on_host(&mut self, agency: &str, host: &str) {
        self.hosts.insert(agency.to_owned(), host.to_owned());
    }

    /// Has the data folder of an agency's node lie on a disk of its own, of a size such as `400m`, from its next start on. The disk
    /// is in memory and goes with the process. No where the machine allows no such thing, which is said.
    pub fn on_small_disk(&mut self, agency: &str, size: &str) -> bool {
        let mount = "mount -t tmpfs -o size=1m none /mnt";
        let tried = Command::new("unshare").args(["-Urm", "sh", "-c", mount]).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            eprintln!("skipped: no file system can be mounted here (unshare -Urm, mount -t tmpfs)");
            return false;
        }
        std::fs::create_dir_all(self.path(&format!("{agency}/data"))).expect("makes");
        self.disks.insert(agency.to_owned(), size.to_owned());
        true
    }

    /// A path in the folder as an agency's running node sees it, also on its own disk.
    pub fn path_of(&self, agency: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let path = path.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.pid(agency))).join(path)
    }

    /// The exit code of an agency's node that has ended by itself.
    pub fn ended(&mut self, agency: &str) -> Option<i32> {
        let ended = self.nodes.get_mut(agency)?.try_wait().expect("a child")?;
        self.nodes.remove(agency);
        Some(ended.code().unwrap_or(-1))
    }

    /// Where an agency's node listens.
    pub fn listens(&self, agency: &str) -> std::net::SocketAddr {
        let text = std::fs::read_to_string(self.path(&format!("{agency}/node.toml")));
        let text = text.expect("reads");
        let line = text.lines().find_map(|l| l.strip_prefix("listen = ")).expect("a setting");
        line.trim_matches('"').parse().expect("an address")
    }

    /// Has an agency's card say that it is reached elsewhere.
    pub fn advertise(&self, agency: &str, address: &str) {
        let path = self.path(&format!("{agency}/node.toml"));
        let text = std::fs::read_to_string(&path).expect("reads");
        std::fs::write(&path, format!("advertise = \"{address}\"\n{text}")).expect("writes");
        std::fs::remove_file(self.path(&format!("{agency}/agency.card"))).expect("removes");
        self.run(&format!("node card --config {agency}/node.toml --out {agency}/agency.card")).ok();
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    }

    /// Runs `chancery` with the words of a line, in the folder, with English output.
    pub fn run(&self, line: &str) -> Answer {
        self.run_with(&line.split_whitespace().collect::<Vec<_>>(), &[])
    }

    /// As [`World::run`], with another program than the one under test.
    pub fn run_by(&self, program: &Path, line: &str) -> Answer {
        self.run_words(program, &line.split_whitespace().collect::<Vec<_>>(), &[])
    }

    /// As [`World::run`], with variables in the environment.
    pub fn run_env(&self, line: &str, env: &[(&str, &str)]) -> Answer {
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.run_with(&line.split_whitespace().collect::<Vec<_>>(), &env)
    }

    /// Runs `chancery` as the clerk of an agency.
    pub fn clerk(&self, agency: &str, line: &str) -> Answer {
        self.clerk_words(agency, &line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `chancery` as the clerk of an agency, with words that may hold spaces.
    pub fn clerk_words(&self, agency: &str, words: &[&str]) -> Answer {
        let env = [
            ("CHANCERY_SOCKET", format!("{agency}/node.sock")),
            ("CHANCERY_KEY", format!("certs-{agency}/clerk.key")),
            ("CHANCERY_CERT", format!("certs-{agency}/clerk.pem")),
        ];
        self.run_words(&self.program(agency), words, &env)
    }

    fn run_with(&self, words: &[&str], env: &[(&str, String)]) -> Answer {
        self.run_words(&binary(), words, env)
    }

    fn run_words(&self, program: &Path, words: &[&str], env: &[(&str, String)]) -> Answer {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).args(words).stdin(Stdio::null());
        for name in
            ["CHANCERY_PASSPHRASE", "CHANCERY_NEW_PASSPHRASE", "CHANCERY_ANCHOR", "CHANCERY_TRUST"]
        {
            command.env_remove(name);
        }
        command.env("LANG", "C.UTF-8").env_remove("LC_ALL");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("the binary runs");
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts an agency's node and waits until it answers.
    #[track_caller]
    pub fn start(&mut self, agency: &str) {
        self.spawn(agency);
        let end = Instant::now() + Duration::from_secs(60);
        while self.clerk(agency, "node status").code != 0 {
            let child = self.nodes.get_mut(agency).expect("just started");
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "the node of {agency} ended at once: {ended:?}");
            assert!(Instant::now() < end, "the node of {agency} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts an agency's node without waiting for it.
    pub fn spawn(&mut self, agency: &str) {
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.path(&format!("{agency}.log")))
            .expect("a log file");
        let mut command = match self.hosts.get(agency) {
            Some(host) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", host]).arg(self.program(agency));
                command
            }
            None => {
                // Some tests have more connections and files than the 1,024 of a usual shell.
                let disk = self.disks.get(agency).map(|size| {
                    let data = self.path(&format!("{agency}/data"));
                    let data = data.display();
                    format!("mount -t tmpfs -o mode=0700,size={size} none '{data}' && exec \"$0\" \"$@\"")
                });
                if let Some(script) = disk {
                    // The same process in the end, so that it can be stopped.
                    let mut command = Command::new("unshare");
                    command.args(["-Urm", "sh", "-c", &script]).arg(self.program(agency));
                    command
                } else {
                    let mut command = Command::new("sh");
                    command
                        .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""])
                        .arg(self.program(agency));
                    command
                }
            }
        };
        let child = command
            .current_dir(self.dir.path())
            .args(["node", "run", "--config", &format!("{agency}/node.toml")])
            .envs(self.node_env.iter().cloned())
            .envs(self.settings.get(agency).into_iter().flatten())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        self.nodes.insert(agency.to_owned(), child);
    }

    /// The process of an agency's node.
    pub fn pid(&self, agency: &str) -> u32 {
        self.nodes.get(agency).expect("a running node").id()
    }

    /// The most memory that an agency's node has had, in MiB.
    pub fn peak_mib(&self, agency: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid(agency)));
        let status = status.expect("a running process");
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    }

    /// Kills an agency's node with SIGKILL.
    pub fn kill(&mut self, agency: &str) {
        let mut child = self.nodes.remove(agency).expect("a running node");
        child.kill().expect("kills");
        child.wait().expect("ends");
    }

    /// Ends an agency's node with SIGTERM. Returns its exit code.
    pub fn stop(&mut self, agency: &str) -> i32 {
        let mut child = self.nodes.remove(agency).expect("a running node");
        let kill = format!("kill {}", child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success());
        child.wait().expect("ends").code().unwrap_or(-1)
    }

    /// What an agency's node has logged.
    pub fn log(&self, agency: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{agency}.log"))).unwrap_or_default()
    }

    /// Sends a file as the clerk of an agency and returns the document's id.
    #[track_caller]
    pub fn send(&self, from: &str, to: &str, file: &str, title: &str, more: &[&str]) -> String {
        let to = format!("{to}.zj.gov.cn");
        let mut words =
            vec!["--json", "send", file, "--to", &to, "--type", "通知", "--title", title];
        words.extend(more);
        let answer = self.clerk_words(from, &words).ok();
        answer.json()["document"].as_str().expect("an id").to_owned()
    }

    /// Waits until a condition holds.
    #[track_caller]
    pub fn wait(&self, what: &str, seconds: u64, mut condition: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while !condition(self) {
            assert!(Instant::now() < end, "{what}: not within {seconds} s");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The documents that came in at, or went out from, an agency.
    #[track_caller]
    pub fn list(&self, agency: &str, which: &str) -> Vec<Value> {
        let answer = self.clerk(agency, &format!("--json {which} --limit 100000")).ok();
        answer.json().as_array().expect("a list").clone()
    }

    /// The number of deliveries of an agency that are not over.
    #[track_caller]
    pub fn pending(&self, agency: &str) -> u64 {
        self.clerk(agency, "--json node status").ok().json()["pending"].as_u64().expect("a number")
    }

    /// Exports an agency's ledger into a folder.
    #[track_caller]
    pub fn export(&self, agency: &str, out: &str) {
        self.clerk(agency, &format!("ledger export --out {out}")).ok();
    }
}

/// A time-stamping authority in a process of its own.
pub struct Tsa {
    child: Child,
    /// Where it answers.
    pub url: String,
}

impl Tsa {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Tsa {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl World {
    /// Certifies and starts a time-stamping authority, `tsa.gov.cn` under the root.
    pub fn tsa(&self) -> Tsa {
        self.run(
            "ca issue --ca root --profile timestamp --name tsa.gov.cn --display TSA --out tsa \
             --no-passphrase",
        )
        .ok();
        let mut child = Command::new(binary())
            .current_dir(self.dir.path())
            .args(["--json", "tsa", "run", "--key", "tsa/timestamp.key", "--cert"])
            .args(["tsa/timestamp.pem", "--policy", "1.2.3.4", "--listen", "127.0.0.1:0"])
            .args(["--log", "tsa/issued.jsonl"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let out = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let url = format!("http://{}/", said["listening"].as_str().expect("an address"));
        Tsa { child, url }
    }
}

/// Runs a program in the world's folder: its exit code and everything it said. None, with a line that says
/// so, when it is not installed.
pub fn tool(world: &World, program: &str, line: &str) -> Option<(i32, String)> {
    let mut command = Command::new(program);
    command.current_dir(world.dir.path()).args(line.split_whitespace());
    let Ok(output) = command.output() else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
}

/// A TCP address on loopback that nobody uses at the moment.
pub fn free_address() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// A UDP port that nobody uses at the moment.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").port()
}

/// Copies a folder.
pub fn copy_dir(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status().expect("cp");
    assert!(status.success());
}

/// Flips a bit in a file.
pub fn flip(path: &Path, at: u64) {
    let mut bytes = std::fs::read(path).expect("reads");
    let at = usize::try_from(at).expect("small") % bytes.len();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("writes");
}

/// Bytes that look random but are the same each time.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        out.extend(next().to_le_bytes());
    }
    out.truncate(len);
    out
}
