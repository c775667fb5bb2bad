# Made-up requests ask for servers that are not there, and send to addresses that are none; these ask for the server that
# is there, and write to who has a mailbox. Only what is already of the right kind is replaced, so that a request against
# the description stays one.
import os

import schemathesis

PORT = int(os.environ["LMTP_PORT"])
TO = ["good@example.test", "gone@example.test"]


def is_number(value, most):
    return type(value) is int and 0 < value <= most


def real(fields):
    if type(fields.get("host")) is str and type(fields.get("unixName")) in (str, type(None)):
        fields["host"] = "127.0.0.1"
        fields.pop("unixName", None)
        if fields.get("port") is None or is_number(fields["port"], 65535):
            fields["port"] = PORT
        if is_number(fields.get("timeout"), 2**63):
            fields["timeout"] = 5000
        if fields.get("tls") in ("starttls", "tls"):
            fields["tls"] = "none"
        if type(fields.get("caName")) is str:
            fields["caName"] = None
    if type(fields.get("from")) is str:
        fields["from"] = ""
    to = fields.get("to")
    if type(to) is str or type(to) is list and to and all(type(one) is str for one in to):
        fields["to"] = TO[: len(to) or 1] if type(to) is list else TO[0]
    contents = [fields.get(name) for name in ("subject", "body", "raw", "rawBase64")]
    if all(type(one) in (str, type(None)) for one in contents) and "from" in fields:
        for name in ("raw", "rawBase64"):
            fields.pop(name, None)
        fields["subject"] = contents[0] or "made up"
        fields["body"] = contents[1] or ""
    return fields


@schemathesis.hook
def map_body(context, body):
    return real(body) if isinstance(body, dict) else body
