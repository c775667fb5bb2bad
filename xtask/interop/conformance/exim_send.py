"""Sends by Exim: `exim_send.py EXIM ETC ERRAND USER PORT TIMEOUT FROM FILE RECIPIENT...`

EXIM is the program, ETC what it sees in place of /etc, USER the number of whom it runs as. Each message has a
spool, a log and a configuration of its own, for Exim remembers who has not answered; it sees them at ERRAND, a
directory.

Prints what became of each recipient by the main log: `=>` and `->` delivered, `==` waits, `**` has failed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

exim, etc, errand, user, port, timeout, sender, file, *recipients = sys.argv[1:]
template = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exim/exim.conf.in")
with open(template, encoding="ascii") as opened:
    configuration = opened.read()
for name, value in (("EXIM", exim), ("ERRAND", errand), ("PORT", port), ("TIMEOUT", timeout)):
    configuration = configuration.replace(f"@{name}@", value)

# The mounts are over with the last process that sees them.
MOUNTED = 'mount --bind "$1" /etc && mount --bind "$2" "$3" && shift 3 && exec "$@"'
LINE = re.compile(r"^\S+ \S+ \S+ (=>|->|==|\*\*) (.*?)(?: <(.*)>)? (?:R=|routing|\[|T=|<)")
FATES = {"=>": "delivered", "->": "delivered", "==": "temporary", "**": "permanent"}


def log(directory):
    try:
        with open(os.path.join(directory, "log/mainlog"), encoding="utf-8", errors="surrogateescape") as opened:
            return opened.read()
    except FileNotFoundError:
        return ""


with tempfile.TemporaryDirectory(prefix="exim-", dir="/tmp") as directory:
    os.chmod(directory, 0o755)
    for part in ("spool", "log"):
        os.mkdir(os.path.join(directory, part))
        os.chown(os.path.join(directory, part), int(user), int(user))
    with open(os.path.join(directory, "exim.conf"), "w", encoding="ascii") as opened:
        opened.write(configuration)
    command = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", etc, directory, errand, exim]
    command += ["-C", os.path.join(errand, "exim.conf"), "-odf", "-i", "-f", sender, "--", *recipients]
    with open(file, "rb") as message:
        done = subprocess.run(command, stdin=message, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    told = {}
    for found in map(LINE.match, log(directory).split("\n")):
        if found:
            told[found[3] or found[2]] = FATES[found[1]]
    sys.stderr.write(done.stdout.decode(errors="replace") + log(directory))
# Exim takes no message for whom it does not know how to write to: nobody is told of in the log.
others = "unsent" if done.returncode == 0 else "permanent"
print(json.dumps({"recipients": [{"recipient": to, "outcome": told.get(to, others)} for to in recipients]}))
