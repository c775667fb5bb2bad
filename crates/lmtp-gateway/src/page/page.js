// The page with scripts: the same two routes as everybody's, each line as it is said, and what the fields were last time.
document.documentElement.classList.add('scripts');

const at = (id) => document.getElementById(id);
const [target, message, found, sent] = ['target', 'message', 'found', 'sent'].map(at);
const REMEMBERED = ['host', 'port', 'tls', 'unixName', 'caName', 'timeout', 'from', 'to', 'subject', 'body'];
// A message as a file, in base64.
let raw = null;
// Grows with each change of the server: an answer about another one is not shown.
let server = 0;
// What each form asks, while it asks.
const asking = new Map();

// The fields.

const field = (name) => target.elements[name] || message.elements[name];
const value = (name) => field(name).value;

for (const name of REMEMBERED) {
  const kept = localStorage.getItem('lmtp.' + name);
  // A socket that is not there any more is not chosen.
  if (kept !== null && (!field(name).options || [...field(name).options].some((option) => option.value === kept))) field(name).value = kept;
}

const recipients = () => value('to').split(/[,;\n]/).map((to) => to.trim()).filter(Boolean);
const between = (name, least, most) => /^\d+$/.test(value(name)) && Number(value(name)) >= least && Number(value(name)) <= most;

// What is wrong with each form, before anybody is asked.
function wrong(form) {
  if (form === message) {
    const one = recipients().find((to) => /[\s<>]/.test(to));
    return !recipients().length ? ['to', 'Say to whom it is to go.'] : one ? ['to', one + ' is no address.'] : null;
  }
  if (value('unixName')) return null;
  if (!value('host').trim()) return ['host', 'Say which server, or choose a socket.'];
  if (!between('port', 1, 65535)) return ['port', 'A port is a number from 1 to 65535.'];
  if (value('port') === '25') return ['port', 'Port 25 is never dialled: it is for SMTP.'];
  return between('timeout', 1, 1e9) ? null : ['timeout', 'A time is a number of milliseconds.'];
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
  const asked = { ...where(), from: value('from').trim(), to: recipients() };
  return raw === null ? { ...asked, subject: value('subject'), body: value('body') } : { ...asked, rawBase64: raw };
}

function look() {
  for (const form of [target, message]) {
    const complaint = wrong(form);
    at(form.id + '-wrong').textContent = complaint && complaint[0] !== 'host' && complaint[0] !== 'to' ? complaint[1] : '';
    form.querySelector('button:not([type])').disabled = asking.has(form) || complaint !== null;
    for (const control of form.elements) {
      if (control.name) control.setAttribute('aria-invalid', complaint !== null && complaint[0] === control.name);
    }
  }
  const json = "curl -H 'Content-Type: application/json' ";
  at('curl-connect').textContent = json + quoted(location.origin + '/api/lmtp/connect') + ' -d ' + quoted(JSON.stringify(where()));
  at('curl-send').textContent = json + quoted(location.origin + '/api/lmtp/send') + ' -d ' + quoted(JSON.stringify(mail()));
}
const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

for (const form of [target, message]) {
  form.addEventListener('input', (event) => {
    const name = event.target.name;
    if (REMEMBERED.includes(name)) localStorage.setItem('lmtp.' + name, event.target.value);
    // What was found out is about another server now.
    if (form === target) {
      server += 1;
      for (const asked of asking.values()) asked.abort();
      found.replaceChildren();
      sent.replaceChildren();
      message.hidden = true;
    }
    look();
  });
}
message.hidden = true;
look();

// The conversation.

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Lines of JSON as they come.
async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value: part, done } = await reader.read();
    if (done) return;
    const whole = (rest + part).split('\n');
    rest = whole.pop();
    yield* whole.map((line) => JSON.parse(line));
  }
}

async function ask(form, path, asked, show, place) {
  const [about, stop] = [server, new AbortController()];
  asking.set(form, stop);
  look();
  const details = element('details');
  const said = element('pre');
  said.tabIndex = 0;
  details.open = true;
  details.append(element('summary', 'The conversation'), said);
  const busy = element('p', 'Asking…', 'busy');
  place.replaceChildren(busy, details);
  try {
    const headers = { 'Content-Type': 'application/json', Accept: 'application/x-ndjson' };
    const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(asked), signal: stop.signal });
    // What is refused at the door is no conversation.
    const told = response.ok ? lines(response) : [{ status: response.status, answer: await response.json() }];
    for await (const { line, status, answer } of told) {
      if (line !== undefined) {
        said.append(line + '\n');
        continue;
      }
      busy.remove();
      if (answer.deliveryStatus || status === 200) show(answer, details);
      if (answer.error) details.before(element('p', answer.error, 'error'));
      // A file has no conversation when it failed before it began.
      if (!said.textContent) details.remove();
    }
    if (busy.isConnected) throw new Error('the answer ends before its end');
  } catch (error) {
    if (about === server) busy.replaceWith(element('p', 'The gateway does not answer: ' + error.message, 'error'));
  }
  asking.delete(form);
  look();
}

function showFound(answer, before) {
  const list = element('ul');
  for (const capability of answer.capabilities) {
    const item = element('li', capability);
    const known = answer.explained.find((known) => known.capability === capability);
    if (known) item.append(': ' + known.meaning);
    if (known && known.rfc) {
      const link = element('a', 'RFC ' + known.rfc);
      link.href = 'https://www.rfc-editor.org/rfc/rfc' + known.rfc;
      item.append(' (', link, ')');
    }
    list.append(item);
  }
  before.before(element('h2', answer.serverName + ' speaks LMTP', 'delivered'), element('p', answer.greeting));
  before.before(answer.capabilities.length ? list : element('p', 'It offers no extensions.'));
  before.before(element('p', 'Answered within ' + answer.timings.openMs + ' ms.', 'hint'));
  message.hidden = false;
}

function showSent(answer, before) {
  const delivered = answer.deliveryStatus.filter((told) => told.delivered).length;
  const whole = 'Delivered to ' + (answer.allDelivered ? 'everybody' : delivered + ' of ' + answer.recipientCount);
  before.before(element('h2', whole, answer.allDelivered ? 'delivered' : delivered ? 'temporary' : 'permanent'));
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
    row.append(element('td', told.recipient), outcome, element('td', told.message || '(none)'), element('td', told.meaning));
    table.append(row);
  }
  before.before(table);
  if (answer.messageId) before.before(element('p', 'Message-ID: ' + answer.messageId, 'hint'));
}

target.addEventListener('submit', (event) => { event.preventDefault(); ask(target, '/api/lmtp/connect', where(), showFound, found); });
message.addEventListener('submit', (event) => { event.preventDefault(); ask(message, '/api/lmtp/send', mail(), showSent, sent); });

// A message as a file, octet for octet.

function take(file) {
  if (!file) { leave(); return; }
  const reader = new FileReader();
  reader.addEventListener('load', () => {
    raw = reader.result.slice(reader.result.indexOf(',') + 1);
    at('chosen').textContent = file.name + ', ' + file.size + ' octets, in place of subject and text.';
    at('unchoose').hidden = false;
    at('draft').hidden = true;
    look();
  });
  reader.addEventListener('error', () => { at('chosen').textContent = file.name + ' cannot be read.'; });
  reader.readAsDataURL(file);
}
function leave() {
  raw = null;
  at('file').value = '';
  at('chosen').textContent = '';
  at('unchoose').hidden = true;
  at('draft').hidden = false;
  look();
}
at('file').addEventListener('change', (event) => take(event.target.files[0]));
at('unchoose').addEventListener('click', leave);
const drop = at('drop');
drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', (event) => { event.preventDefault(); drop.classList.remove('over'); take(event.dataTransfer.files[0]); });

for (const button of document.querySelectorAll('.copy')) {
  const label = button.textContent;
  button.addEventListener('click', async () => {
    // There is no clipboard where the page came over plain HTTP from elsewhere.
    try {
      await navigator.clipboard.writeText(at(button.dataset.of).textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(at(button.dataset.of));
      button.textContent = 'Selected: copy it';
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}
