"""usage: send.py PLACE FILE RECIPIENT...    PLACE is a port on the loopback, the path of a Unix socket,
                                              or starttls:PORT:CA-FILE

A transaction for each recipient, for smtplib reads a single reply after the data. Prints a line for each:
the recipient, the code, the text.
"""

import smtplib
import ssl
import sys

place, file, *recipients = sys.argv[1:]
with open(file, "rb") as opened:
    message = opened.read()
if place.startswith("starttls:"):
    _, port, ca_file = place.split(":", 2)
    client = smtplib.LMTP("localhost", int(port))
    client.starttls(context=ssl.create_default_context(cafile=ca_file))
elif place.startswith("/"):
    client = smtplib.LMTP(place)
else:
    client = smtplib.LMTP("127.0.0.1", int(place))
for recipient in recipients:
    try:
        client.sendmail("sender@example.org", [recipient], message)
        code, text = 250, b""
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = refused.recipients[recipient]
    except smtplib.SMTPDataError as refused:
        code, text = refused.smtp_code, refused.smtp_error
    print(recipient, code, text.decode())
client.quit()
