"""usage: send.py PLACE FILE RECIPIENT...    PLACE is a port on the loopback, or the path of a Unix socket

A transaction for each recipient, for smtplib reads a single reply after the data. Prints a line for each:
the recipient, the code, the text.
"""

import smtplib
import sys

place, file, *recipients = sys.argv[1:]
with open(file, "rb") as opened:
    message = opened.read()
client = smtplib.LMTP(place) if place.startswith("/") else smtplib.LMTP("127.0.0.1", int(place))
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
