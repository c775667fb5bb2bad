"""Sends by Postfix: `postfix_send.py PACKAGE ETC DIR TIMEOUT PORT FROM FILE RECIPIENT...`

PACKAGE is where it is unpacked, ETC what it sees in place of /etc, DIR where an instance of it runs. TIMEOUT is
what its configuration says already. The message goes into the queue with a header that says which port it is for.

Prints what became of each recipient, by the log: sent, deferred, bounced.
"""

import json
import os
import re
import subprocess
import sys
import time

package, etc, directory, _, port, sender, file, *recipients = sys.argv[1:]
FATES = {"sent": "delivered", "deferred": "temporary", "bounced": "permanent"}


def log():
    try:
        with open(os.path.join(directory, "maillog"), encoding="utf-8", errors="surrogateescape") as opened:
            return opened.read()
    except FileNotFoundError:
        return ""


def statuses(text):
    """What is said of this message until now, and whether that is all."""
    message = re.search(rf": (\w+): filter: header X-Conformance-Port: {port} ", text)
    if not message:
        return {}, False
    told, lines = {}, re.findall(rf": {message[1]}: (.*)", text)
    for line in lines:
        if found := re.match(r"to=<(.*?)>(?:, orig_to=<(.*?)>)?, relay=.* status=(\w+)", line):
            told[found[1]] = told[found[2] or found[1]] = FATES[found[3]]
    return told, any(line == "removed" or line.startswith("X") for line in lines)


with open(file, "rb") as opened:
    message = b"X-Conformance-Port: %s\n" % port.encode() + opened.read()
# -G: it comes from elsewhere, and nothing is put into it.
sendmail = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh", etc]
sendmail += [os.path.join(package, "usr/sbin/sendmail"), "-G", "-i"]
if not message.isascii():
    sendmail.append("-B8BITMIME")
before = len(log())
done = subprocess.run(
    [*sendmail, "-f", sender, "--", *recipients], input=message, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
)
told = {}
if done.returncode == 0:
    while True:
        told, is_done = statuses(log()[before:])
        if is_done or all(recipient in told for recipient in recipients):
            break
        time.sleep(0.02)
    others = "unsent"
else:
    others = "permanent"
sys.stderr.write(done.stdout.decode(errors="replace"))
print(json.dumps({"recipients": [{"recipient": to, "outcome": told.get(to, others)} for to in recipients]}))
