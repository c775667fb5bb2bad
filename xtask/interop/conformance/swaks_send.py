"""Sends by swaks: `swaks_send.py HOST PORT TIMEOUT FROM FILE RECIPIENT...`

Its exit code is 0 when anybody got the message, so what became of each recipient is read from its transcript: what it
took for the reply of what, and whether it marks it as the one that it wanted.
"""

import collections
import json
import subprocess
import sys
import tempfile

host, port, timeout, sender, file, *recipients = sys.argv[1:]
with open(file, "rb") as opened:
    message = opened.read()
# It takes a dot in the last line for the one behind the data, and a message may well end with one of its own. Nothing but
# an empty line would be a header for it, and the dot a field.
if message.endswith(b"\n") and message.strip():
    message += b".\r\n"


def outcome(heard):
    """Of a final reply."""
    return {b"2": "delivered", b"4": "temporary", b"5": "permanent"}.get(heard[:1], "uncertain")


def refusal(heard):
    """Of a reply that it did not want: it has taken a success for a failure, or there is a refusal."""
    return {b"4": "temporary", b"5": "permanent"}.get(heard[:1], "unsent")


def read(transcript):
    """What was asked, in order, and what was heard."""
    told, others = {}, "unsent"
    accepted, in_content = [], False
    # The greeting is answered for before anything is asked.
    asked = collections.deque([("greeting", None)])
    places = iter(range(len(recipients)))
    for line in transcript.split(b"\n"):
        if line.startswith((b" -> ", b" ~> ")):
            said = line[4:]
            if in_content:
                if said == b".":
                    in_content = False
                    asked.extend(("final", place) for place in accepted)
                    # Until something is heard.
                    told.update((place, "uncertain") for place in accepted)
            elif said.startswith(b"RCPT TO:"):
                asked.append(("RCPT", next(places, None)))
            else:
                asked.append((said.split(b" ")[0].decode(errors="replace"), None))
        elif line.startswith((b"<-  ", b"<** ")):
            heard, is_wanted = line[4:], line.startswith(b"<-")
            if heard[3:4] == b"-" or not asked:
                continue
            what, place = asked.popleft()
            if what == "RCPT" and is_wanted:
                accepted.append(place)
            elif what == "RCPT":
                told[place] = refusal(heard)
            elif what == "final":
                told[place] = outcome(heard)
            elif what == "DATA" and is_wanted:
                in_content = True
            elif what == "DATA":
                others = refusal(heard)
            elif what != "QUIT" and not is_wanted:
                # What is refused behind it is so for its sake.
                return [refusal(heard)] * len(recipients)
    return [told.get(place, others) for place in range(len(recipients))]


with tempfile.NamedTemporaryFile() as data:
    data.write(message)
    data.flush()
    swaks = ["swaks", "--protocol", "LMTP", "--pipeline", "--helo", "swaks.example.test", "--server", host, "--port", port]
    swaks += ["--timeout", timeout, "--from", sender, "--to", ",".join(recipients), "--data", "@" + data.name]
    done = subprocess.run(swaks, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
outcomes = read(done.stdout)
told = [{"recipient": recipient, "outcome": what} for recipient, what in zip(recipients, outcomes)]
print(json.dumps({"recipients": told}))
