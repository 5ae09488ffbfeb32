//! The SMSC as a client by rusmpp sees it: over the simulated world, and once over real sockets.

use super::esme::{As, Esme, delivered, delivered_text, message_id, sms};
use super::net::Weather;
use super::personality::*;
use super::record::{Keep, RecordOptions, Recorder, TokenRule};
use super::smsc::{Options, Smsc, SmscHandle};
use super::world::SimWorld;
use crate::base::Span;
use crate::world::World;
use rusmpp::tlvs::TlvTag;
use rusmpp::values::InterfaceVersion;
use rusmpp::{CommandId, CommandStatus, Pdu};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;

const OK: CommandStatus = CommandStatus::EsmeRok;

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn everything() -> Options {
    let record = RecordOptions { keep: Keep::Submits, token: TokenRule::First(20), ..RecordOptions::default() };
    Options { record: Arc::new(Recorder::new(record)), ..Options::default() }
}

async fn simulated(personality: Personality) -> (World, SmscHandle) {
    let world = SimWorld::new(11).world();
    let smsc = Smsc::listen(&world, loopback(2775), personality, everything()).await.expect("free");
    (world, smsc)
}

/// The whole conversation, over whatever world.
async fn converse(world: &World, smsc: &SmscHandle) {
    let mut esme = Esme::dial(world, smsc.local_addr()).await;
    let resp = esme.bind(As::Transceiver, "esme", "secret").await;
    let Some(Pdu::BindTransceiverResp(bound)) = resp.pdu() else { panic!("{resp:?}") };
    assert_eq!((resp.status(), bound.sc_interface_version()), (OK, Some(InterfaceVersion::Smpp3_4)));

    let resp = esme.submit_answered("hello").await;
    assert_eq!((resp.status(), resp.id(), message_id(&resp)), (OK, CommandId::SubmitSmResp, "0000000001".into()));
    let receipt = esme.next().await;
    let text = delivered_text(&receipt);
    assert!(text.starts_with("id:0000000001 sub:001 dlvrd:001 submit date:"), "{text}");
    assert!(text.ends_with(" stat:DELIVRD err:000 Text:hello"), "{text}");
    let deliver = delivered(&receipt);
    assert_eq!(u8::from(deliver.esm_class), 4);
    assert_eq!((deliver.source_addr.as_str(), deliver.destination_addr.as_str()), ("33612345678", "SHOP"));
    esme.respond(0, &receipt).await;

    esme.send(Pdu::EnquireLink).await;
    assert_eq!(esme.next().await.id(), CommandId::EnquireLinkResp);

    smsc.inject_mo("+33612345678", "36105", "STOP");
    let mo = esme.next().await;
    assert_eq!((delivered_text(&mo).as_str(), u8::from(delivered(&mo).esm_class)), ("STOP", 0));
    assert_eq!(delivered(&mo).destination_addr.as_str(), "36105");
    esme.respond(0, &mo).await;

    esme.send(Pdu::Unbind).await;
    assert_eq!(esme.next().await.id(), CommandId::UnbindResp);
    assert!(esme.maybe_next(Span::secs(60)).await.is_none(), "the SMSC closes after unbind_resp");
}

fn assert_conversed(smsc: &SmscHandle) {
    let counts = smsc.counts();
    assert_eq!((counts.binds, counts.enquires, counts.unbinds), (1, 1, 1));
    assert_eq!((counts.submits, counts.accepted, counts.responded), (1, 1, 1));
    assert_eq!((counts.receipts_sent, counts.receipts_acked, counts.mo_sent, counts.mo_acked), (1, 1, 1, 1));
    assert_eq!((counts.strange, counts.malformed, counts.disconnects), (0, 0, 0));
    let submit = &smsc.record().submits()[0];
    assert_eq!((submit.source.as_str(), submit.dest.as_str(), submit.message_id.as_str()), ("SHOP", "33612345678", "0000000001"));
    assert_eq!((submit.system_id.as_str(), submit.token.as_deref(), submit.status, submit.answered), ("esme", Some("hello"), 0, true));
}

#[tokio::test(start_paused = true)]
async fn bind_submit_receipt_message_and_unbind_over_the_simulated_world() {
    let sim = SimWorld::new(5);
    let ms = |n| Span::millis(n).std();
    // Latency and torn reads must change nothing.
    sim.net().set_weather(Weather { latency_min: ms(1), latency_max: ms(30), chunk_max: 9 });
    let world = sim.world();
    let smsc = Smsc::listen(&world, loopback(0), Personality::default(), everything()).await.expect("free");
    converse(&world, &smsc).await;
    assert_conversed(&smsc);
    smsc.stop().await;
}

#[tokio::test]
async fn bind_submit_receipt_message_and_unbind_over_real_sockets() {
    let world = World::real();
    let smsc = Smsc::listen(&world, loopback(0), Personality::default(), everything()).await.expect("free");
    converse(&world, &smsc).await;
    assert_conversed(&smsc);
    smsc.stop().await;
}

#[tokio::test]
async fn the_same_over_tls() {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["smsc.example".into()]).expect("a certificate");
    let server = crate::world::tls::Server::new(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).expect("valid");
    let client = crate::world::tls::Client::new(Some(cert.pem().as_bytes())).expect("valid");
    let world = World::real();
    let options = Options { tls: Some(server), ..everything() };
    let smsc = Smsc::listen(&world, loopback(0), Personality::default(), options).await.expect("free");
    let stream = crate::world::tls::dial(&world, smsc.local_addr(), Some((&client, "smsc.example"))).await.expect("trusted");
    let mut esme = Esme::over(stream);
    assert_eq!(esme.bind(As::Transceiver, "esme", "secret").await.status(), OK);
    assert_eq!(esme.submit_answered("hello").await.status(), OK);
    smsc.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_repeats_with_its_seeds() {
    async fn run(seed: u64) -> Vec<String> {
        let personality = Personality {
            seed,
            response_ms: Delay { min_ms: 1, max_ms: 50 },
            receipt_ms: Delay { min_ms: 0, max_ms: 500 },
            missing: 0.1,
            states: States { expired: 0.5, ..States::default() },
            ..Personality::default()
        };
        let (world, smsc) = simulated(personality).await;
        let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
        for n in 0..50 {
            esme.submit(&format!("text {n}")).await;
        }
        let mut seen = Vec::new();
        while let Some(command) = esme.maybe_next(Span::secs(5)).await {
            seen.push(format!("{command:?}"));
            if command.id() == CommandId::DeliverSm {
                esme.respond(0, &command).await;
            }
        }
        smsc.stop().await;
        seen
    }
    let first = run(3).await;
    assert!(first.len() > 80, "{}", first.len());
    assert_eq!(first, run(3).await);
    assert_ne!(first, run(4).await);
}

#[tokio::test(start_paused = true)]
async fn passwords_roles_and_order_are_checked() {
    let personality = Personality { accounts: [("esme".into(), "secret".into())].into(), refuse_binds: 1, ..Personality::default() };
    let (world, smsc) = simulated(personality).await;
    let at = smsc.local_addr();
    let mut esme = Esme::dial(&world, at).await;
    let resp = esme.submit_answered("too soon").await;
    assert_eq!((resp.status(), resp.pdu().is_none()), (CommandStatus::EsmeRinvbndsts, true));
    assert_eq!(esme.bind(As::Receiver, "esme", "secret").await.status(), CommandStatus::EsmeRbindfail, "the first bind is refused");
    assert_eq!(esme.bind(As::Receiver, "esme", "wrong").await.status(), CommandStatus::EsmeRinvpaswd);
    assert_eq!(esme.bind(As::Receiver, "other", "secret").await.status(), CommandStatus::EsmeRinvpaswd);
    assert_eq!(esme.bind(As::Receiver, "esme", "secret").await.status(), OK);
    assert_eq!(esme.bind(As::Receiver, "esme", "secret").await.status(), CommandStatus::EsmeRalybnd);
    assert_eq!(esme.submit_answered("a receiver cannot").await.status(), CommandStatus::EsmeRinvbndsts);
    assert_eq!(smsc.counts().binds_refused, 4);
    assert_eq!(smsc.counts().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn version_ids_and_dialect_are_those_of_the_personality() {
    let personality = Personality {
        interface_version: 0,
        id_base: 0x0386_01fa,
        response_id: IdStyle::HexLower { width: 0 },
        receipt_id: IdStyle::Decimal { width: 10 },
        tlv_id: Some(IdStyle::HexUpper { width: 8 }),
        dialect: Dialect::TextAndTlv,
        receipt_esm_class: 0,
        ..Personality::default()
    };
    let (world, smsc) = simulated(personality).await;
    let mut esme = Esme::dial(&world, smsc.local_addr()).await;
    let resp = esme.bind(As::Transceiver, "esme", "secret").await;
    let Some(Pdu::BindTransceiverResp(bound)) = resp.pdu() else { panic!("{resp:?}") };
    assert_eq!(bound.sc_interface_version(), None);
    assert_eq!(message_id(&esme.submit_answered("hello").await), "38601fa");
    let receipt = esme.next().await;
    assert!(delivered_text(&receipt).starts_with("id:0059113978 "));
    let deliver = delivered(&receipt);
    assert_eq!(u8::from(deliver.esm_class), 0);
    let tags: Vec<_> = deliver.tlvs().iter().map(|tlv| tlv.tag()).collect();
    assert_eq!(tags, [TlvTag::ReceiptedMessageId, TlvTag::MessageState]);
    assert!(format!("{:?}", deliver.tlvs()[0].value()).contains("038601FA"));
}

#[tokio::test(start_paused = true)]
async fn answers_and_receipts_take_their_time() {
    let personality = Personality { response_ms: Delay::fixed(250), receipt_ms: Delay::fixed(4_000), ..Personality::default() };
    let (world, smsc) = simulated(personality).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
    let began = Instant::now();
    assert_eq!(esme.submit_answered("hello").await.status(), OK);
    assert!((250..=253).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    delivered(&esme.next().await);
    assert!((4_000..=4_003).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

/// Submits `count` texts at once and returns all that comes within a minute and a half.
async fn flood(personality: Personality, count: u32) -> (Vec<rusmpp::Command>, SmscHandle) {
    let (world, smsc) = simulated(personality).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
    for n in 0..count {
        esme.submit(&format!("text {n}")).await;
    }
    let mut seen = Vec::new();
    while let Some(command) = esme.maybe_next(Span::secs(90)).await {
        if command.id() == CommandId::DeliverSm {
            esme.respond(0, &command).await;
        }
        seen.push(command);
    }
    (seen, smsc)
}

fn with_status(seen: &[rusmpp::Command], status: u32) -> usize {
    let status = CommandStatus::from(status);
    seen.iter().filter(|c| c.id() == CommandId::SubmitSmResp && c.status() == status).count()
}

fn receipts(seen: &[rusmpp::Command]) -> Vec<String> {
    seen.iter().filter(|c| c.id() == CommandId::DeliverSm).map(delivered_text).collect()
}

#[tokio::test(start_paused = true)]
async fn refusals_come_at_their_rate_and_get_no_receipt() {
    let statuses = vec![StatusRate { status: 0x58, rate: 0.2 }, StatusRate { status: 0x45, rate: 0.1 }];
    let (seen, smsc) = flood(Personality { statuses, error_body: ErrorBody::EmptyId, ..Personality::default() }, 1_000).await;
    let (throttled, failed, fine) = (with_status(&seen, 0x58), with_status(&seen, 0x45), with_status(&seen, 0));
    assert_eq!(throttled + failed + fine, 1_000);
    assert!((150..250).contains(&throttled) && (70..130).contains(&failed), "{throttled} {failed}");
    assert_eq!(receipts(&seen).len(), fine);
    assert!(seen.iter().filter(|c| c.status() != OK).all(|c| c.pdu().is_some() && message_id(c).is_empty()));
    assert_eq!(smsc.record().unique(), fine as u64);
    assert_eq!(smsc.counts().refused, (throttled + failed) as u64);
}

#[tokio::test(start_paused = true)]
async fn submits_over_the_rate_are_throttled_until_the_next_second() {
    let personality = Personality { throttle_per_s: 10, throttle_slack: 0, receipts: Receipts::Never, ..Personality::default() };
    let (world, smsc) = simulated(personality).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transmitter).await;
    for _ in 0..2 {
        let mut fine = 0;
        for n in 0..25 {
            fine += u32::from(esme.submit_answered(&format!("text {n}")).await.status() == OK);
        }
        assert_eq!(fine, 10);
        tokio::time::sleep(Span::secs(1).std()).await;
    }
    assert_eq!(smsc.counts().throttled, 30);
}

#[tokio::test(start_paused = true)]
async fn more_in_flight_than_the_window_is_refused_and_the_peak_is_known() {
    let personality = Personality { window: 10, response_ms: Delay::fixed(50), ..Personality::default() };
    let (seen, smsc) = flood(personality, 25).await;
    assert_eq!((with_status(&seen, 0), with_status(&seen, 0x58)), (10, 15));
    assert_eq!((smsc.counts().window_exceeded, smsc.counts().window_peak), (15, 25));
    let (_, smsc) = flood(Personality { response_ms: Delay::fixed(50), ..Personality::default() }, 7).await;
    assert_eq!(smsc.counts().window_peak, 7);
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_cut_at_every_nth_submit_without_its_answer() {
    let (seen, smsc) = flood(Personality { disconnect_every: 5, ..Personality::default() }, 5).await;
    assert!(with_status(&seen, 0) <= 4);
    assert_eq!((smsc.counts().accepted, smsc.counts().disconnects, smsc.sessions()), (5, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_cut_after_its_time() {
    let (world, smsc) = simulated(Personality { disconnect_after_ms: 5_000, ..Personality::default() }).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transmitter).await;
    let began = Instant::now();
    assert!(esme.maybe_next(Span::secs(60)).await.is_none());
    assert!((4_999..5_010).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn answers_go_missing_and_come_out_of_order_and_late() {
    let (seen, smsc) = flood(Personality { missing: 0.3, receipts: Receipts::Never, ..Personality::default() }, 500).await;
    assert!((300..400).contains(&seen.len()), "{}", seen.len());
    assert_eq!(smsc.counts().unanswered + seen.len() as u64, 500);
    assert_eq!(smsc.record().submits().iter().filter(|s| !s.answered).count(), 500 - seen.len());

    let (seen, _) = flood(Personality { disorder: 0.3, receipts: Receipts::Never, ..Personality::default() }, 100).await;
    let order: Vec<u32> = seen.iter().map(|c| c.sequence_number()).collect();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 100, "each exactly once");
    assert!(!order.is_sorted());

    let late = Personality { late: 1.0, late_ms: Delay::fixed(70_000), ..Personality::default() };
    let (world, smsc) = simulated(late).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transmitter).await;
    esme.submit("hello").await;
    assert!(esme.maybe_next(Span::secs(69)).await.is_none());
    assert_eq!(esme.maybe_next(Span::secs(2)).await.map(|c| c.status()), Some(OK));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_may_come_before_its_response() {
    let (seen, _) = flood(Personality { receipt_early: 1.0, ..Personality::default() }, 1).await;
    assert_eq!(seen.iter().map(|c| c.id()).collect::<Vec<_>>(), [CommandId::DeliverSm, CommandId::SubmitSmResp]);
}

#[tokio::test(start_paused = true)]
async fn receipts_come_twice_late_never_unasked_and_for_ids_never_given() {
    let all = |change: fn(&mut Personality)| {
        let mut personality = Personality::default();
        change(&mut personality);
        flood(personality, 20)
    };
    assert_eq!(receipts(&all(|p| p.receipt_twice = 1.0).await.0).len(), 40);
    assert_eq!(receipts(&all(|p| p.receipt_missing = 1.0).await.0).len(), 0);
    let (seen, _) = all(|p| p.receipt_unknown = 1.0).await;
    let given: BTreeSet<String> = seen.iter().map(message_id).filter(|id| !id.is_empty()).collect();
    let unknown = receipts(&seen).iter().filter(|text| !given.iter().any(|id| text.contains(id.as_str()))).count();
    assert_eq!((given.len(), receipts(&seen).len(), unknown), (20, 40, 20));
    let texts = receipts(&all(|p| p.receipt_enroute = 1.0).await.0);
    assert_eq!(texts.iter().filter(|text| text.contains("stat:ENROUTE")).count(), 20);
    assert_eq!(texts.len(), 40);

    let (world, smsc) = simulated(Personality { receipt_late: 1.0, ..Personality::default() }).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
    esme.submit_answered("hello").await;
    assert!(esme.maybe_next(Span::secs(59)).await.is_none());
    delivered(&esme.next().await);
}

#[tokio::test(start_paused = true)]
async fn registered_delivery_is_heeded_unless_told_otherwise() {
    for (receipts, registered, expect) in [
        (Receipts::Asked, 0, [0, 0]),
        (Receipts::Asked, 1, [1, 1]),
        (Receipts::Asked, 2, [0, 1]),
        (Receipts::Asked, 3, [1, 0]),
        (Receipts::Always, 0, [1, 1]),
        (Receipts::Never, 1, [0, 0]),
    ] {
        for (delivered, expect) in [1.0, 0.0].into_iter().zip(expect) {
            let states = States { delivered, expired: 1.0 - delivered, ..States::default() };
            let (world, smsc) = simulated(Personality { receipts, states, ..Personality::default() }).await;
            let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
            esme.send(sms("hello", registered)).await;
            assert_eq!(esme.next().await.status(), OK);
            let came = esme.maybe_next(Span::secs(5)).await.is_some();
            assert_eq!(i32::from(came), expect, "{receipts:?} {registered} {delivered}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn final_states_come_by_weight() {
    let states = States { delivered: 0.5, undeliverable: 0.25, expired: 0.0, rejected: 0.25, unknown: 0.0 };
    let texts = receipts(&flood(Personality { states, ..Personality::default() }, 1_000).await.0);
    let count = |word: &str| texts.iter().filter(|text| text.contains(word)).count();
    assert_eq!(count("DELIVRD") + count("UNDELIV") + count("REJECTD"), 1_000);
    assert!((450..550).contains(&count("DELIVRD")) && (200..300).contains(&count("REJECTD")));
}

#[tokio::test(start_paused = true)]
async fn receipts_wait_for_a_receiver_and_unacknowledged_ones_come_again() {
    let (world, smsc) = simulated(Personality::default()).await;
    let mut sender = Esme::bound(&world, smsc.local_addr(), As::Transmitter).await;
    sender.submit_answered("hello").await;
    assert!(sender.maybe_next(Span::secs(60)).await.is_none(), "a transmitter gets no receipts");
    assert_eq!(smsc.waiting(), 1);
    let mut receiver = Esme::bound(&world, smsc.local_addr(), As::Receiver).await;
    let first = receiver.next().await;
    drop(receiver);
    let mut receiver = Esme::bound(&world, smsc.local_addr(), As::Receiver).await;
    let again = receiver.next().await;
    assert_eq!(delivered_text(&first), delivered_text(&again));
    // An error is not an acknowledgement.
    receiver.respond(0x64, &again).await;
    let third = receiver.next().await;
    receiver.respond(0, &third).await;
    assert!(receiver.maybe_next(Span::secs(60)).await.is_none());
    let counts = smsc.counts();
    assert_eq!((counts.receipts_sent, counts.receipts_refused, counts.receipts_acked, smsc.waiting()), (3, 1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn receipts_go_to_another_bind_of_the_account_when_told() {
    let (world, smsc) = simulated(Personality { receipt_bind: ReceiptBind::Another, ..Personality::default() }).await;
    let mut one = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
    let mut two = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
    let mut stranger = Esme::dial(&world, smsc.local_addr()).await;
    stranger.bind(As::Transceiver, "stranger", "").await;
    one.submit_answered("hello").await;
    assert!(delivered_text(&two.next().await).contains("DELIVRD"));
    assert!(one.maybe_next(Span::secs(60)).await.is_none());
    assert!(stranger.maybe_next(Span::secs(60)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn no_more_receipts_are_unacknowledged_than_the_receipt_window() {
    let (world, smsc) = simulated(Personality { receipt_window: 3, ..Personality::default() }).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transceiver).await;
    for n in 0..10 {
        esme.send(sms(&format!("text {n}"), 1)).await;
    }
    let mut held = Vec::new();
    while let Some(command) = esme.maybe_next(Span::secs(5)).await {
        held.extend((command.id() == CommandId::DeliverSm).then_some(command));
    }
    assert_eq!(held.len(), 3);
    esme.respond(0, &held[1]).await;
    delivered(&esme.next().await);
    assert!(esme.maybe_next(Span::secs(5)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn nacks_and_garbage_come_at_their_rate() {
    let (seen, smsc) = flood(Personality { generic_nack: 0.5, ..Personality::default() }, 200).await;
    let nacks = seen.iter().filter(|c| c.id() == CommandId::GenericNack).count();
    assert!((70..130).contains(&nacks), "{nacks}");
    assert_eq!((nacks + with_status(&seen, 0), receipts(&seen).len()), (200, 200 - nacks));
    assert_eq!(smsc.counts().nacked, nacks as u64);

    let (seen, _) = flood(Personality { garbage: 1.0, receipts: Receipts::Never, ..Personality::default() }, 10).await;
    assert_eq!((seen.len(), with_status(&seen, 0)), (20, 10));
    assert_eq!(seen.iter().filter(|c| matches!(c.id(), CommandId::Other(_))).count(), 10);
    let (seen, _) = flood(Personality { garbage: 1.0, garbage_kind: Garbage::Torn, ..Personality::default() }, 1).await;
    assert_eq!(seen.len(), 1, "what follows a torn length cannot be read");
    let (seen, _) =
        flood(Personality { garbage: 1.0, garbage_kind: Garbage::Stray, receipts: Receipts::Never, ..Personality::default() }, 1).await;
    assert_eq!(seen.iter().map(|c| c.sequence_number()).collect::<Vec<_>>(), [2, 0x7FFF_FF00]);
}

#[tokio::test(start_paused = true)]
async fn the_smsc_asks_after_its_peer_when_told() {
    let (world, smsc) = simulated(Personality { enquire_ms: 30_000, ..Personality::default() }).await;
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Receiver).await;
    for _ in 0..2 {
        assert!(esme.maybe_next(Span::secs(29)).await.is_none());
        assert_eq!(esme.next().await.id(), CommandId::EnquireLink);
    }
}

#[tokio::test(start_paused = true)]
async fn a_torn_stream_gets_a_nack_and_an_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (world, smsc) = simulated(Personality::default()).await;
    let mut stream = world.net.dial(smsc.local_addr()).await.expect("listening");
    stream.write_all(&[0, 0, 0, 3, 1, 2, 3]).await.expect("open");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.expect("closed in order");
    assert_eq!(got, [0, 0, 0, 16, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn messages_of_subscribers_wait_for_the_first_receiver_in_any_alphabet() {
    let (world, smsc) = simulated(Personality::default()).await;
    smsc.inject_mo("+33612345678", "36105", "стоп");
    smsc.inject_mo("+33612345678", "36105", &"long ".repeat(80));
    let mut esme = Esme::bound(&world, smsc.local_addr(), As::Receiver).await;
    let first = esme.next().await;
    assert_eq!(u8::from(delivered(&first).data_coding), 8);
    assert_eq!(delivered_text(&first).as_bytes(), [4, 0x41, 4, 0x42, 4, 0x3E, 4, 0x3F]);
    let second = esme.next().await;
    assert_eq!(delivered(&second).tlvs()[0].tag(), TlvTag::MessagePayload);
    assert_eq!(delivered(&second).tlvs()[0].value_length(), 400);
}

#[tokio::test(start_paused = true)]
async fn one_record_outlives_several_smscs_and_counts_duplicates() {
    let world = SimWorld::new(2).world();
    let record = everything().record;
    for _ in 0..2 {
        let options = Options { record: record.clone(), ..Options::default() };
        let smsc = Smsc::listen(&world, loopback(2775), Personality::default(), options).await.expect("free again");
        let mut esme = Esme::bound(&world, smsc.local_addr(), As::Transmitter).await;
        esme.submit_answered("same").await;
        smsc.stop().await;
    }
    assert_eq!((record.times("same"), record.unique(), record.repeated(), record.counts().closed), (2, 1, 1, 2));
}
