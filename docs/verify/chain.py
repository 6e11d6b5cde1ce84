"""One chain of records: what is known of it so far, and whether the next record can follow."""

import hashlib
from collections import Counter, deque

import schema
from canonical import Fault, Jws, b64u, jcs, thumbprint, unb64u
from merkle import TreeHead, leaf_hash

# Without a checkpoint: 256 records, and as many while a full queue has no room for one; 60 seconds, of which a step counts 30 at most.
_UNCOVERED_RECORDS = 512
_UNCOVERED_SECONDS = 60
_LONGEST_STEP = 30
_CHECKPOINT_SECONDS = 5
# A decision is compared with so many before it, so that memory stays constant.
_REMEMBERED = 65536
_POLICIES = 16

_CHECKPOINT = schema.members({"chain": schema.text, "iat": schema.count, "root": schema.sha256, "size": schema.count})
_NEW_KEY = schema.members({"chain": schema.text, "iat": schema.count, "jwk": schema.an_object})


def read_checkpoint(text):
    jws = Jws(text, "ductape-checkpoint+jwt")
    if not _CHECKPOINT(jws.payload):
        raise Fault("signature_bad", "the payload is not that of a checkpoint")
    return jws


def check_hash(record):
    """Before anything else is read in a record: whatever was altered afterwards shows here."""
    if not schema.sha256(record.get("hash")):
        raise Fault("record_schema", "there is no hash, or it is none")
    rest = {name: value for name, value in record.items() if name != "hash"}
    if b64u(hashlib.sha256(jcs(rest)).digest()) != record["hash"]:
        raise Fault("hash_mismatch", "the hash is not that of the line")


class Chain:
    def __init__(self, record, keys, witness, receipts):
        if record["type"] != "open":
            raise Fault("chain_unopened", "the first record of the chain is not open")
        self.id = record["chain"]
        self._instance = record["instance"]
        self.size = 0
        self.uncovered = 0
        self.closed = False
        self.lost = 0
        self.unknown = 0
        self._ended = False
        # Size and root of the last checkpoint.
        self.covered = (0, "")
        self._keys = keys
        # Roots that the witness has seen, by size; what the records have shown, too, is taken out.
        self._witness = dict(witness)
        self._receipts = receipts
        self._key = {**record["key"], "origin": record["keyOrigin"]}
        self.self_asserted = record["keyOrigin"] == "boot"
        self._mode = record["mode"]
        self._replaced = set()
        self._tree = TreeHead()
        self._last_hash = None
        self._last_time = 0.0
        self._seconds = 0.0
        self._pending = {}
        self._decided = deque()
        self._ids = set()
        self._policies = deque(maxlen=_POLICIES)
        self._counts = Counter()
        # The first outcome without a decision, and how many there are.
        self._unmatched = None
        self._strays = 0

    def take(self, record, where):
        name = record["type"]
        if self._ended or (self.closed and name != "checkpoint"):
            raise Fault("chain_after_close", "a record follows the end of the chain")
        if record["seq"] != self.size:
            raise Fault("seq_gap", f"seq {self.size} was to follow")
        if record.get("prev") != self._last_hash:
            raise Fault("prev_mismatch", "prev is not the hash of the record before")
        self._cover(record)
        if record["instance"] != self._instance:
            raise Fault("record_schema", "another instance than the chain began with")
        self._counts[name] += 1
        if "policyDigest" in record:
            self._policies.append(record["policyDigest"])
        handler = getattr(self, f"_take_{name}", None)
        if handler is not None:
            handler(record, where)
        self._tree.add(leaf_hash(unb64u(record["hash"])))
        self._last_hash = record["hash"]
        self.size += 1

    def _cover(self, record):
        if record["type"] == "checkpoint":
            return
        now = schema.instant(record["time"])
        if self.uncovered == 0:
            self._seconds = 0.0
        else:
            self._seconds += min(max(now - self._last_time, 0), _LONGEST_STEP)
        self._last_time = now
        self.uncovered += 1
        if self.uncovered > _UNCOVERED_RECORDS or self._seconds > _UNCOVERED_SECONDS:
            raise Fault("checkpoint_missing", "too many records, or too long a time, without a checkpoint")

    def _take_decision(self, record, _where):
        call = record["callId"]
        if call in self._ids:
            raise Fault("decision_repeated", "a second decision for this call")
        self._ids.add(call)
        self._decided.append(call)
        if len(self._decided) > _REMEMBERED:
            self._ids.discard(self._decided.popleft())
        if record["decision"]["allowed"]:
            self._pending[call] = None
        self._receipts.decision(record, self._policies)

    def _take_outcome(self, record, where):
        if self._pending.pop(record["callId"], self) is self:
            self._strays += 1
            self._unmatched = self._unmatched or where
            # Where records can be lost, a record that says so may follow.
            if self._mode == "strict":
                self._check_strays()
        self._receipts.outcome(record)

    def _check_strays(self):
        if self._strays > self.lost:
            raise Fault(
                "outcome_unmatched", "no earlier allowed decision that waits for this outcome", self._unmatched
            )

    def _take_lost(self, record, _where):
        if self._mode == "strict":
            raise Fault("lost_records", "records were lost in a chain of mode strict")
        self.lost += int(record["lost"]["records"])

    def _take_key(self, record, _where):
        jws = Jws(record["key"]["jws"], "ductape-key+jwt")
        if not _NEW_KEY(jws.payload):
            raise Fault("signature_bad", "the payload is not that of a new key")
        self._check(jws)
        if jws.payload["chain"] != self.id or jws.payload["jwk"] != record["key"]["jwk"]:
            raise Fault("checkpoint_claims", "the signed key is not that of the record, or of another chain")
        self._replaced.add(jws.kid)
        self._key = {**record["key"]["jwk"], "origin": "file"}
        self.self_asserted = False
        self._replaced.discard(thumbprint(self._key["x"]))

    def _take_checkpoint(self, record, _where):
        jws = read_checkpoint(record["checkpoint"])
        self._check(jws)
        if (jws.payload["chain"], jws.payload["size"]) != (self.id, self.size):
            raise Fault("checkpoint_claims", "the checkpoint is of another chain or place")
        # The last one of a chain is covered by nothing but the JWS that it carries.
        if abs(schema.instant(record["time"]) - jws.payload["iat"]) > _CHECKPOINT_SECONDS:
            raise Fault("checkpoint_claims", "the checkpoint was not signed when its record was made")
        if jws.payload["root"] != b64u(self._tree.root()):
            raise Fault("checkpoint_root", "the root is not that of the records")
        if self._witness.pop(self.size, jws.payload["root"]) != jws.payload["root"]:
            raise Fault("witness_mismatch", "the witness has another root for this size")
        self.covered = (self.size, jws.payload["root"])
        self.uncovered = 0
        self._ended = self.closed

    def _check(self, jws):
        if jws.kid in self._replaced:
            raise Fault("key_time", "signed by a key that a key record had replaced")
        # The key set can say so of a key of which the chain does not.
        self.self_asserted = self._keys.check(jws, self._key) or self.self_asserted

    def _take_close(self, record, _where):
        claimed = {name: count for name, count in record["close"]["records"].items() if count}
        if claimed != dict(self._counts):
            raise Fault("record_schema", "close counts other records than there are")
        self._check_strays()
        if self._strays + len(self._pending) > self.lost:
            raise Fault("outcome_missing", "an allowed decision has no outcome")
        self.closed = True

    def finish(self):
        """At the end of everything given."""
        self.unknown = len(self._pending)
        self._check_strays()
        if self._witness:
            raise Fault("witness_truncated", "the witness has seen a checkpoint that is not there")

    def check_next(self, size, root):
        """Against the checkpoint that the next start of the service found."""
        if self.covered[0] < size:
            raise Fault("witness_truncated", f"the next start saw a checkpoint of size {int(size)}")
        if self.covered[0] == size and self.covered[1] != root:
            raise Fault("witness_mismatch", "the next start saw another root")
