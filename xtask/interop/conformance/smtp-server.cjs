// LMTP by nodemailer's smtp-server: `smtp-server.cjs PORT`, until it is ended.
'use strict';
const { SMTPServer } = require('smtp-server');

const server = new SMTPServer({
    lmtp: true,
    name: 'smtp-server.example.test',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onRcptTo(address, session, callback) {
        const unknown = address.address.startsWith('unknown@');
        callback(unknown ? Object.assign(new Error('No such user'), { responseCode: 550 }) : null);
    },
    onData(stream, session, callback) {
        stream.resume();
        const full = Object.assign(new Error('Mailbox full'), { responseCode: 552 });
        const verdict = to => (to.address.startsWith('full@') ? full : 'Delivered');
        // An entry for each recipient.
        stream.on('end', () => callback(null, session.envelope.rcptTo.map(verdict)));
    },
});
// A client that leaves is no reason to end.
server.on('error', error => console.error(error.message));
server.listen(Number(process.argv[2]), '127.0.0.1');
