"""Sends by Python's smtplib.LMTP: `smtplib_send.py HOST PORT TIMEOUT FROM FILE RECIPIENT...`

Prints what became of each recipient, as far as smtplib tells its caller.
"""

import json
import smtplib
import sys

host, port, timeout, sender, file, *recipients = sys.argv[1:]
with open(file, "rb") as opened:
    message = opened.read()


def outcome(code):
    return {4: "temporary", 5: "permanent"}.get(code // 100, "temporary")


def send():
    """What sendmail returns and raises, by its documentation."""
    try:
        client = smtplib.LMTP(host, int(port), local_hostname="smtplib.example.test", timeout=float(timeout))
    except smtplib.SMTPResponseException as error:
        return {}, outcome(error.smtp_code)
    except OSError:
        return {}, "unsent"
    try:
        client.ehlo_or_helo_if_needed()
        # The options are for the caller to know, and only he knows what the message holds.
        options = []
        if not message.isascii() and client.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if not "".join([sender, *recipients]).isascii():
            options.append("SMTPUTF8")
        refused = client.sendmail(sender, recipients, message, options)
        said = refused, "delivered"
    except smtplib.SMTPRecipientsRefused as error:
        # Whoever is not in it was not asked.
        return error.recipients, "unsent"
    except smtplib.SMTPResponseException as error:
        return {}, outcome(error.smtp_code)
    except smtplib.SMTPServerDisconnected:
        # It does not tell when.
        return {}, "uncertain"
    except (smtplib.SMTPNotSupportedError, UnicodeError, ValueError):
        return {}, "unsent"
    except OSError:
        return {}, "uncertain"
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        # Leaving changes nothing.
        pass
    return said


refused, others = send()
told = [
    {"recipient": recipient, "outcome": outcome(refused[recipient][0]) if recipient in refused else others}
    for recipient in recipients
]
print(json.dumps({"recipients": told}))
