// A message centre made of the npm package `smpp`, driven by one JSON object per line on standard input.
//
// It tells what it sees, one JSON object per line on standard output. `answers` is how the next submissions are answered:
// {"id": "..."}, {"status": n}, "silence", or "cut" (hang up instead of answering); without one they are taken and numbered.
'use strict';

const smpp = require('smpp');
const readline = require('readline');

let server = null;
let sessions = [];
let answers = [];
let taken = 0;
let password = '';

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

function partOf(message) {
  if (message && message.udh) return [...message.udh].map((element) => [...element]);
  return null;
}

function onSubmit(session, pdu) {
  const carried = pdu.message_payload || pdu.short_message;
  tell({
    event: 'submit',
    source: pdu.source_addr, sourceTon: pdu.source_addr_ton, sourceNpi: pdu.source_addr_npi,
    destination: pdu.destination_addr, destTon: pdu.dest_addr_ton, destNpi: pdu.dest_addr_npi,
    text: carried.message.toString(), header: partOf(carried),
    coding: pdu.data_coding, esmClass: pdu.esm_class, registered: pdu.registered_delivery,
    isPayload: Boolean(pdu.message_payload), validUntil: pdu.validity_period || null,
  });
  const answer = answers.length ? answers.shift() : { id: String(++taken) };
  if (answer === 'silence') return;
  if (answer === 'cut') { session.destroy(); return; }
  if (answer.wait) { session.waiting = pdu; return; }
  session.send(pdu.response({ command_status: answer.status || 0, message_id: answer.id || '' }));
}

function onBind(session, pdu) {
  const isKnown = pdu.password === password;
  const status = isKnown ? smpp.ESME_ROK : smpp.ESME_RINVPASWD;
  session.send(pdu.response({ command_status: status, system_id: 'centre' }));
  if (isKnown) sessions.push(session);
  tell({ event: isKnown ? 'bound' : 'refused', systemId: pdu.system_id, systemType: pdu.system_type, command: pdu.command });
}

function onSession(session) {
  session.on('error', () => {});
  session.on('close', () => {
    sessions = sessions.filter((one) => one !== session);
    tell({ event: 'closed' });
  });
  session.on('bind_transceiver', (pdu) => onBind(session, pdu));
  session.on('bind_transmitter', (pdu) => onBind(session, pdu));
  session.on('submit_sm', (pdu) => onSubmit(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => { session.send(pdu.response()); tell({ event: 'unbound' }); session.close(); });
}

function bytesIn(value) {
  if (value && value.hex !== undefined) return Buffer.from(value.hex, 'hex');
  if (value && value.text !== undefined) {
    const udh = value.udh ? value.udh.map((element) => Buffer.from(element)) : undefined;
    return udh ? { udh, message: value.text } : { message: value.text };
  }
  return value;
}

const orders = {
  listen(order) {
    password = order.password;
    const options = order.key ? { key: order.key, cert: order.cert } : {};
    server = smpp.createServer(options, onSession);
    server.listen(order.port, '127.0.0.1', () => tell({ event: 'listening', port: server.address().port }));
  },
  answers(order) { answers = order.answers; tell({ event: 'ready' }); },
  deliver(order) {
    const fields = Object.fromEntries(Object.entries(order.fields).map(([name, value]) => [name, bytesIn(value)]));
    sessions[0][order.command || 'deliver_sm'](fields, (pdu) => tell({ event: 'delivered', status: pdu.command_status }));
  },
  answer(order) {
    sessions[0].send(sessions[0].waiting.response({ message_id: order.id }));
  },
  enquire() { sessions[0].enquire_link({}, (pdu) => tell({ event: 'alive', status: pdu.command_status })); },
  unbind() { sessions[0].unbind({}, () => sessions[0] && sessions[0].destroy()); },
  other() { sessions[0].query_sm({ message_id: '1' }, (pdu) => tell({ event: 'nacked', command: pdu.command, status: pdu.command_status })); },
  cut() { sessions.forEach((session) => session.destroy()); },
  stop() { sessions.forEach((session) => session.destroy()); server.close(() => tell({ event: 'stopped' })); },
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => { const order = JSON.parse(line); orders[order.order](order); })
  .on('close', () => process.exit(0));
