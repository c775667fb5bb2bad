// usage: node check.mjs    The places are in the environment: GATEWAY, LOCKED (a gateway with the token `sesame`), INBOX,
// PORT (of a server that the gateway may dial, where gone@ is refused and full@ is refused in the end), SHOTS (a directory
// for screenshots), CHROMIUM.
// Prints a line for each check: `ok NAME` or `FAILED NAME: why`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.NODE_PATH + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const { GATEWAY, LOCKED, INBOX, PORT, SHOTS, CHROMIUM } = process.env;

// As root it has no sandbox, and containers have a small /dev/shm.
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const is = (condition, what) => { if (!condition) throw new Error(what); };
let shot = 0;

// A page of its own for each check, and whatever the browser complains of is a failure.
async function check(name, options, body) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 1400 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10000);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (said) => { if (said.type() === 'error') complaints.push(said.text()); });
  try {
    await body(page, context, complaints);
    is(complaints.length === 0, 'the browser complains: ' + complaints.join('; '));
    console.log('ok ' + name);
  } catch (error) {
    console.log('FAILED ' + name + ': ' + error.message.split('\n').slice(0, 4).join(' '));
    await page.screenshot({ path: SHOTS + '/failed-' + (shot += 1) + '.png', fullPage: true }).catch(() => {});
  }
  await context.close();
}

// Whoever cannot see the page uses it, too: axe finds nothing. It is run beside the page's own policy.
async function accessible(page, name) {
  await page.screenshot({ path: SHOTS + '/' + name + '.png', fullPage: true });
  const { violations } = await page.evaluate(axe + '; axe.run()');
  is(violations.length === 0, 'axe: ' + violations.map((one) => one.id + ' ' + one.nodes.map((node) => node.target)).join('; '));
}

// A promise would be sent as JSON.
const fill = async (form, values) => { for (const [name, value] of Object.entries(values)) await form.locator('[name=' + name + ']').fill(value); };
const host = { host: '127.0.0.1', port: PORT };

async function probed(page) {
  await page.goto(GATEWAY);
  await fill(page.locator('#target'), host);
  await page.keyboard.press('Enter');
  await page.locator('#found h2').waitFor();
}

await check('a probe by the keyboard explains what it found', {}, async (page) => {
  await page.goto(GATEWAY);
  is(await page.locator('#message').isHidden(), 'the message is there before a server is');
  is(await page.locator('#target button').isDisabled(), 'it can be asked without a host');
  await page.keyboard.press('Tab');
  await probed(page);
  is((await page.locator('#found').innerText()).includes('speaks LMTP'), 'it is not said');
  is(await page.locator('#found li a[href="https://www.rfc-editor.org/rfc/rfc2920"]').count() === 1, 'no RFC of PIPELINING');
  is((await page.locator('#found pre').innerText()).includes('LHLO'), 'no conversation');
  is(await page.locator('#message').isVisible(), 'no message can be written');
  await accessible(page, 'probed');
});

await check('each recipient has a row with its outcome', {}, async (page) => {
  await probed(page);
  const to = 'good@example.test; gone@example.test,\nfull@example.test';
  await fill(page.locator('#message'), { from: 'ann@example.org', to, subject: 'Grüße', body: '.dot\nHello' });
  await page.locator('#message button', { hasText: /^Send$/ }).click();
  await page.locator('#sent table').waitFor();
  const rows = await page.locator('#sent tr:not(:first-child)').allInnerTexts();
  is(rows.length === 3, rows.length + ' rows');
  for (const [row, ...words] of [
    [rows[0], 'good@', 'delivered', '250 2.0.0'], [rows[1], 'gone@', 'permanent', '550 5.1.1', 'no such mailbox'],
    [rows[2], 'full@', 'temporary', '452', 'again'],
  ]) for (const word of words) is(row.includes(word), word + ' is not in ' + row);
  is((await page.locator('#sent h2').innerText()).includes('1 of 3'), 'the sum is not said');
  const colour = (at) => page.locator('#sent td b').nth(at).evaluate((it) => getComputedStyle(it).color);
  is(new Set([await colour(0), await colour(1), await colour(2)]).size === 3, 'outcomes look the same');
  await accessible(page, 'sent');
});

await check('a file is sent octet for octet', {}, async (page) => {
  await probed(page);
  await fill(page.locator('#message'), { from: '', to: 'good@example.test' });
  const buffer = Buffer.from('Subject: file\r\n\r\n\xe4\xf6\xff\r\n', 'latin1');
  await page.locator('#file').setInputFiles({ name: 'a.eml', mimeType: 'message/rfc822', buffer });
  await page.locator('#draft').waitFor({ state: 'hidden' });
  await page.locator('#message button', { hasText: /^Send$/ }).click();
  await page.locator('#sent h2', { hasText: 'Delivered to everybody' }).waitFor();
  await page.locator('#unchoose').click();
  is(await page.locator('#draft').isVisible(), 'the file stays');
});

await check('a conversation is seen while it takes place', {}, async (page) => {
  await probed(page);
  await fill(page.locator('#message'), { from: '', to: 'slow@example.test', subject: 'x', body: 'x' });
  await page.locator('#message button', { hasText: /^Send$/ }).click();
  await page.locator('#sent pre', { hasText: 'DATA' }).waitFor();
  is(await page.locator('#sent .busy').count() === 1, 'it is over before it is seen');
  is(await page.locator('#message button', { hasText: /^Send$/ }).isDisabled(), 'it can be sent twice');
  await page.locator('#sent table').waitFor();
});

await check('another server is another matter', {}, async (page) => {
  await probed(page);
  await fill(page.locator('#target'), { host: '127.0.0.2' });
  is(await page.locator('#found').innerText() === '', 'the old answer stays');
  is(await page.locator('#message').isHidden(), 'the message goes nowhere');
  await page.locator('#target button').click();
  const error = page.locator('#found .error');
  await error.waitFor();
  is((await error.innerText()).includes('not among the targets'), await error.innerText());
  await fill(page.locator('#target'), { port: '25' });
  is((await page.locator('#target-wrong').innerText()).includes('never dialled'), 'port 25 is no mistake');
  is(await page.locator('[name=port]').first().getAttribute('aria-invalid') === 'true', 'no field is wrong');
  await accessible(page, 'wrong');
}, );

await check('a server that is not there is an error', {}, async (page) => {
  await page.goto(GATEWAY);
  await fill(page.locator('#target'), { host: '127.0.0.1', port: '1' });
  await page.keyboard.press('Enter');
  await page.locator('#found .error', { hasText: 'refused' }).waitFor();
  is(await page.locator('#found .delivered').count() === 0, 'it is shown as a success');
});

await check('fields are what they were', {}, async (page) => {
  await probed(page);
  await fill(page.locator('#message'), { from: 'ann@example.org', to: 'good@example.test', subject: 'S', body: 'B' });
  await page.reload();
  for (const [name, value] of Object.entries({ ...host, from: 'ann@example.org', to: 'good@example.test', subject: 'S', body: 'B' })) {
    is(await page.locator('[name=' + name + ']').first().inputValue() === value || await page.locator('#message [name=' + name + ']').inputValue() === value, name + ' is forgotten');
  }
});

await check('both requests can be copied as curl', { permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
  await probed(page);
  await fill(page.locator('#message'), { from: 'ann@example.org', to: 'good@example.test', subject: "It's", body: 'x' });
  await page.locator('summary', { hasText: 'For programs' }).click();
  for (const [of, path] of [['curl-connect', '/api/lmtp/connect'], ['curl-send', '/api/lmtp/send']]) {
    await page.locator('button[data-of=' + of + ']').click();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    is(text.startsWith('curl ') && text.includes(path) && text.includes(PORT), text);
    writeFileSync(SHOTS + '/' + of + '.sh', text);
  }
});

await check('without scripts the forms do the same', { javaScriptEnabled: false }, async (page) => {
  await page.goto(GATEWAY);
  await fill(page.locator('#target'), host);
  await page.locator('#target button').click();
  const text = await page.locator('main').innerText();
  is(text.includes('PIPELINING: commands need not wait'), text);
  await page.locator('a', { hasText: 'Back' }).click();
  await fill(page.locator('#message'), { ...host, from: 'ann@example.org', to: 'good@example.test\ngone@example.test', subject: 'x', body: 'x' });
  await page.locator('#message button', { hasText: /^Send$/ }).click();
  const rows = await page.locator('tr').allInnerTexts();
  is(rows.length === 3 && rows[1].includes('delivered') && rows[2].includes('no such mailbox'), rows.join('; '));
  await page.screenshot({ path: SHOTS + '/plain.png', fullPage: true });
});

await check('a token is asked for once', {}, async (page, _, complaints) => {
  await page.goto(LOCKED);
  await accessible(page, 'token');
  await page.locator('[name=token]').fill('wrong');
  await page.keyboard.press('Enter');
  await page.locator('p', { hasText: 'not the token' }).waitFor();
  await page.locator('[name=token]').fill('sesame');
  await page.keyboard.press('Enter');
  await page.locator('#target').waitFor();
  await fill(page.locator('#target'), host);
  await page.locator('#target button').click();
  await page.locator('#found h2').waitFor();
  // Chromium tells of each 401.
  is(complaints.every((said) => said.includes('401')), complaints.join('; '));
  complaints.length = 0;
});

await check('another site is kept out', {}, async (page, context, complaints) => {
  // A page of another origin: the same machine at another port.
  await page.goto(INBOX);
  const answer = await page.evaluate((url) => fetch(url, { mode: 'no-cors' }).then((it) => it.type, (it) => it.name), GATEWAY + 'api/usage');
  is(['TypeError', 'opaque'].includes(answer), answer);
  const framed = await page.evaluate((url) => new Promise((done) => {
    const frame = document.createElement('iframe');
    frame.src = url;
    frame.addEventListener('load', () => { try { done(frame.contentDocument ? 'seen' : 'kept out'); } catch { done('kept out'); } });
    document.body.append(frame);
    setTimeout(() => done('kept out'), 2000);
  }), GATEWAY);
  is(framed === 'kept out', framed);
  complaints.length = 0;
});

await check('the inbox shows what comes while it comes', {}, async (page, context) => {
  await page.goto(INBOX);
  await accessible(page, 'inbox');
  const before = await page.locator('#live tr.new').count();
  const other = await context.newPage();
  await probed(other);
  await fill(other.locator('#message'), { from: 'ann@example.org', to: 'good@example.test', subject: '<b>live</b>', body: '<img src=x onerror=alert(1)>' });
  await other.locator('#message button', { hasText: /^Send$/ }).click();
  await page.locator('#live a', { hasText: '<b>live</b>' }).waitFor();
  is(await page.locator('#live tr.new').count() === before + 1, 'it is not one more');
  await page.locator('#live a', { hasText: '<b>live</b>' }).first().click();
  await page.locator('pre', { hasText: 'onerror' }).waitFor();
  is(await page.locator('pre img').count() === 0, 'source is not text');
  is((await page.locator('table').innerText()).includes('250 2.0.0'), 'no answer');
  await accessible(page, 'message');
});

await check('the inbox needs no scripts', { javaScriptEnabled: false }, async (page) => {
  await page.goto(INBOX);
  await page.locator('select').selectOption('example.test/good');
  await page.locator('button').click();
  is(page.url().includes('mailbox=example.test%2Fgood'), page.url());
  is(await page.locator('#live tr.new').count() > 0, 'there is no mail');
});

await browser.close();
