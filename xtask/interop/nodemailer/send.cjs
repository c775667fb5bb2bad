// usage: node send.cjs PLACE FILE RECIPIENT...    PLACE is HOST:PORT, or the path of a Unix socket.
// TLS is as the environment says: TLS_MODE is none, starttls or tls, CA_FILE who is trusted.
// One transaction; prints a line for each recipient: the recipient, the reply.
const fs = require('fs');
const net = require('net');
const nodemailer = require('nodemailer');
const [, , place, file, ...to] = process.argv;
const mode = process.env.TLS_MODE;
const options = { lmtp: true, name: 'node.example.test', ignoreTLS: mode === 'none', requireTLS: mode === 'starttls',
  secure: mode === 'tls' };
if (mode !== 'none') options.tls = { ca: fs.readFileSync(process.env.CA_FILE) };
if (place.startsWith('/')) {
  // It knows no Unix sockets, but takes one that is connected.
  options.getSocket = (_, callback) => {
    const connection = net.connect(place, () => callback(null, { connection }));
    connection.once('error', callback);
  };
} else {
  [options.host, options.port] = place.split(':');
}
const line = (recipient, reply) => console.log(`${recipient} ${reply.replace(/\r?\n/g, ' ')}`);
const refused = errors => (errors || []).forEach(error => line(error.recipient, error.response));
nodemailer.createTransport(options)
  .sendMail({ envelope: { from: 'sender@example.org', to }, raw: fs.readFileSync(file) })
  .then(info => { info.accepted.forEach(to => line(to, '250 accepted')); refused(info.rejectedErrors); },
    error => { refused(error.rejectedErrors); if (!error.rejectedErrors) throw error; });
