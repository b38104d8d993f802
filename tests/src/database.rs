//! PostgreSQL servers for a test, each in a folder of its own.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::free_address;

/// Where Debian puts the server's programs.
const PLACES: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/local/bin",
];
/// What makes a test's server quick to start and sure to be alone.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 64MB
max_connections = 100
wal_level = replica
max_wal_senders = 8
hot_standby = on
wal_receiver_status_interval = 1
log_min_messages = fatal
";

/// A server, stopped and removed with its folder when it is dropped.
pub struct Database {
    folder: TempDir,
    port: u16,
    running: bool,
}

/// A program of the server's, as a user that the server takes.
fn program(name: &str) -> Option<Command> {
    let place = PLACES.iter().map(Path::new).find(|place| place.join("initdb").exists())?;
    let program = place.join(name);
    // The server does not run as root.
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        return Some(command);
    }
    Some(Command::new(program))
}

fn done(mut command: Command) -> Output {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

impl Database {
    /// Starts a server; none where there is no PostgreSQL, which is said.
    pub fn start() -> Option<Self> {
        let Some(mut init) = program("initdb") else {
            eprintln!("SKIPPED: there is no PostgreSQL (scripts/setup.sh tests installs it)");
            return None;
        };
        let mut server = Self::folder();
        init.args(["--auth=trust", "--username=chancery", "--encoding=UTF8", "--locale=C", "-D"]);
        init.arg(server.data());
        done(init);
        server.settle("");
        server.resume();
        // Nodes come as a role that may do nothing but own its database.
        server.query("CREATE ROLE node LOGIN");
        server.make("node");
        Some(server)
    }

    /// A standby of this server, which replicates it.
    pub fn standby(&self, name: &str) -> Self {
        let mut standby = Self::folder();
        let mut copy = program("pg_basebackup").expect("it is there with the server");
        let from =
            format!("host=127.0.0.1 port={} user=chancery application_name={name}", self.port);
        copy.args([
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
            "-d",
            &from,
        ]);
        copy.arg("-D").arg(standby.data());
        done(copy);
        standby.settle("");
        standby.resume();
        standby
    }

    fn folder() -> Self {
        let folder = tempfile::Builder::new().prefix("database").tempdir().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("a folder");
        Self { folder, port: free_address().port(), running: false }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes the settings anew, with more.
    fn settle(&self, more: &str) {
        let settings = format!("{SETTINGS}port = {}\n{more}\n", self.port);
        let path = self.folder.path().join("settings.conf");
        std::fs::write(&path, settings).expect("writes");
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&path, open).expect("a file");
    }

    /// Changes settings of a server that runs.
    pub fn set(&self, setting: &str, value: &str) {
        self.query(&format!("ALTER SYSTEM SET {setting} = {value}"));
        self.query("SELECT pg_reload_conf()");
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        let settings = self.folder.path().join("settings.conf");
        let mut start = program("pg_ctl").expect("it is there with the server");
        let options = format!("-c config_file={}", settings.display());
        // The settings that `ALTER SYSTEM` and a base backup leave stand in its data folder, and are read all the same.
        start.args(["start", "--wait", "--timeout=60", "--silent", "-o", &options]);
        start.args(["-l", &self.folder.path().join("log").display().to_string(), "-D"]);
        start.arg(self.data());
        // Its children keep what it writes to open.
        let status = start.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        let status = status.stderr(std::process::Stdio::null()).status().expect("it runs");
        assert!(status.success(), "{:?}", std::fs::read_to_string(self.folder.path().join("log")));
        self.running = true;
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let lines = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let pid: i32 = lines.lines().next().expect("a line").trim().parse().expect("a number");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        // The postmaster and its children, which end when it has gone.
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
        self.running = false;
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        let mut promote = program("pg_ctl").expect("it is there with the server");
        promote.args(["promote", "--wait", "--timeout=60", "--silent", "-D"]).arg(self.data());
        done(promote);
    }

    /// Makes a database that nodes own.
    pub fn make(&self, name: &str) {
        self.query(&format!("CREATE DATABASE {name} OWNER node"));
    }

    /// The address of the nodes' database, as a setting.
    pub fn url(&self) -> String {
        self.url_of("node")
    }

    /// The address of another that [`Database::make`] has made.
    pub fn url_of(&self, name: &str) -> String {
        format!("postgres://node@127.0.0.1:{}/{name}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a statement of the administrator's gives, as text.
    pub fn query(&self, statement: &str) -> String {
        self.query_in("postgres", statement)
    }

    /// As [`Database::query`], in a database.
    pub fn query_in(&self, database: &str, statement: &str) -> String {
        let mut ask = program("psql").expect("it is there with the server");
        let url = format!("postgres://chancery@127.0.0.1:{}/{database}", self.port);
        ask.args(["-X", "-A", "-t", "-q", "-c", statement, &url]);
        String::from_utf8_lossy(&done(ask).stdout).trim().to_owned()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.running
            && let Some(mut stop) = program("pg_ctl")
        {
            stop.args(["stop", "--mode=immediate", "--silent", "-D"]).arg(self.data());
            drop(stop.output());
        }
    }
}
