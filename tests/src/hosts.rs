//! Hosts with cables between them: network namespaces on a bridge, with `tc netem` where the kernel has it.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::Faults;

fn done(program: &str, line: &str) -> bool {
    let output = Command::new(program).args(line.split_whitespace()).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs `ip` with the words of a line.
pub fn ip(line: &str) -> bool {
    done("ip", line)
}

/// Hosts that reach one another at addresses of their own. They are gone when this is dropped.
pub struct Hosts {
    /// The namespaces.
    pub names: Vec<String>,
    /// The one that the cables meet in.
    hub: String,
}

impl Hosts {
    /// So many hosts; none where the machine makes no network namespaces, which is said.
    pub fn new(count: usize) -> Option<Self> {
        // Tests of one process run at the same time.
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let tag = format!("chy{}-{made}", std::process::id());
        let names: Vec<_> = (0..count).map(|n| format!("{tag}-{n}")).collect();
        let hosts = Self { names, hub: format!("{tag}-hub") };
        let hub = &hosts.hub;
        let mut made = ip(&format!("netns add {hub}"))
            && ip(&format!("-n {hub} link add bridge type bridge"))
            && ip(&format!("-n {hub} link set bridge up"));
        for (n, host) in hosts.names.iter().enumerate() {
            let address = hosts.address(n);
            made = made
                && ip(&format!("netns add {host}"))
                && ip(&format!(
                    "link add eth0 netns {host} type veth peer name port{n} netns {hub}"
                ))
                && ip(&format!("-n {hub} link set port{n} master bridge up"))
                && ip(&format!("-n {host} addr add {address}/24 dev eth0"))
                && ip(&format!("-n {host} link set eth0 up"))
                && ip(&format!("-n {host} link set lo up"));
            // So that the hub loses and delays packets, not bundles of them. An older `ip` cannot say it.
            ip(&format!("-n {host} link set eth0 gso_max_segs 1"));
        }
        if !made {
            eprintln!("no network namespaces can be made here");
            return None;
        }
        Some(hosts)
    }

    /// The address of a host.
    pub fn address(&self, n: usize) -> String {
        format!("10.99.0.{}", n + 1)
    }

    /// Has a host's cable do this to packets, in each direction. No where the kernel has no netem.
    pub fn set(&self, n: usize, faults: Faults) -> bool {
        let Faults { loss, double, delay, jitter } = faults;
        self.netem(
            n,
            &format!(
                "delay {delay}ms {jitter}ms loss {}% duplicate {}%",
                tenth(loss),
                tenth(double)
            ),
        )
    }

    /// Has a host's cable let nothing through.
    pub fn cut(&self, n: usize) -> bool {
        self.netem(n, "loss 100%")
    }

    fn netem(&self, n: usize, faults: &str) -> bool {
        let (hub, host) = (&self.hub, &self.names[n]);
        [(host, "eth0".to_owned()), (hub, format!("port{n}"))].iter().all(|(at, device)| {
            // It holds what is on its way: enough for a fast link with a long delay.
            let line =
                format!("-n {at} qdisc replace dev {device} root netem limit 100000 {faults}");
            done("tc", &line)
        })
    }

    /// Packets that a host's cable has lost.
    pub fn lost(&self, n: usize) -> u64 {
        let count = |at: &str, device: &str| {
            let output =
                Command::new("tc").args(["-s", "-n", at, "qdisc", "show", "dev", device]).output();
            let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            let output = output.unwrap_or_default();
            let dropped =
                output.split("dropped ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
            dropped.and_then(|n| n.parse::<u64>().ok()).unwrap_or_default()
        };
        count(&self.names[n], "eth0") + count(&self.hub, &format!("port{n}"))
    }
}

/// Thousandths in per cent.
fn tenth(thousandths: u64) -> String {
    format!("{}.{}", thousandths / 10, thousandths % 10)
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in self.names.iter().chain([&self.hub]) {
            ip(&format!("netns del {host}"));
        }
    }
}
