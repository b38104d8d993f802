//! A certified peer that takes all it can get: of memory by answers that are larger than any need be, of files by contents that
//! it announces and never sends.

use std::time::{Duration, Instant};

use chancery_certs::Credential;
use chancery_crypto::{CHUNK_SIZE, Digest};
use chancery_ledger::unix_now;
use chancery_protocol::{EnvelopeHeader, PeerMessage, Urgency, encode_frame};
use chancery_tests::{
    Clerk, World,
    peer::{Sealed, address, client, document, seal_of},
};
use quinn::Connection;

use crate::meanwhile::{Doors, all_goes_on, little_memory, worst};

/// Answers whatever a node asks with as much as it takes and more, and never ends.
async fn answer_fatly(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            drop(recv.read_to_end(1 << 20).await);
            for claim in [(4_u32 << 20) - 1, 60 << 10] {
                drop(send.write_all(&claim.to_be_bytes()).await);
                drop(send.write_all(&vec![0; claim as usize - 1]).await);
            }
            std::future::pending::<()>().await;
        });
    }
}

/// Offers large contents, as many as the connection lets, and sends none of them; others in place of those that are given up.
async fn announce(connection: Connection, good: EnvelopeHeader, seal: Credential) {
    for index in 0..u64::MAX {
        let root = Digest::of(&[index.to_be_bytes(), [connection.stable_id() as u8; 8]].concat());
        let size = 100 * CHUNK_SIZE as u64;
        let envelope = EnvelopeHeader { root, size, ..good.clone() };
        let envelope = envelope.seal(&seal, unix_now()).unwrap();
        let ask = PeerMessage::Offer { envelope, content: None, recipient: None };
        let Ok((mut send, mut recv)) = connection.open_bi().await else { return };
        drop(send.write_all(&encode_frame(&ask).unwrap()).await);
        tokio::spawn(async move {
            // Until the node gives it up, or refuses it.
            drop(recv.read_to_end(1 << 20).await);
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(send);
        });
    }
}

/// Contents that are arriving at a node.
fn arriving(world: &World, agency: &str) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", world.pid(agency))).unwrap();
    let files = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    files.filter(|file| file.to_string_lossy().contains("/data/content/")).count()
}

#[test]
fn a_peer_that_answers_fatly_and_announces_what_it_never_sends_costs_little_and_keeps_nobody_waiting()
 {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    let (doors, _) = Doors::of(&mut world, "b", &["erp"]);
    world.start("a");
    world.start("b");
    let mut clerk = Clerk::new(world.dir.path(), "a");
    for n in 0..130 {
        clerk.send(&["c.zj.gov.cn"], &format!("t{n}"), b"text", Urgency::Routine).unwrap();
    }
    let part = vec![7; 100 << 10];
    let good = Sealed::new(&world, &document("c", "b", "Never", &[("part", &part)]), &[&part]);
    let good = good.header(&world, "c", "b");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connections = runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let mut connections = Vec::new();
        for _ in 0..4 {
            let to = |agency: &str| {
                endpoint.connect(address(&world, agency), &format!("{agency}.zj.gov.cn"))
            };
            let (a, b) = (to("a").unwrap().await.unwrap(), to("b").unwrap().await.unwrap());
            tokio::spawn(answer_fatly(a.clone()));
            tokio::spawn(answer_fatly(b.clone()));
            tokio::spawn(announce(b.clone(), good.clone(), seal_of(&world, "c")));
            connections.push((a, b));
        }
        connections
    });
    // What never comes is given up after a while, so they are counted while they are fresh.
    let begun = Instant::now();
    all_goes_on(&world, begun + worst().min(Duration::from_secs(10)), &|| doors.look_up());
    let most = arriving(&world, "b");
    if begun.elapsed() < worst() {
        all_goes_on(&world, begun + worst(), &|| doors.look_up());
    }
    assert!((100..=128).contains(&most), "{most} contents are arriving");
    little_memory(&world, "a");
    little_memory(&world, "b");
    assert!(world.pending("a") >= 130, "nothing that was answered so is delivered");
    for (to_a, to_b) in connections {
        to_a.close(0u8.into(), b"enough");
        to_b.close(0u8.into(), b"enough");
    }
    world.wait("what was announced is given up", 60, |world| arriving(world, "b") == 0);
}
