//! What peers send that is wrong, odd or cut: the 15 hostile inputs of `pdus.json`, every limit, and any octets at all.
//!
//! Tests only.

use proptest::prelude::*;

use super::command;
use super::decode::{Limits, Trailing, decode};
use super::fault::{Bound, Reaction, reaction, reaction_to_length};
use super::frame::{self, Framed, Header, LIMIT_BOUND};
use super::pdu::{Address, Pdu, Sm};
use super::status::Status;
use super::tlv::{self, Tlvs};
use super::vectors::{framed, octets_of, vectors};
use super::write;

fn response(command: u32, status: Status) -> Reaction {
    Reaction::Respond { command, status }
}

#[test]
fn every_hostile_input_gets_the_reaction_it_deserves() {
    use command::{BIND_TRANSCEIVER_RESP, SUBMIT_SM_RESP};
    let strict = Limits { trailing: Trailing::Refuse, ..Limits::default() };
    let lax = Limits { password_max: 64, ..Limits::default() };
    let refused = |status| response(SUBMIT_SM_RESP, status);
    // Under strict limits, under lax ones, and whether the session is bound.
    let wanted = [
        ("bad-01", Bound::Yes, Reaction::NackAndClose(Status::RINVCMDLEN), None),
        ("bad-02", Bound::Yes, Reaction::NackAndClose(Status::RINVCMDLEN), None),
        ("bad-03", Bound::Yes, Reaction::NackAndClose(Status::RINVCMDLEN), None),
        ("bad-04", Bound::Yes, Reaction::Nack(Status::RINVCMDID), None),
        ("bad-05", Bound::Yes, refused(Status::RINVMSGLEN), None),
        ("bad-06", Bound::Yes, refused(Status::RINVMSGLEN), None),
        ("bad-07", Bound::Yes, refused(Status::RINVSERTYP), None),
        ("bad-08", Bound::Yes, refused(Status::RINVOPTPARSTREAM), None),
        ("bad-09", Bound::Yes, refused(Status::RINVOPTPARSTREAM), Some(Reaction::Accept)),
        ("bad-10", Bound::Yes, Reaction::Accept, None),
        ("bad-11", Bound::No, refused(Status::RINVBNDSTS), None),
        ("bad-12", Bound::Yes, Reaction::Accept, None),
        ("bad-13", Bound::Yes, Reaction::Accept, None),
        ("bad-14", Bound::Yes, refused(Status::RINVDSTADR), None),
        ("bad-15", Bound::No, response(BIND_TRANSCEIVER_RESP, Status::RINVPASWD), Some(Reaction::Accept)),
    ];
    let vectors = vectors();
    let cases = vectors["malformed"].as_array().unwrap();
    assert_eq!(cases.len(), wanted.len());
    for (case, (id, bound, under_strict, under_lax)) in cases.iter().zip(wanted) {
        assert_eq!(case["id"].as_str().unwrap(), id);
        let octets = octets_of(case);
        let react = |limits: &Limits| match frame::read(&octets, LIMIT_BOUND) {
            Framed::Broken(bad) => reaction_to_length(&bad),
            Framed::Pdu(header, pdu) => reaction(&header, decode(&header, pdu, limits).as_ref(), bound),
            Framed::Incomplete { need } => panic!("{id} lacks {need}"),
        };
        assert_eq!(react(&strict), under_strict, "{id}");
        assert_eq!(react(&lax), under_lax.unwrap_or(under_strict), "{id}");
    }
}

#[test]
fn a_hostile_input_that_is_accepted_is_read_as_the_vectors_say() {
    let vectors = vectors();
    let of = |n: usize| octets_of(&vectors["malformed"][n - 1]);
    let octets = of(10);
    let Ok(Pdu::SubmitSm(sm)) = decode(&framed(&octets), &octets, &Limits::default()) else { panic!("accepted") };
    assert_eq!(sm.tlvs.number(tlv::tag::USER_MESSAGE_REFERENCE), Some(1));
    assert_eq!(sm.tlvs.iter().count(), 2);
    assert_eq!(framed(&of(12)).sequence, 0);
    assert_eq!(framed(&of(13)).sequence, 0xFFFF_FFFF);
}

#[test]
fn a_pdu_cut_at_any_octet_is_a_fault_and_never_a_panic() {
    for case in vectors()["cases"].as_array().unwrap() {
        let whole = octets_of(case);
        for size in 16..whole.len() {
            let mut octets = whole[..size].to_vec();
            octets[..4].copy_from_slice(&(size as u32).to_be_bytes());
            let header = framed(&octets);
            let decoded = decode(&header, &octets, &Limits { trailing: Trailing::Refuse, ..Limits::default() });
            let _ = reaction(&header, decoded.as_ref(), Bound::Yes);
            // A request cut inside its mandatory fields is never taken for a whole one.
            if let (Ok(Pdu::SubmitSm(ours)), Some(length)) = (decoded, case["fields"]["sm_length"].as_u64()) {
                assert_eq!(ours.short_message.len() as u64, length);
            }
        }
    }
}

#[test]
fn strings_are_read_up_to_their_limit_and_refused_beyond() {
    let submit = |service: &[u8], source: &[u8], dest: &[u8], schedule: &[u8], validity: &[u8]| {
        let parts: [&[u8]; 12] =
            [&[0; 16], service, &[0, 5, 0], source, &[0, 1, 1], dest, &[0, 0, 0, 0], schedule, &[0], validity, &[0], &[0, 0, 0, 0, 0]];
        let mut octets = parts.concat();
        octets.splice(..16, write::head(octets.len(), command::SUBMIT_SM, Status::ROK, 1));
        decode(&framed(&octets), &octets, &Limits::default()).map(|_| ()).map_err(|fault| fault.answer)
    };
    let (a, time) = ([b'A'; 21], b"000001000000000R");
    assert_eq!(submit(&a[..5], &a[..20], &a[..20], time, time), Ok(()));
    assert_eq!(submit(b"", b"", b"1", b"", b""), Ok(()));
    assert_eq!(submit(&a[..6], b"", b"1", b"", b""), Err(Status::RINVSERTYP));
    assert_eq!(submit(b"", &a, b"1", b"", b""), Err(Status::RINVSRCADR));
    assert_eq!(submit(b"", b"", &a, b"", b""), Err(Status::RINVDSTADR));
    assert_eq!(submit(b"", b"", b"1", &time[..15], b""), Err(Status::RINVSCHED));
    assert_eq!(submit(b"", b"", b"1", b"", b"000001000000000RR"), Err(Status::RINVEXPIRY));
    assert_eq!(submit(b"\xE9t\xE9", b"", b"1", b"", b""), Ok(()));
}

#[test]
fn a_short_message_has_254_octets_at_most_and_a_payload_not_beside_it() {
    let mut octets = Vec::new();
    let message = [b'x'; 254];
    let dest = Address { ton: 1, npi: 1, digits: b"33612345678" };
    write::submit_sm(&mut octets, 1, &Sm { destination: dest, short_message: &message, ..Sm::default() }, &[]).unwrap();
    let sm_length = octets.len() - 255;
    octets.push(b'x');
    octets[sm_length] = 255;
    let size = octets.len() as u32;
    octets[..4].copy_from_slice(&size.to_be_bytes());
    assert_eq!(decode(&framed(&octets), &octets, &Limits::default()).unwrap_err().answer, Status::RINVMSGLEN);

    let payload = [0x04, 0x24, 0, 1, b'y'];
    let tlvs = Tlvs::from_octets(&payload).unwrap();
    assert_eq!(Sm { short_message: b"x", tlvs, ..Sm::default() }.content(), Err(Status::ROPTPARNOTALLWD));
    assert_eq!(Sm { tlvs, ..Sm::default() }.content(), Ok(&b"y"[..]));
    assert_eq!(Sm { short_message: b"x", ..Sm::default() }.content(), Ok(&b"x"[..]));
}

#[test]
fn responses_are_read_in_every_form_the_field_sends() {
    let read = |status: u32, body: &[u8]| {
        let octets = [&write::head(16 + body.len(), command::SUBMIT_SM_RESP, Status(status), 1), body].concat();
        match decode(&framed(&octets), &octets, &Limits::default()) {
            Ok(Pdu::SubmitSmResp(resp)) => Ok((resp.message_id.map(<[u8]>::to_vec), resp.tlvs.iter().count())),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(fault.answer),
        }
    };
    assert_eq!(read(0, b""), Ok((None, 0)));
    assert_eq!(read(0x58, b""), Ok((None, 0)));
    assert_eq!(read(0x58, b"\0"), Ok((Some(vec![]), 0)));
    assert_eq!(read(0, b"abc\0"), Ok((Some(b"abc".to_vec()), 0)));
    // No NUL; a parameter after the id; rubbish after it.
    assert_eq!(read(0, b"abc"), Ok((Some(b"abc".to_vec()), 0)));
    assert_eq!(read(0, b"abc\0\x04\x28\0\x01\x50"), Ok((Some(b"abc".to_vec()), 1)));
    assert_eq!(read(0, b"abc\0\x04\x28\0\x09\x50"), Ok((Some(b"abc".to_vec()), 0)));
    // Longer than an id can be: no id to match by, unless the message was refused anyway.
    assert_eq!(read(0, &[b'a'; 70]), Err(Status::RINVMSGID));
    assert_eq!(read(8, &[b'a'; 70]), Ok((None, 0)));
}

#[test]
fn what_happens_to_each_command_depends_on_the_bind_as_the_specification_says() {
    let react = |command: u32, bound: Bound| {
        let header = Header { length: 16, command, status: 0, sequence: 1 };
        let octets = write::head(16, command, Status::ROK, 1);
        reaction(&header, decode(&header, &octets, &Limits::default()).as_ref(), bound)
    };
    assert_eq!(react(command::ENQUIRE_LINK, Bound::No), Reaction::Accept);
    assert_eq!(react(command::DELIVER_SM, Bound::No), response(command::DELIVER_SM_RESP, Status::RINVBNDSTS));
    assert_eq!(react(command::BIND_RECEIVER, Bound::Yes), response(command::BIND_RECEIVER_RESP, Status::RALYBND));
    assert_eq!(react(command::ALERT_NOTIFICATION, Bound::No), Reaction::Nack(Status::RINVBNDSTS));
    assert_eq!(react(0x111, Bound::Yes), Reaction::Nack(Status::RINVCMDID));
    assert_eq!(react(0x8000_0111, Bound::Yes), Reaction::Ignore);
    assert_eq!(react(command::SUBMIT_SM_RESP, Bound::Yes), Reaction::Accept);
}

fn ids() -> impl Strategy<Value = u32> {
    let known: Vec<u32> = (0..0x22).chain([0x102, 0x103, 0x111]).flat_map(|id| [id, id | command::RESPONSE]).collect();
    prop_oneof![9 => prop::sample::select(known), 1 => any::<u32>()]
}

proptest! {
    #[test]
    fn any_body_of_any_command_is_decoded_or_refused_without_panic(
        id in ids(),
        status in prop_oneof![Just(0u32), any::<u32>()],
        body in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..400),
        password_max in 0usize..100,
    ) {
        let octets = [&write::head(16 + body.len(), id, Status(status), 1), body.as_slice()].concat();
        let header = framed(&octets);
        let decoded = decode(&header, &octets, &Limits { password_max, ..Limits::default() });
        let _ = reaction(&header, decoded.as_ref(), Bound::Yes);
        if let Ok(pdu) = decoded {
            let _ = format!("{pdu:?}");
            if let Pdu::SubmitMulti(multi) = &pdu {
                prop_assert_eq!(multi.destinations.iter().count(), usize::from(multi.destinations.count()));
            }
            // What is read can be written, and reads the same again.
            let mut again = Vec::new();
            if write::pdu(&mut again, Status(status), 1, &pdu).is_ok() {
                let second = decode(&framed(&again), &again, &Limits { password_max, ..Limits::default() });
                prop_assert_eq!(second.as_ref(), Ok(&pdu));
            }
        }
    }

    #[test]
    fn a_vector_with_one_octet_changed_never_panics(case in 0usize..226, at in 16usize..4_000, to in any::<u8>()) {
        thread_local!(static CASES: Vec<Vec<u8>> = vectors()["cases"].as_array().unwrap().iter().map(octets_of).collect());
        let mut octets = CASES.with(|cases| cases[case].clone());
        if let Some(octet) = octets.get_mut(at) {
            *octet = to;
        }
        let header = framed(&octets);
        let _ = decode(&header, &octets, &Limits::default());
    }
}
