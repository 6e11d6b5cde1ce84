"""Files of records, read as streams: which line belongs to which chain, and the first fault."""

import json
import re
from collections import Counter

import schema
from approvals import Approvals
from canonical import Fault, jcs, parse
from chain import Chain, check_hash, read_checkpoint
from receipts import Receipts, check_disclosed, check_receipt, read_receipt

MAX_LINE = 64 * 1024
# How a container runtime (CRI) frames what a program writes; P is a part of a line that goes on in the next frame.
_FRAME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}) (stdout|stderr) ([FP]) ")


class Finding(Exception):
    """The first fault, and where it stands."""

    def __init__(self, fault, file, line, seq=None):
        super().__init__(fault.message)
        self.code, self.message = fault.code, fault.message
        self.file, self.line, self.seq = file, line, seq


def lines(stream):
    """(number, bytes, whether the line ended) of each record; frames taken off and parts put together."""
    number, rest, start = 0, b"", 0
    while True:
        # A frame is far shorter than this margin; what is longer still counts as too long.
        line = stream.readline(MAX_LINE + 256)
        if not line:
            break
        number += 1
        ended = line.endswith(b"\n")
        line = line[:-1] if ended else line
        frame = _FRAME.match(line)
        if frame is not None and frame[1] == b"stderr":
            continue
        start = start or number
        rest += line if frame is None else line[frame.end() :]
        if len(rest) > MAX_LINE:
            raise Finding(Fault("line_malformed", "the line is over 64 KiB"), None, start)
        if frame is None or frame[2] == b"F":
            yield start, rest, ended
            rest, start = b"", 0
    if start:
        yield start, rest, False


def _first(file):
    """What a file begins with: (chain, seq, time)."""
    name, opened = file
    try:
        with opened() as stream:
            _, line, _ = next(lines(stream))
        record = json.loads(line)
        return str(record["chain"]), int(record["seq"]), str(record["time"])
    except (StopIteration, Finding, ValueError, TypeError, KeyError, OverflowError):
        # Whatever is wrong with it is said when it is read.
        return "", 0, ""


def in_order(files):
    """By the time of their first record; those that begin with the same chain by its seq."""
    known = sorted(((_first(file), file) for file in files), key=lambda one: one[0][2])
    by_chain = {}
    for first, file in sorted(known, key=lambda one: one[0][1]):
        by_chain.setdefault(first[0], []).append(file)
    return [by_chain[first[0]].pop(0) for first, _ in known]


class Report:
    def __init__(self):
        self.chains = {}
        self.types = Counter()
        self.decisions = Counter()
        self.outcomes = Counter()
        self.approvals = Approvals()
        # Approvals that were used, and given in records that are not here.
        self.not_shown = 0
        # Last lines that a crash tore.
        self.torn = []

    def count(self, record):
        self.types[record["type"]] += 1
        if record["type"] == "decision":
            decision = record["decision"]
            self.decisions["replayed" if "replayOf" in decision else decision.get("code", "allowed")] += 1
        elif record["type"] == "outcome":
            self.outcomes[record["outcome"]["status"]] += 1
        elif record["type"] == "refusals":
            self.decisions[record["refusals"]["code"]] += int(record["refusals"]["count"])


def read_witness(name, stream, keys):
    """{chain: {size: root}}"""
    seen = {}
    for number, line, _ in lines(stream):
        try:
            jws = read_checkpoint(line.decode("ascii", "replace"))
            keys.check(jws)
            roots = seen.setdefault(jws.payload["chain"], {})
            if roots.setdefault(jws.payload["size"], jws.payload["root"]) != jws.payload["root"]:
                raise Fault("witness_mismatch", "the witness has two roots for one size")
        except Fault as fault:
            raise Finding(fault, name, number) from None
    return seen


def read_receipts(name, stream, keys):
    receipts = Receipts()
    for number, line in enumerate(stream, 1):
        try:
            receipt, salts, content = read_receipt(line.decode("utf-8", "replace"))
            claims, _ = check_receipt(receipt, keys)
            if content is not None:
                check_disclosed(claims, salts, results=[jcs(content)])
            receipts.add(claims, (name, number))
        except Fault as fault:
            raise Finding(fault, name, number) from None
    return receipts


def verify(files, keys, witness=None, receipts=None, since=0.0, all_replicas=False):
    """Files, witness and receipts are (name, function that opens the bytes). The report; Finding for the first fault.
    Chains that began before `since` (seconds) need not be given; `all_replicas` says that those of every replica are."""
    report = Report()
    seen = {}
    if witness is not None:
        with witness[1]() as stream:
            seen = read_witness(witness[0], stream, keys)
    waiting = Receipts()
    if receipts is not None:
        with receipts[1]() as stream:
            waiting = read_receipts(receipts[0], stream, keys)
    # What records say of other chains: {what: (place, chain, size, root)}.
    named = {}
    for name, opened in in_order(files):
        with opened() as stream:
            for number, line, ended in _located(name, stream):
                where = (name, number)
                record = None
                try:
                    record = read_record(line)
                    chain = report.chains.get(record["chain"])
                    if chain is None:
                        chain = Chain(record, keys, seen.get(record["chain"], {}), waiting)
                        report.chains[chain.id] = chain
                    for other in named_by(record):
                        named.setdefault(other, where)
                    chain.take(record, where)
                    report.approvals.take(record, where)
                except Fault as fault:
                    if fault.code == "line_malformed" and not ended:
                        report.torn.append(where)
                        continue
                    raise Finding(fault, *(fault.where or where), _seq(record)) from None
                report.count(record)
    _check_ends(report, named, seen, since, all_replicas)
    for place in waiting.left():
        raise Finding(Fault("receipt_mismatch", "the receipt names a record that is not there"), *place)
    return report


def _check_ends(report, named, seen, since, all_replicas):
    """What only the whole can show."""
    where = (None, None)
    try:
        for chain in report.chains.values():
            chain.finish()
        for (other, size, root), place in named.items():
            where = place
            if other in report.chains:
                if root is not None:
                    report.chains[other].check_next(size, root)
            elif not _began_before(other, since):
                raise Fault("chain_missing", "a record names a chain that was not given")
        where = (None, None)
        for other in seen:
            if other not in report.chains and not _began_before(other, since):
                raise Fault("chain_missing", "the witness names a chain that was not given")
        # What was lost in best-effort mode may have been an approval.
        lost = any(chain.lost for chain in report.chains.values())
        report.not_shown = report.approvals.finish(all_replicas and not lost)
    except Fault as fault:
        raise Finding(fault, *(fault.where or where)) from None


def read_record(line):
    record = parse(line)
    check_hash(record)
    if not schema.is_record(record):
        raise Fault("record_schema", "a member is missing, unknown or of the wrong form")
    return record


def named_by(record):
    """The chains that an `open` record names, and for the one before it what it had signed last."""
    if record["type"] != "open":
        return []
    chains = [(chain, None, None) for chain in record.get("registered", [])]
    if "previous" not in record:
        return chains
    try:
        # Its signature is not looked at, because the record itself is signed.
        payload = read_checkpoint(record["previous"]["checkpoint"]).payload
    except Fault:
        payload = {"chain": None}
    if payload["chain"] != record["previous"]["chain"]:
        raise Fault("record_schema", "previous.checkpoint is no checkpoint of that chain")
    return [(payload["chain"], payload["size"], payload["root"]), *chains]


def match(claims, name, stream):
    """Holds one receipt against its records, wherever they stand in a file."""
    receipts = Receipts()
    receipts.add(claims, (name, 0))
    for number, line, _ in _located(name, stream):
        record = None
        try:
            record = read_record(line)
            if record["type"] == "decision":
                receipts.decision(record, None)
            elif record["type"] == "outcome":
                receipts.outcome(record)
        except Fault as fault:
            raise Finding(fault, name, number, _seq(record)) from None
    if receipts.left():
        raise Fault("receipt_mismatch", "the receipt names a record that is not there")


def _located(name, stream):
    try:
        yield from lines(stream)
    except Finding as finding:
        finding.file = name
        raise


def _seq(record):
    value = record.get("seq") if record is not None else None
    return int(value) if schema.count(value) else None


def _began_before(chain, since):
    """By the time in its id, a UUIDv7 (RFC 9562 5.7)."""
    return schema.uuid7(chain) and int(chain.replace("-", "")[:12], 16) / 1000 < since
