"""An SMSC made with the PyPI package `smpp34`: its server frames, decodes, answers and keeps the session; this file
decides ids and receipts and writes down what came.

Arguments: the file for one JSON line per submit_sm, and the alphabet behind data_coding 0 (gsm or latin-1).
Standard output: the port, once it listens.

Its habits: ids are words with a dash; receipts are asked for by registered_delivery and come in three forms in turn:
the standard text, the text with the TLVs receipted_message_id and message_state, and the TLVs alone.
"""

import asyncio
import json
import signal
import socket
import sys
from datetime import datetime, timezone

import smpp34

# 3GPP TS 23.038 clause 6.2.1; the escape has no character of its own.
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Clause 6.2.1.1.
EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
ALPHABET = sys.argv[2] if len(sys.argv) > 2 else "gsm"
# deliver_sm without an answer at the same time.
RECEIPTS_AT_ONCE = 40


def gsm(octets):
    """GSM 7-bit, one septet an octet, as text. What is no septet is an error: it must never come."""
    out, octets = [], iter(octets)
    for septet in octets:
        out.append(EXTENSION[next(octets)] if septet == 0x1B else GSM[septet])
    return "".join(out)


def part_of(udh):
    """Reference, total and number from a user data header, or None."""
    at = 1
    while at < len(udh):
        kind, length = udh[at], udh[at + 1]
        value = udh[at + 2 : at + 2 + length]
        if kind == 0x00:
            return [value[0], value[1], value[2]]
        if kind == 0x08:
            return [value[0] << 8 | value[1], value[2], value[3]]
        at += 2 + length
    return None


def read(submit):
    """What a submit_sm says, as a line of the record."""
    tlvs = {tlv.tag: bytes(tlv.value) for tlv in submit.tlvs}
    # message_payload is there instead of short_message, never beside it.
    assert not (submit.short_message and 0x0424 in tlvs)
    content, udh = submit.short_message or tlvs.get(0x0424, b""), b""
    text = content
    if submit.esm_class & 0x40:
        udh, text = text[: text[0] + 1], text[text[0] + 1 :]
    own = gsm if ALPHABET == "gsm" else lambda octets: octets.decode(ALPHABET)
    decode = {0: own, 8: lambda octets: octets.decode("utf-16-be")}[submit.data_coding]
    part = part_of(udh)
    if 0x020C in tlvs:
        assert part is None, "parameters and a header are not mixed"
        part = [int.from_bytes(tlvs[tag], "big") for tag in (0x020C, 0x020E, 0x020F)]
    return {
        "source": submit.source_addr,
        "source_ton": submit.source_addr_ton,
        "dest": submit.destination_addr,
        "esm_class": submit.esm_class,
        "data_coding": submit.data_coding,
        "udh": udh.hex(),
        "part": part,
        "octets": len(content),
        "is_payload": 0x0424 in tlvs,
        "text": decode(text),
    }


def receipt(number, message_id):
    """The text and the TLVs of a receipt; the form depends on the number."""
    now = datetime.now(timezone.utc).strftime("%y%m%d%H%M")
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVRD err:000 text:"
    tlvs = [
        smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"),
        smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\x02"),
    ]
    return [(text.encode(), []), (text.encode(), tlvs), (b"", tlvs)][number % 3]


async def tell(session, submit, number, message_id, slots):
    """Sends the receipt, and again when it is not acknowledged."""
    text, tlvs = receipt(number, message_id)
    async with slots:
        for _ in range(5):
            try:
                answer = await session.deliver_sm(
                    source_addr=submit.destination_addr,
                    source_addr_ton=submit.dest_addr_ton,
                    source_addr_npi=submit.dest_addr_npi,
                    destination_addr=submit.source_addr,
                    dest_addr_ton=submit.source_addr_ton,
                    dest_addr_npi=submit.source_addr_npi,
                    esm_class=0x04,
                    short_message=text,
                    tlvs=tlvs,
                )
                if answer.is_success:
                    return
            except smpp34.SmppError as fault:
                print(f"a receipt was not acknowledged: {fault}", file=sys.stderr)
                await asyncio.sleep(0.2)


async def listen():
    """A server on a free port. The package does not tell which port it got for 0, so one is looked for first."""
    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = smpp34.Server(host="127.0.0.1", port=port, system_id="smpp34", inbound_capacity=1000)
        await server.start()
        for _ in range(50):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return server, port
    raise SystemExit("no free port")


async def serve(record):
    server, port = await listen()
    print(port, flush=True)
    sessions, tasks, slots, number = {}, set(), asyncio.Semaphore(RECEIPTS_AT_ONCE), 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            sessions[event.session_id] = event
        elif isinstance(event, smpp34.Unbound):
            sessions.pop(event.session_id, None)
        elif isinstance(event, smpp34.SubmitSmEvent):
            number += 1
            message_id = f"py34-{number:06d}"
            line = read(event)
            line["session"], line["message_id"] = event.session_id, message_id
            record.write(json.dumps(line) + "\n")
            record.flush()
            event.accept(message_id)
            session = sessions.get(event.session_id)
            if session and event.registered_delivery & 0x03:
                task = asyncio.create_task(tell(session, event, number, message_id, slots))
                tasks.add(task)
                task.add_done_callback(tasks.discard)


async def main():
    with open(sys.argv[1], "w", encoding="utf-8") as record:
        serving = asyncio.create_task(serve(record))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            pass


asyncio.run(main())
