// The page with scripts: the same two routes as everybody's, and what the fields were last time.
'use strict';
document.documentElement.classList.add('scripts');

const target = document.getElementById('target');
const message = document.getElementById('message');
const found = document.getElementById('found');
const sent = document.getElementById('sent');
const REMEMBERED = ['host', 'port', 'tls', 'unixName', 'caName', 'timeout', 'from', 'to', 'subject', 'body'];
let raw = null;

// What a capability is, and where that is written.
const CAPABILITIES = {
  PIPELINING: ['commands may be sent without waiting', 2920], SIZE: ['the largest message, in octets', 1870],
  '8BITMIME': ['8-bit text may be sent', 6152], ENHANCEDSTATUSCODES: ['replies have codes such as 5.1.1', 2034],
  CHUNKING: ['BDAT in place of DATA', 3030], BINARYMIME: ['binary messages may be sent', 3030], SMTPUTF8: ['addresses in UTF-8', 6531],
  STARTTLS: ['the connection can be encrypted', 3207], AUTH: ['clients can log in', 4954], DSN: ['delivery notices can be asked for', 3461],
  LIMITS: ['how much of it may be asked', 9422], DELIVERBY: ['a time to deliver by', 2852], 'MT-PRIORITY': ['urgency', 6710], REQUIRETLS: ['TLS all the way', 8689],
};
// What a code means in plain words: the enhanced one, else the first digit.
const MEANINGS = {
  '1.1': 'There is no such mailbox.', '1.2': 'There is no such domain.', '1.3': 'The address is not one.', '2.0': 'The mailbox cannot take it.',
  '2.1': 'The mailbox is closed.', '2.2': 'The mailbox is full.', '2.3': 'The message is too large for the mailbox.', '3.0': 'The server has trouble of its own.',
  '3.4': 'The message is too large for the server.', '4.1': 'No answer from the server.', '4.2': 'The connection was lost.', '5.3': 'Too many recipients.',
  '6.0': 'Something in the message is not taken.', '6.7': 'The server does not take addresses in UTF-8.', '7.1': 'It is not allowed.',
};
const OUTCOMES = {
  delivered: 'The server has taken responsibility for it.', temporary: 'Not now: it can be tried again.', permanent: 'Not at all.',
  uncertain: 'The message was handed over and no answer came: sending again may deliver it twice.',
  unsent: 'The server surely did not accept it: sending again cannot deliver it twice.',
};

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}
const field = (name) => target.elements[name] || message.elements[name];
const value = (name) => (target.elements[name] && name !== 'formToken' ? target.elements[name] : message.elements[name]).value;

for (const name of REMEMBERED) {
  const kept = localStorage.getItem('lmtp.' + name);
  if (kept !== null) field(name).value = kept;
}
for (const form of [target, message]) {
  form.addEventListener('input', (event) => {
    const name = event.target.name;
    if (REMEMBERED.includes(name)) localStorage.setItem('lmtp.' + name, event.target.value);
    // What was found out is about another server now.
    if (form === target) { server += 1; found.replaceChildren(); sent.replaceChildren(); }
  });
}

function where() {
  const asked = { timeout: Number(value('timeout')), transcript: true };
  if (value('unixName')) return { ...asked, unixName: value('unixName') };
  asked.host = value('host').trim();
  asked.port = Number(value('port'));
  if (value('tls') !== 'none') {
    asked.tls = value('tls');
    if (value('caName')) asked.caName = value('caName');
  }
  return asked;
}
function mail() {
  const asked = { ...where(), from: value('from').trim(), to: value('to').split(/[,;\n]/).map((to) => to.trim()).filter(Boolean) };
  return raw === null ? { ...asked, subject: value('subject'), body: value('body') } : { ...asked, raw };
}

// Grows with each change of the server: an answer about another one is not shown.
let server = 0;

async function ask(form, path, asked, show, place) {
  const about = server;
  const button = form.querySelector('button');
  button.disabled = true;
  place.replaceChildren(element('p', 'Asking…'));
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(asked) });
    const answer = await response.json();
    if (about !== server) { button.disabled = false; return; }
    place.replaceChildren();
    if (answer.deliveryStatus || (answer.success && response.ok)) show(answer, place);
    if (answer.error) place.append(element('p', answer.error, 'error'));
    if (answer.transcript) {
      const details = element('details');
      details.append(element('summary', 'The conversation'), element('pre', answer.transcript.join('\n')));
      details.querySelector('pre').tabIndex = 0;
      place.append(details);
    }
  } catch (error) {
    place.replaceChildren(element('p', 'The gateway does not answer: ' + error.message, 'error'));
  }
  button.disabled = false;
}

function showFound(answer, place) {
  place.append(element('h2', answer.serverName + ' speaks LMTP'), element('p', answer.greeting));
  const list = element('ul');
  for (const capability of answer.capabilities) {
    const item = element('li', capability);
    const known = CAPABILITIES[capability.split(' ')[0].toUpperCase()];
    if (known) {
      const link = element('a', 'RFC ' + known[1]);
      link.href = 'https://www.rfc-editor.org/rfc/rfc' + known[1];
      item.append(': ' + known[0] + ' (', link, ')');
    }
    list.append(item);
  }
  place.append(list, element('p', 'Answered within ' + answer.timings.openMs + ' ms.', 'hint'));
}

function showSent(answer, place) {
  const delivered = answer.deliveryStatus.filter((told) => told.delivered).length;
  place.append(element('h2', answer.allDelivered ? 'Delivered to everybody' : 'Delivered to ' + delivered + ' of ' + answer.recipientCount));
  const table = element('table');
  const head = element('tr');
  for (const title of ['Recipient', 'Outcome', 'Answer', 'Meaning']) {
    const cell = element('th', title);
    cell.scope = 'col';
    head.append(cell);
  }
  table.append(head);
  for (const told of answer.deliveryStatus) {
    const row = element('tr');
    const outcome = element('td');
    outcome.append(element('b', told.outcome, told.outcome));
    const meaning = (told.enhanced && MEANINGS[told.enhanced.split('.').slice(1).join('.')] && !told.delivered ? MEANINGS[told.enhanced.split('.').slice(1).join('.')] + ' ' : '') + OUTCOMES[told.outcome];
    row.append(element('td', told.recipient), outcome, element('td', told.message || '(none)'), element('td', meaning));
    table.append(row);
  }
  place.append(table);
  if (answer.messageId) place.append(element('p', 'Message-ID: ' + answer.messageId, 'hint'));
}

target.addEventListener('submit', (event) => { event.preventDefault(); ask(target, '/api/lmtp/connect', where(), showFound, found); });
message.addEventListener('submit', (event) => { event.preventDefault(); ask(message, '/api/lmtp/send', mail(), showSent, sent); });

async function take(file) {
  raw = file ? await file.text() : null;
  document.getElementById('chosen').textContent = file ? file.name + ', ' + file.size + ' octets, in place of subject and text' : '';
}
document.getElementById('file').addEventListener('change', (event) => take(event.target.files[0]));
const drop = document.getElementById('drop');
drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', (event) => { event.preventDefault(); drop.classList.remove('over'); take(event.dataTransfer.files[0]); });

const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
document.getElementById('curl').addEventListener('click', async (event) => {
  const text = 'curl -H ' + quoted('Content-Type: application/json') + ' ' + quoted(location.origin + '/api/lmtp/send') + ' -d ' + quoted(JSON.stringify(mail()));
  await navigator.clipboard.writeText(text);
  event.target.textContent = 'Copied';
});
