// Sends by nodemailer with `lmtp: true`: `nodemailer_send.cjs HOST PORT TIMEOUT FROM FILE RECIPIENT...`
//
// Prints what became of each recipient, as far as nodemailer tells its caller.
'use strict';
const fs = require('fs');
const nodemailer = require('nodemailer');
const [, , host, port, timeout, from, file, ...to] = process.argv;

const wait = Number(timeout) * 1000;
const transport = nodemailer.createTransport({
    lmtp: true,
    host,
    port: Number(port),
    name: 'nodemailer.example.test',
    connectionTimeout: wait,
    greetingTimeout: wait,
    socketTimeout: wait,
});

const ofCode = code => (code >= 500 ? 'permanent' : 'temporary');

// What became of those whom no list of nodemailer's names.
function ofOthers(error) {
    if (error.responseCode) return ofCode(error.responseCode);
    // It was refused here, before anything was asked.
    if (error.command === 'API' || error.code === 'EENVELOPE') return 'unsent';
    // Of a connection that ends it does not tell when.
    return 'uncertain';
}

function print(accepted, refused, others) {
    const fates = new Map(accepted.map(address => [address, 'delivered']));
    for (const error of refused || []) fates.set(error.recipient, ofCode(error.responseCode));
    const recipients = to.map(recipient => ({ recipient, outcome: fates.get(recipient) || others }));
    console.log(JSON.stringify({ recipients }));
}

// As objects they are addresses; strings would be read as in a header, names and all.
const envelope = { from: from === '<>' ? '' : { address: from }, to: to.map(address => ({ address })) };
transport.sendMail({ envelope, raw: fs.readFileSync(file) }).then(
    info => print(info.accepted, info.rejectedErrors, 'unsent'),
    error => {
        print([], error.rejectedErrors, ofOthers(error));
    },
);
