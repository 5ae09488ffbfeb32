//! A small SMPP client for the tests of the lab, entirely by rusmpp.

use crate::base::Span;
use crate::world::{BoxStream, World};
use bytes::BytesMut;
use futures_util::StreamExt;
use rusmpp::pdus::{BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, DeliverSmResp, SubmitSm};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{EsmClass, InterfaceVersion, RegisteredDelivery};
use rusmpp::{Command, CommandStatus, Pdu};
use std::net::SocketAddr;
use std::str::FromStr;
use tokio::io::AsyncWriteExt;
use tokio_util::codec::{Encoder, Framed};

/// A bound client.
pub(super) struct Esme {
    framed: Framed<BoxStream, CommandCodec>,
    sequence: u32,
}

#[derive(Clone, Copy)]
pub(super) enum As {
    Transmitter,
    Receiver,
    Transceiver,
}

impl Esme {
    pub(super) fn over(stream: BoxStream) -> Esme {
        Esme { framed: Framed::new(stream, CommandCodec::new()), sequence: 0 }
    }

    pub(super) async fn dial(world: &World, to: SocketAddr) -> Esme {
        Esme::over(world.net.dial(to).await.expect("listening"))
    }

    /// Dials and binds as `esme` with the password `secret`.
    pub(super) async fn bound(world: &World, to: SocketAddr, role: As) -> Esme {
        let mut esme = Esme::dial(world, to).await;
        let resp = esme.bind(role, "esme", "secret").await;
        assert_eq!(resp.status(), CommandStatus::EsmeRok);
        esme
    }

    pub(super) async fn bind(&mut self, role: As, system_id: &str, password: &str) -> Command {
        let system_id = COctetString::from_str(system_id).expect("short");
        let password = COctetString::from_str(password).expect("short");
        let version = InterfaceVersion::Smpp3_4;
        let pdu: Pdu = match role {
            As::Transmitter => BindTransmitter::builder().system_id(system_id).password(password).interface_version(version).build().into(),
            As::Receiver => BindReceiver::builder().system_id(system_id).password(password).interface_version(version).build().into(),
            As::Transceiver => BindTransceiver::builder().system_id(system_id).password(password).interface_version(version).build().into(),
        };
        self.send(pdu).await;
        self.next().await
    }

    /// Sends a request and returns its sequence number.
    pub(super) async fn send(&mut self, pdu: impl Into<Pdu>) -> u32 {
        self.sequence += 1;
        self.write(Command::new(CommandStatus::EsmeRok, self.sequence, pdu)).await;
        self.sequence
    }

    pub(super) async fn respond(&mut self, status: u32, to: &Command) {
        let resp = Command::new(CommandStatus::from(status), to.sequence_number(), DeliverSmResp::default());
        self.write(resp).await;
    }

    async fn write(&mut self, command: Command) {
        let mut buffer = BytesMut::new();
        CommandCodec::new().encode(command, &mut buffer).expect("into memory");
        self.framed.get_mut().write_all(&buffer).await.expect("open");
    }

    /// The next PDU; panics when none comes for an hour.
    pub(super) async fn next(&mut self) -> Command {
        self.maybe_next(Span::secs(3_600)).await.expect("a PDU")
    }

    /// The next PDU within a span; `None` also when the connection ended or broke.
    pub(super) async fn maybe_next(&mut self, within: Span) -> Option<Command> {
        tokio::time::timeout(within.std(), self.framed.next()).await.ok()??.ok()
    }

    /// Submits a text and asks for a receipt.
    pub(super) async fn submit(&mut self, text: &str) -> u32 {
        self.send(sms(text, 1)).await
    }

    /// Submits and takes the answer.
    pub(super) async fn submit_answered(&mut self, text: &str) -> Command {
        let sequence = self.submit(text).await;
        let resp = self.next().await;
        assert_eq!(resp.sequence_number(), sequence);
        resp
    }
}

pub(super) fn sms(text: &str, registered: u8) -> SubmitSm {
    SubmitSm::builder()
        .source_addr(COctetString::from_str("SHOP").expect("short"))
        .destination_addr(COctetString::from_str("33612345678").expect("short"))
        .esm_class(EsmClass::from(0))
        .registered_delivery(RegisteredDelivery::from(registered))
        .short_message(OctetString::from_slice(text.as_bytes()).expect("short"))
        .build()
}

/// The message id of a submit_sm_resp, empty when it has none.
pub(super) fn message_id(resp: &Command) -> String {
    match resp.pdu() {
        Some(Pdu::SubmitSmResp(resp)) => resp.message_id().as_str().into(),
        _ => String::new(),
    }
}

pub(super) fn delivered(command: &Command) -> &DeliverSm {
    match command.pdu() {
        Some(Pdu::DeliverSm(deliver)) => deliver,
        other => panic!("not a deliver_sm: {other:?}"),
    }
}

pub(super) fn delivered_text(command: &Command) -> String {
    String::from_utf8_lossy(delivered(command).short_message()).into_owned()
}
