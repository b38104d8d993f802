//! What honest users get done while somebody does his worst.

use std::time::{Duration, Instant};

use chancery_tests::{World, free_address};
use ureq::Agent;

/// For how long each attack goes on: ten seconds, or what `WORST_SECONDS` says.
pub(crate) fn worst() -> Duration {
    Duration::from_secs(asked().unwrap_or(10))
}

/// What `WORST_SECONDS` says (`make soak`, where attacks are made one after the other): then also the 99th percentile is bounded.
fn asked() -> Option<u64> {
    let seconds = std::env::var("WORST_SECONDS").ok()?;
    Some(seconds.parse().expect("WORST_SECONDS is a number"))
}

/// How long a delivery, and a look-up, may take meanwhile.
const DELIVERY: Duration = Duration::from_secs(10);
const LOOK_UP: Duration = Duration::from_secs(2);
/// What 99 of a hundred of either take at most, in `make soak`.
const MOST_DELIVERIES: Duration = Duration::from_secs(2);
const MOST_LOOK_UPS: Duration = Duration::from_millis(200);

/// The interface and the monitor of an agency's node, with a token of a clerk's system.
pub(crate) struct Doors {
    agent: Agent,
    pub interface: std::net::SocketAddr,
    pub monitor: std::net::SocketAddr,
    token: String,
}

impl Doors {
    /// Has the node open them from its next start on. Every name is a token of its own that may do what clerks may; the first is
    /// the honest one's, and those of the others are given.
    pub(crate) fn of(world: &mut World, agency: &str, names: &[&str]) -> (Self, Vec<String>) {
        let (interface, monitor) = (free_address(), free_address());
        let (mut settings, mut roles, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let made = world.run(&format!("--json node token {name}")).ok().json();
            settings.push(format!("{{ name = '{name}', digest = {} }}", made["digest"]));
            roles.push(format!("'token:{name}'"));
            tokens.push(made["token"].as_str().unwrap().to_owned());
        }
        world.set(agency, "api.listen", &interface.to_string());
        world.set(agency, "api.plain", "true");
        world.set(agency, "api.tokens", &format!("[{}]", settings.join(", ")));
        world.set(agency, "monitor.listen", &monitor.to_string());
        let clerks = format!("['unix:*', '*@{agency}.zj.gov.cn', {}]", roles.join(", "));
        world.set(agency, "access.roles.clerk", &clerks);
        // Each look-up knocks anew.
        let agent = Agent::config_builder().max_idle_connections(0).timeout_global(Some(DELIVERY));
        let token = tokens.remove(0);
        (Self { agent: agent.build().into(), interface, monitor, token }, tokens)
    }

    /// Looks something up by each.
    pub(crate) fn look_up(&self) {
        self.try_to().expect("an answer");
    }

    /// As [`Doors::look_up`]; says why not.
    pub(crate) fn try_to(&self) -> Result<(), ureq::Error> {
        let inbox = format!("http://{}/v1/inbox?limit=3", self.interface);
        let inbox = self.agent.get(inbox).header("Authorization", format!("Bearer {}", self.token));
        inbox.call()?;
        self.agent.get(format!("http://{}/healthz", self.monitor)).call().map(drop)
    }
}

/// Again and again until `end`, and at least once.
#[track_caller]
pub(crate) fn again(what: &str, end: Instant, most: Duration, work: impl Fn()) {
    let mut took = Vec::new();
    while took.is_empty() || Instant::now() < end {
        let start = Instant::now();
        work();
        took.push(start.elapsed());
        assert!(start.elapsed() <= most, "{what} took {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    took.sort_unstable();
    let most_of_them = took[(took.len() * 99).div_ceil(100) - 1];
    eprintln!("{what}: {} times, p99 {most_of_them:?}, {:?} at most", took.len(), took.last());
    let bound = if most == LOOK_UP { MOST_LOOK_UPS } else { MOST_DELIVERIES };
    // Of fewer than a hundred the 99th percentile is the slowest alone.
    if asked().is_some() && took.len() >= 100 {
        assert!(most_of_them <= bound, "{what}: 99 of 100 took up to {most_of_them:?}");
    }
}

/// Has `a` deliver to `b`, and clerks of `b` and whoever else look things up, until `end`: every delivery within ten seconds,
/// every look-up within two.
pub(crate) fn all_goes_on(world: &World, end: Instant, more: &(dyn Fn() + Sync)) {
    world.write("honest.txt", b"text");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            again("a delivery", end, DELIVERY, || {
                world.send("a", "b", "honest.txt", "Honest", &["--wait", "30"]);
            });
        });
        scope.spawn(|| {
            again("a look-up by the socket", end, LOOK_UP, || {
                world.clerk("b", "--json inbox --limit 3").ok();
            });
        });
        again("a look-up elsewhere", end, LOOK_UP, more);
    });
}

/// Memory that a node may have had.
#[track_caller]
pub(crate) fn little_memory(world: &World, agency: &str) {
    let peak = world.peak_mib(agency);
    eprintln!("{agency} had {peak} MiB");
    assert!(peak < 200, "{agency} had {peak} MiB");
}
