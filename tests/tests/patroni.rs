//! A node on a database that Patroni keeps: when the primary dies, Patroni promotes the synchronous standby by itself, and nothing
//! that was acknowledged is lost. It takes etcd and Patroni (Debian: `etcd-server`, `patroni`) and two minutes, so it is run by
//! `make soak`.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chancery_tests::{World, free_address};

const BIN: &str = "/usr/lib/postgresql/15/bin";
/// Documents that are sent through it; `PATRONI_DOCUMENTS` says otherwise.
const DOCUMENTS: usize = 300;

/// A process that ends with the test, and its children with it.
struct Running(Child);

impl Running {
    fn start(mut command: Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a log");
        let errors = log.try_clone().expect("a log");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Self(command.spawn().expect("it starts"))
    }

    fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As the user that the server takes.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    // Where that user may be.
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program])
        .current_dir("/");
    command
}

struct Member {
    name: &'static str,
    port: u16,
    data: PathBuf,
    process: Running,
}

impl Member {
    fn start(folder: &Path, name: &'static str, etcd: &str) -> Self {
        let (port, api) = (free_address().port(), free_address().port());
        let data = folder.join(name);
        let settings = format!(
            "scope: chancery\nname: {name}\n\
             restapi: {{ listen: '127.0.0.1:{api}', connect_address: '127.0.0.1:{api}' }}\n\
             etcd3: {{ host: '{etcd}' }}\n\
             bootstrap:\n  dcs:\n    ttl: 20\n    loop_wait: 1\n    retry_timeout: 4\n    maximum_lag_on_failover: 1048576\n    \
             synchronous_mode: true\n    synchronous_mode_strict: true\n    postgresql: {{ use_pg_rewind: false }}\n  \
             initdb: [encoding: UTF8, locale: C]\n  \
             pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']\n\
             postgresql:\n  listen: '127.0.0.1:{port}'\n  connect_address: '127.0.0.1:{port}'\n  data_dir: '{data}'\n  \
             bin_dir: '{BIN}'\n  pgpass: '{pass}'\n  \
             authentication: {{ superuser: {{ username: postgres }}, replication: {{ username: postgres }} }}\n  \
             parameters: {{ unix_socket_directories: '' }}\n",
            data = data.display(),
            pass = folder.join(format!("{name}.pass")).display(),
        );
        let file = folder.join(format!("{name}.yml"));
        std::fs::write(&file, settings).expect("it is written");
        let mut command = as_postgres("patroni");
        command.arg(&file);
        let process = Running::start(command, &folder.join(format!("{name}.log")));
        Self { name, port, data, process }
    }

    fn query(&self, statement: &str) -> Option<String> {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres?connect_timeout=2", self.port);
        let mut psql = Command::new(format!("{BIN}/psql"));
        let output = psql.args(["-X", "-A", "-t", "-q", "-c", statement, &url]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    fn is_primary(&self) -> bool {
        self.query("SELECT NOT pg_is_in_recovery()").as_deref() == Some("t")
    }

    /// Ends Patroni and its server at once, as a power cut would.
    fn kill(&mut self) {
        self.process.kill();
        let lines = std::fs::read_to_string(self.data.join("postmaster.pid")).expect("it runs");
        let pid = lines.lines().next().expect("a line").trim().to_owned();
        assert!(Command::new("kill").args(["-9", &pid]).status().expect("it runs").success());
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.process.kill();
        let mut stop = as_postgres(&format!("{BIN}/pg_ctl"));
        drop(stop.args(["stop", "--mode=immediate", "--silent", "-D"]).arg(&self.data).output());
    }
}

fn until(what: &str, seconds: u64, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {seconds} s");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
#[ignore = "it takes etcd and Patroni: `make soak`"]
fn soak_patroni_promotes_the_standby_and_nothing_is_lost() {
    if !Path::new("/usr/bin/patroni").exists() || !Path::new("/usr/bin/etcd").exists() {
        eprintln!("SKIPPED: there is no Patroni or no etcd (apt-get install patroni etcd-server)");
        return;
    }
    let folder = tempfile::Builder::new().prefix("patroni").tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("a folder");
    let (client, peer) = (free_address(), free_address());
    let mut etcd = Command::new("etcd");
    let at = |address| format!("http://{address}");
    etcd.args(["--listen-client-urls", &at(client), "--advertise-client-urls", &at(client)]);
    etcd.args(["--listen-peer-urls", &at(peer), "--initial-advertise-peer-urls", &at(peer)]);
    etcd.args(["--initial-cluster", &format!("default={}", at(peer)), "--data-dir"]);
    etcd.arg(folder.path().join("etcd"));
    let _etcd = Running::start(etcd, &folder.path().join("etcd.log"));
    let client = client.to_string();
    let mut one = Member::start(folder.path(), "one", &client);
    until("the first is the primary", 90, || one.is_primary());
    let two = Member::start(folder.path(), "two", &client);
    let replicated =
        "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
    until("the second replicates synchronously", 90, || {
        one.query(replicated).as_deref() == Some("1")
    });
    one.query("CREATE ROLE node LOGIN").expect("a role");
    one.query("CREATE DATABASE node OWNER node").expect("a database");

    let mut world = World::new();
    let url = format!("postgres://node@127.0.0.1:{},127.0.0.1:{}/node", one.port, two.port);
    world.set("b", "store.engine", "postgres");
    world.set("b", "store.url", &format!("'{url}'"));
    world.set("b", "store.contents", "'../contents-b'");
    world.set("b", "store.contents_shared", "true");
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    let asked = std::env::var("PATRONI_DOCUMENTS").ok();
    let documents = asked.map_or(DOCUMENTS, |asked| asked.parse().expect("a number"));
    let mut sent = BTreeSet::new();
    for n in 0..documents {
        if n == documents / 2 {
            one.kill();
            eprintln!("{} was killed", one.name);
        }
        sent.insert(world.send("a", "b", "n.txt", &format!("document {n}"), &[]));
    }
    let died = Instant::now();
    until("the second is the primary", 120, || two.is_primary());
    eprintln!("{} was promoted {:?} after the last was sent", two.name, died.elapsed());
    // Strictly synchronous: commits wait for a standby of the new primary. The first comes back as that.
    std::fs::remove_dir_all(&one.data).expect("the old one is not started as it was");
    drop(one);
    let _third = Member::start(folder.path(), "three", &client);
    world.wait("all is delivered", 180, |w| w.pending("a") == 0);
    let came: BTreeSet<_> = world
        .list("b", "inbox")
        .iter()
        .map(|one| one["document"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(came.len(), documents);
    assert_eq!(came, sent);
    world.export("a", "export-a");
    world.export("b", "export-b");
    let line = "audit export-a export-b --anchor root/ca.pem --against export-a --against export-b";
    world.run(line).ok();
}
