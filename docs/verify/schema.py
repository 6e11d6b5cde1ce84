"""The form of each record and of a receipt's claims: which members there are, and what they hold."""

import re
from datetime import datetime

from canonical import is_jwk, unb64u

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z")

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z\Z")


def _matches(pattern):
    return lambda value: isinstance(value, str) and pattern.match(value) is not None


def _bytes(count):
    return lambda value: len(unb64u(value) or b"") == count


def _one_of(*words):
    return lambda value: isinstance(value, str) and value in words


def _list_of(check):
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def anything(_value):
    return True


def text(value):
    return isinstance(value, str)


def an_object(value):
    return isinstance(value, dict)


def flag(value):
    return isinstance(value, bool)


# The parser reads every number as a double.
def amount(value):
    return isinstance(value, float) and value >= 0


def count(value):
    return amount(value) and value < 2**53 and value.is_integer()


uuid7 = _matches(_UUID7)
hex64 = _matches(_HEX64)
sha256 = _bytes(32)
salt = _bytes(16)


def instant(value):
    """Seconds since the epoch; the time has to have the form."""
    return datetime.fromisoformat(value[:-1] + "+00:00").timestamp()


def day_or_instant(value):
    """Seconds of `2026-11-21`, its first moment, or of `2026-11-21T12:00:00Z`; ValueError for anything else."""
    if _DAY.match(value):
        value += "T00:00:00Z"
    if not _MOMENT.match(value):
        raise ValueError("not a day or a time in UTC")
    return instant(value)


def time(value):
    if not isinstance(value, str) or not _TIME.match(value):
        return False
    try:
        instant(value)
    except ValueError:
        return False
    return True


def members(needed, optional=None):
    """A check of an object: all of `needed`, of `optional` what is there, nothing else."""
    checks = {**needed, **(optional or {})}

    def check(value):
        return (
            isinstance(value, dict)
            and needed.keys() <= value.keys() <= checks.keys()
            and all(checks[name](item) for name, item in value.items())
        )

    return check


def _texts(names):
    return {name: text for name in names.split()}


TYPES = ("open", "decision", "outcome", "refusals", "reload", "key", "lost", "checkpoint", "close")
STATUSES = ("executed", "replayed", "failed", "unknown", "cancelled", "fault")

_HEAD = {
    "chain": uuid7,
    "hash": sha256,
    "instance": text,
    "seq": count,
    "time": time,
    "type": _one_of(*TYPES),
    "v": lambda value: isinstance(value, float) and value == 1,
}

_APPROVAL = members(
    {**_texts("id rule"), "expiresAt": time, "state": _one_of("asked", "notified", "used", "approved", "denied")},
    _texts("approver request requester"),
)
_GUARD = members(_texts("found guard"), {"at": text, "count": count})
_SCAN = members({**_texts("action detector rule"), "count": count})
_ALLOWED_OR_NOT = members(
    {"allowed": flag},
    {
        **_texts("code rule stage"),
        "approval": _APPROVAL,
        "guards": _list_of(_GUARD),
        "replayOf": uuid7,
        "wouldDeny": flag,
    },
)


def _decision(value):
    return _ALLOWED_OR_NOT(value) and (value["allowed"] or "code" in value)


_WHAT = members(
    {"transport": text},
    {
        **_texts("action credentialId effect idempotencyKey mcpMethod method module requestDigest requestId revision"),
        **_texts("surface target tool traceId"),
        "args": an_object,
        "argsDigest": sha256,
        "rpcId": lambda value: isinstance(value, (str, float)),
        "safe": an_object,
        "shape": anything,
        "toolDigest": sha256,
    },
)

_WHO = members(
    _texts("method peer"),
    {
        **_texts("binding certificate clientId issuer keyId owner principal spiffeId subject tenant"),
        "actors": _list_of(text),
        "roles": _list_of(text),
        "tokenId": sha256,
    },
)

_OUTCOME = members(
    {"status": _one_of(*STATUSES)},
    {
        **_texts("backendRequestId code"),
        **{name: count for name in ("backendStatus", "bytesIn", "bytesOut", "httpStatus", "tokens")},
        "durationMs": amount,
        "resultDigest": sha256,
        "resultDigestRaw": sha256,
        "scan": _list_of(_SCAN),
    },
)

# Members beside those of every record: what has to be there, and what can be.
_BODY = {
    "open": (
        {
            "configDigest": hex64,
            "key": is_jwk,
            "keyOrigin": _one_of("file", "boot"),
            "mode": _one_of("strict", "best-effort"),
            "service": members(_texts("name version")),
        },
        {
            "policyDigest": hex64,
            "previous": members({"chain": uuid7, "checkpoint": text}),
            "registered": lambda value: _list_of(text)(value) and len(value) <= 256,
        },
    ),
    "decision": ({"callId": uuid7, "decision": _decision, "what": _WHAT, "who": _WHO}, {}),
    "outcome": ({"callId": uuid7, "outcome": _OUTCOME}, {}),
    "refusals": (
        {"refusals": members({**_texts("code peer stage"), "count": count, "from": time, "to": time})},
        {},
    ),
    "reload": (
        {"reload": members({"applied": flag, "file": text}, {"digest": hex64})},
        {"policyDigest": hex64},
    ),
    "key": ({"key": members({"jwk": is_jwk, "jws": text})}, {}),
    "lost": ({"lost": members({"from": time, "records": count, "to": time})}, {}),
    "checkpoint": ({"checkpoint": text}, {}),
    "close": ({"close": members({"records": members({}, {name: count for name in TYPES})})}, {}),
}

# Only `open` stands first in a chain, and only the first has nothing before it.
_RECORDS = {
    name: members({**_HEAD, **({} if name == "open" else {"prev": sha256}), **needed}, optional)
    for name, (needed, optional) in _BODY.items()
}


def is_record(value):
    name = value.get("type")
    return isinstance(name, str) and name in _RECORDS and _RECORDS[name](value)


is_claims = members(
    {
        "chain": uuid7,
        "iat": count,
        "iss": text,
        "jti": uuid7,
        "record": sha256,
        "status": _one_of(*STATUSES, "refused"),
    },
    {
        **_texts("client_id code method module sub tenant tool"),
        "args_digest": sha256,
        "policy_digest": hex64,
        "replay_of": uuid7,
        "result_digest": sha256,
    },
)

is_receipt = members({"claims": is_claims, "head": text, "path": anything})
is_salts = members({}, {"args": salt, "result": salt})
