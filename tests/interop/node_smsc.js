// An SMSC made with the npm package `smpp`: it frames, decodes PDUs, headers and alphabets; this file decides ids and
// receipts and writes down what came.
//
// Arguments: the file for one JSON line per submit_sm. Standard output: the port, once it listens.
//
// Its habits: ids are hexadecimal in submit_sm_resp and decimal in the receipt, as of carriers that print a number in
// two places; receipts are deliver_sm with esm_class 4 and the standard text.

'use strict';

const fs = require('fs');
const smpp = require('smpp');

const record = fs.openSync(process.argv[2], 'w');
// deliver_sm without an answer at the same time, per session.
const RECEIPTS_AT_ONCE = 40;
// High enough that hexadecimal and decimal differ in length and in letters.
let next = 3735928559;

function pad(n) {
  return String(n).padStart(2, '0');
}

function date() {
  const now = new Date();
  return [now.getUTCFullYear() % 100, now.getUTCMonth() + 1, now.getUTCDate(), now.getUTCHours(), now.getUTCMinutes()]
    .map(pad)
    .join('');
}

// Reference, total and number from the elements of a user data header, or null.
function partOf(elements) {
  for (const element of elements) {
    if (element[0] === 0x00) return [element[2], element[3], element[4]];
    if (element[0] === 0x08) return [element.readUInt16BE(2), element[4], element[5]];
  }
  return null;
}

// What a submit_sm says, as a line of the record.
function read(pdu) {
  const elements = pdu.short_message.udh || [];
  return {
    source: pdu.source_addr,
    source_ton: pdu.source_addr_ton,
    dest: pdu.destination_addr,
    esm_class: pdu.esm_class,
    data_coding: pdu.data_coding,
    udh: elements.map((element) => element.toString('hex')).join(''),
    part: partOf(elements),
    text: pdu.short_message.message,
  };
}

function serve(session) {
  const waiting = [];
  let open = 0;

  // Sends receipts while there is room.
  function tell() {
    while (open < RECEIPTS_AT_ONCE && waiting.length > 0) {
      const receipt = waiting.shift();
      open += 1;
      session.deliver_sm(Object.assign({}, receipt), (answer) => {
        open -= 1;
        if (answer.command_status !== 0) {
          console.error(`a receipt was answered ${answer.command_status}`);
          waiting.push(receipt);
        }
        tell();
      });
    }
  }

  session.on('bind_transceiver', (pdu) => {
    const isKnown = pdu.system_id === 'relais' && pdu.password === 'secret';
    session.send(pdu.response(isKnown ? { system_id: 'node' } : { command_status: smpp.ESME_RBINDFAIL }));
  });
  session.on('submit_sm', (pdu) => {
    const number = next;
    next += 1;
    const id = number.toString(16);
    fs.writeSync(record, JSON.stringify(Object.assign(read(pdu), { message_id: id })) + '\n');
    session.send(pdu.response({ message_id: id }));
    if (pdu.registered_delivery & 0x03) {
      const text = `id:${number} sub:001 dlvrd:001 submit date:${date()} done date:${date()} stat:DELIVRD err:000 text:`;
      waiting.push({
        source_addr: pdu.destination_addr,
        source_addr_ton: pdu.dest_addr_ton,
        source_addr_npi: pdu.dest_addr_npi,
        destination_addr: pdu.source_addr,
        dest_addr_ton: pdu.source_addr_ton,
        dest_addr_npi: pdu.source_addr_npi,
        esm_class: 0x04,
        short_message: text,
      });
      tell();
    }
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response(), () => session.close()));
  session.on('unknown', (pdu) => session.send(pdu.response()));
  session.on('error', (fault) => {
    console.error(`session: ${fault.message}`);
    session.destroy();
  });
}

const server = smpp.createServer({}, serve);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => process.exit(0));
