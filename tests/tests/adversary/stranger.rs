//! Somebody on the network with no certificate and no token: he begins what he never ends, says nothing, reads nothing, and
//! sends junk. Peers, clerks and systems do not notice.

use std::{
    collections::VecDeque,
    io::Write as _,
    net::{SocketAddr, TcpStream, UdpSocket},
    process::Command,
    time::{Duration, Instant},
};

use chancery_protocol::{PeerMessage, decode_frame, encode_frame};
use chancery_tests::{
    World, noise,
    peer::{address, client, exchange, half_open},
};

use quinn::Endpoint;

use crate::meanwhile::{Doors, again, all_goes_on, little_memory, worst};

/// Begins 160 handshakes a second until `end`, and ends none.
async fn begin_handshakes(endpoint: Endpoint, to: SocketAddr, end: Instant) -> usize {
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / 160));
    let mut begun = Vec::new();
    while Instant::now() < end {
        ticks.tick().await;
        let connecting = endpoint.connect(to, "b.zj.gov.cn").unwrap();
        begun.push(tokio::spawn(async move {
            // Whoever lets it go would say goodbye.
            let connected = connecting.await;
            std::future::pending::<()>().await;
            drop(connected);
        }));
    }
    begun.len()
}

/// Sends junk to a node until `end`: noise, and what begins like a handshake.
fn send_junk(to: SocketAddr, end: Instant) {
    let socket = UdpSocket::bind("127.0.0.3:0").unwrap();
    let mut junk = noise(1200, 11);
    while Instant::now() < end {
        for first in [0x00, 0x43, 0xc3, 0xd0, 0xe1, 0xf7] {
            junk[0] = first;
            junk[1..5].copy_from_slice(&1_u32.to_be_bytes());
            junk[6] = junk[6].wrapping_add(7);
            // What the system does not send is lost, as junk may be.
            drop(socket.send_to(&junk, to));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Comes as the node of `c` and asks something, again and again until it is let in.
async fn get_in(world: &World) {
    let question = PeerMessage::AskDirectory { version: u64::MAX, digest: None };
    let question = encode_frame(&question).unwrap();
    let endpoint = client(world, Some("certs-c"), "root/ca.pem");
    loop {
        let connecting = endpoint.connect(address(world, "b"), "b.zj.gov.cn").unwrap();
        if let Ok(connection) = connecting.await
            && let Ok(answer) = exchange(&connection, &question).await
        {
            let answer: PeerMessage = decode_frame(&answer[4..]).unwrap();
            assert_eq!(answer, PeerMessage::Directory { size: None });
            return;
        }
    }
}

#[test]
fn strangers_who_begin_handshakes_and_send_junk_keep_no_peer_out() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    let (doors, _) = Doors::of(&mut world, "b", &["erp"]);
    world.start("b");
    let (to, end) = (address(&world, "b"), Instant::now() + worst());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // From the address of honest peers, and from elsewhere.
    let attacks = runtime.block_on(async {
        ["127.0.0.1", "127.0.0.2"].map(|from| {
            let endpoint = half_open(&world, from.parse().unwrap());
            tokio::spawn(begin_handshakes(endpoint, to, end))
        })
    });
    let junk = std::thread::spawn(move || send_junk(to, end));
    // Its connection is made in the middle of it.
    world.start("a");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            again("a handshake", end, Duration::from_secs(10), || {
                tokio::runtime::Runtime::new().unwrap().block_on(get_in(&world));
            });
        });
        all_goes_on(&world, end, &|| doors.look_up());
    });
    for attack in attacks {
        let begun = runtime.block_on(attack).unwrap();
        assert!(begun > 800, "{begun} handshakes were begun");
    }
    junk.join().unwrap();
    little_memory(&world, "b");
    let log = world.log("b");
    let failed = log.lines().filter(|line| line.contains("handshake failed")).count();
    // One a second, however many there are: of handshakes that fail and of those that give way.
    let most = 40 + 2 * usize::try_from(worst().as_secs()).unwrap();
    assert!((1..most).contains(&failed), "{failed} lines of the log are of strangers");
}

/// Connects to each door again and again, so that as many as can be are connected, until `end`.
fn crowd(doors: &[SocketAddr], first: &[u8], end: Instant) -> usize {
    let mut crowd: VecDeque<TcpStream> = VecDeque::new();
    let mut made = 0;
    while Instant::now() < end {
        for door in doors {
            let Ok(mut stream) = TcpStream::connect_timeout(door, Duration::from_secs(1)) else {
                continue;
            };
            // Of what it is sent, it reads nothing.
            drop(stream.write_all(first));
            crowd.push_back(stream);
            made += 1;
        }
        if crowd.len() > 2200 {
            crowd.drain(..doors.len());
        }
        // There is one machine for all.
        std::thread::sleep(Duration::from_millis(1));
    }
    made
}

#[test]
fn strangers_who_say_nothing_or_read_nothing_keep_no_system_out() {
    let mut world = World::new();
    let (doors, _) = Doors::of(&mut world, "b", &["erp"]);
    world.start("a");
    world.start("b");
    let to = [doors.interface, doors.monitor];
    let reads_nothing = b"GET /v1/openapi.json HTTP/1.1\r\nHost: b\r\n\r\n".repeat(40);
    for first in [&[][..], b"GET /v1/status HTTP/1.1\r\nX: ", &reads_nothing] {
        let end = Instant::now() + worst();
        std::thread::scope(|scope| {
            let crowd = scope.spawn(|| crowd(&to, first, end));
            all_goes_on(&world, end, &|| doors.look_up());
            let made = crowd.join().unwrap();
            assert!(made > 1100, "{made} connections were made");
        });
    }
    little_memory(&world, "b");
}

/// Sets how many files a process may have open.
fn allow_files(pid: u32, files: &str) {
    let limit = format!("--nofile={files}");
    let set = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status().unwrap();
    assert!(set.success());
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn every_door_goes_on_when_files_run_out() {
    let mut world = World::new();
    let (doors, _) = Doors::of(&mut world, "b", &["erp"]);
    world.start("a");
    world.start("b");
    let pid = world.pid("b");
    let usual = open_files(pid);
    allow_files(pid, &format!("{}:20000", usual + 150));
    let socket = world.path("b/node.sock");
    // All come from one address: who is one of them may have to give way, and comes again at once.
    let comes_again = || {
        while doors.try_to().is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // Through each door as many as there can be, one after the other: each runs out of files.
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    for door in ["the HTTP interface", "the monitor", "the local socket"] {
        let fails = format!("what=\"{door}\"");
        for _ in 0..400 {
            match door {
                "the local socket" => {
                    held.push(Box::new(std::os::unix::net::UnixStream::connect(&socket).unwrap()));
                }
                "the monitor" => held.push(Box::new(TcpStream::connect(doors.monitor).unwrap())),
                _ => held.push(Box::new(TcpStream::connect(doors.interface).unwrap())),
            }
        }
        world.wait(&format!("{door} fails"), 10, |world| {
            world.log("b").lines().any(|l| l.contains(&fails) && l.contains("it goes on"))
        });
        // It goes on, and so do the others, once all who wait before them have come and gone.
        world.wait("all are answered", 10, |world| {
            world.clerk("b", "node status").code == 0 && doors.try_to().is_ok()
        });
        let end = Instant::now() + Duration::from_secs(1);
        all_goes_on(&world, end, &comes_again);
        held.clear();
        world.wait("all is as it was", 10, |_| open_files(pid) <= usual + 20);
    }
    allow_files(pid, "20000:20000");
    all_goes_on(&world, Instant::now(), &|| doors.look_up());
    assert_eq!(world.stop("b"), 0);
}

#[test]
fn a_time_stamping_authority_answers_whoever_else_is_there() {
    let world = World::new();
    let tsa = world.tsa();
    let door: SocketAddr = tsa.url["http://".len()..].trim_end_matches('/').parse().unwrap();
    let end = Instant::now() + worst();
    let agent: ureq::Agent = ureq::Agent::config_builder().max_idle_connections(0).build().into();
    let honest = || drop(agent.get(format!("{}healthz", tsa.url)).call().expect("an answer"));
    let slow = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/timestamp-query\r\n\
                 Content-Length: 100\r\n\r\n";
    std::thread::scope(|scope| {
        for first in [&[][..], slow] {
            scope.spawn(move || assert!(crowd(&[door], first, end) > 1100));
        }
        again("a request to the authority", end, Duration::from_secs(2), honest);
    });
    // Nor does it end when its files run out.
    let usual = open_files(tsa.pid());
    allow_files(tsa.pid(), &format!("{}:20000", usual + 10));
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(door).unwrap()).collect();
    again("a request to the authority", Instant::now(), Duration::from_secs(2), honest);
    drop(crowd);
    world.write("n.txt", b"text");
    world
        .run(
            "doc sign n.txt --to b.zj.gov.cn --type 通知 --title t --key certs-a/clerk.key \
             --cert certs-a/clerk.pem --out doc",
        )
        .ok();
    world.run(&format!("doc timestamp doc --tsa {}", tsa.url)).ok();
}
