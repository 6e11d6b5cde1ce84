"""Receipts: whether each holds by itself, and whether the records say the same."""

import hashlib
import re

import schema
from canonical import Fault, Jws, b64u, jcs, read_json, unb64u
from merkle import climb, leaf_hash

_HEAD = schema.members({"iat": schema.count, "root": schema.sha256})
_MAX_SECONDS = 300
_RECEIPT = "app.ductape/receipt"
_SALTS = "app.ductape/receipt-salts"
_HEADER = re.compile(r"^ductape-receipt:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_SALTS_HEADER = re.compile(r"^ductape-receipt-salts:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)


def read_receipt(text):
    """(receipt, salts, content) of {receipt, salts}, a receipt, the answer of an MCP server, or the headers of an answer."""
    head = _HEADER.search(text)
    if head is not None:
        salts = _SALTS_HEADER.search(text)
        return _decoded(head[1]), {} if salts is None else _decoded(salts[1]), None
    if not text.lstrip().startswith("{"):
        return _decoded(text.strip()), {}, None
    try:
        value = read_json(text)
    except ValueError:
        raise Fault("receipt_mismatch", "not JSON") from None
    if isinstance(value, dict) and isinstance(value.get("result"), dict) and "_meta" in value["result"]:
        value = value["result"]
    if isinstance(value, dict) and isinstance(value.get("_meta"), dict):
        meta = value["_meta"]
        return meta.get(_RECEIPT), meta.get(_SALTS, {}), value.get("content")
    if isinstance(value, dict) and "receipt" in value:
        return value["receipt"], value.get("salts", {}), None
    return value, {}, None


def _decoded(text):
    """The value of a header."""
    try:
        return read_json((unb64u(text) or b"").decode("utf-8"))
    except ValueError:
        raise Fault("receipt_mismatch", "the header is not JSON in base64url") from None


def check_receipt(receipt, keys):
    """The claims of a receipt that holds, and whether the service made the key at its start."""
    if not schema.is_receipt(receipt):
        raise Fault("receipt_mismatch", "not a receipt of this form")
    claims = receipt["claims"]
    jws = Jws(receipt["head"], "ductape-receipt+jwt")
    if not _HEAD(jws.payload):
        raise Fault("signature_bad", "the payload is not that of a receipt's head")
    self_asserted = keys.check(jws)
    leaf = leaf_hash(b"ductape-receipt/1", jcs(claims))
    root = climb(leaf, receipt["path"]) if isinstance(receipt["path"], list) else None
    if root is None or b64u(root) != jws.payload["root"]:
        raise Fault("receipt_path", "the path is not of the form, or does not lead to the root")
    if abs(claims["iat"] - jws.payload["iat"]) > _MAX_SECONDS:
        raise Fault("key_time", "claims and signature are more than 300 seconds apart")
    return claims, self_asserted


def check_disclosed(claims, salts, args=None, results=()):
    """`args` as read from JSON; `results` are the forms that a delivered text can have."""
    if not schema.is_salts(salts):
        raise Fault("digest_mismatch", "the salts are not of the form")
    if args is not None and not _digests(claims.get("args_digest"), salts.get("args"), [jcs(args)]):
        raise Fault("digest_mismatch", "the arguments and the salt do not give the digest")
    if results and not _digests(claims.get("result_digest"), salts.get("result"), results):
        raise Fault("digest_mismatch", "the result and the salt do not give the digest")


def _digests(digest, salt, texts):
    if digest is None or salt is None:
        return False
    return any(b64u(hashlib.sha256(unb64u(salt) + text).digest()) == digest for text in texts)


def delivered(data):
    """What `data` can stand for: the body of a REST answer, the content of an MCP result, or a result with its content."""
    texts = [data]
    try:
        value = read_json(data.decode("utf-8"))
        if isinstance(value, dict) and isinstance(value.get("result"), dict):
            value = value["result"]
        if isinstance(value, dict) and "content" in value:
            value = value["content"]
        texts.append(jcs(value))
    except ValueError:
        pass
    return texts


class Receipts:
    """Receipts that wait for their records; memory grows with the receipts, not with the records."""

    def __init__(self):
        self._waiting = {}
        # Their decision was there; in a chain that ended in a crash the outcome can be missing.
        self._decided = {}

    def add(self, claims, where):
        known, _ = self._waiting.setdefault(claims["jti"], (claims, where))
        if known != claims:
            raise Fault("receipt_mismatch", "another receipt for the same call")

    def decision(self, record, policies):
        claims, where = self._waiting.get(record["callId"], (None, None))
        if claims is None:
            return
        decision, what, who = record["decision"], record["what"], record["who"]
        said = {
            "args_digest": what.get("argsDigest"),
            "chain": record["chain"],
            "client_id": who.get("clientId"),
            "method": what.get("method"),
            "module": what.get("module"),
            "record": record["hash"],
            "replay_of": decision.get("replayOf"),
            "sub": who.get("subject"),
            "tenant": who.get("tenant"),
            "tool": what.get("tool"),
        }
        if not decision["allowed"]:
            said.update(code=decision["code"], status="refused")
        _compare(claims, said, where)
        # One receipt by itself is held against its two records, and what was in force before them is not known.
        if policies is not None and claims.get("policy_digest") not in (None, *policies):
            raise Fault("receipt_mismatch", "the receipt names a policy that the chain does not", where)
        del self._waiting[record["callId"]]
        if decision["allowed"]:
            self._decided[record["callId"]] = (claims, where)

    def outcome(self, record):
        claims, where = self._decided.pop(record["callId"], (None, None))
        if claims is None:
            return
        outcome = record["outcome"]
        said = {
            "code": outcome.get("code"),
            "result_digest": outcome.get("resultDigest"),
            "status": outcome["status"],
        }
        _compare(claims, said, where)

    def left(self):
        """Where the receipts stand whose records were not there, in their order."""
        return [where for _, where in self._waiting.values()]


def _compare(claims, said, where):
    for name, value in said.items():
        if claims.get(name) != value:
            raise Fault("receipt_mismatch", f"the receipt says something else about {name}", where)
