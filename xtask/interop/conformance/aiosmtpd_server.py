"""LMTP by aiosmtpd: `aiosmtpd_server.py PORT`, until it is ended.

Its hook for the content gives one text for all recipients: here it is a line for each.
"""

import asyncio
import sys

from aiosmtpd.lmtp import LMTP


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown@"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        full = "552 5.2.2 Mailbox full"
        return "\r\n".join(full if to.startswith("full@") else "250 2.0.0 OK" for to in envelope.rcpt_tos)


async def main():
    loop = asyncio.get_running_loop()
    protocol = lambda: LMTP(Handler(), hostname="aiosmtpd.example.test")
    server = await loop.create_server(protocol, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
