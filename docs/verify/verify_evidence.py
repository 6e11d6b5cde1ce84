#!/usr/bin/env python3
"""Verifies the records and receipts of ductape-mcp with nothing of its code: docs/reference/evidence.md alone. No network."""

import argparse
import gzip
import json
import sys
import zlib

import schema
from canonical import Fault, jcs, read_json
from keys import KeySet
from receipts import check_disclosed, check_receipt, delivered, read_receipt
from records import Finding, match, verify


def arguments(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Exit codes: 0 it holds, 1 a fault was found, 2 it could not look."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    records = commands.add_parser("records", help="whole chains: nothing missing, altered or out of order")
    records.add_argument("files", nargs="+", metavar="FILE", help="records, as written or framed by a container runtime")
    records.add_argument("--witness", metavar="FILE", help="checkpoints that a witness has seen, one JWS a line")
    records.add_argument("--receipts", metavar="FILE", help="receipts of callers, one JSON object a line")
    records.add_argument("--from", dest="since", type=schema.day_or_instant, default=0.0, metavar="TIME", help="older chains need not be given")
    records.add_argument("--all-replicas", action="store_true", help="the records of every replica are given, so each approval has to be in them")
    receipt = commands.add_parser("receipt", help="one receipt by itself")
    receipt.add_argument("file", metavar="FILE", help="a receipt, {receipt, salts}, or the answer that it came in")
    receipt.add_argument("--args", metavar="FILE", help="disclosed arguments, JSON")
    receipt.add_argument("--result", metavar="FILE", help="disclosed result")
    receipt.add_argument("--record", metavar="FILE", help="records among which those of the call are")
    for command in (records, receipt):
        command.add_argument("--keys", required=True, metavar="JWKS", help="the key set of the service")
        command.add_argument("--self-asserted", action="store_true", help="take keys that a service made at its start")
        command.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def source(path):
    opener = gzip.open if path is not None and path.endswith(".gz") else open
    return None if path is None else (path, lambda: opener(path, "rb"))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check_records(options, keys):
    files = [source(path) for path in options.files]
    report = verify(
        files, keys, source(options.witness), source(options.receipts), options.since, options.all_replicas
    )
    if not report.chains:
        raise ValueError("there is no record in these files")
    self_asserted = any(chain.self_asserted for chain in report.chains.values())
    verdict = "complete" if options.witness else "complete within the chains given"
    chains = [
        {
            "chain": chain.id,
            "selfAsserted": chain.self_asserted,
            "records": chain.size,
            "state": "closed" if chain.closed else "open",
            "lost": chain.lost,
            "unknownOutcomes": chain.unknown,
            "uncovered": chain.uncovered,
        }
        for chain in report.chains.values()
    ]
    return {
        "ok": True,
        # Whoever forges records can make such a key too.
        "verdict": f"self-asserted, {verdict}" if self_asserted else verdict,
        "chains": chains,
        "approvals": {"used": len(report.approvals.used), "notShown": report.not_shown},
        "torn": [{"file": name, "line": line} for name, line in report.torn],
        "types": report.types,
        "decisions": report.decisions,
        "outcomes": report.outcomes,
    }


def check_one(text, keys, args=None, result=None, record=None):
    """`record` is (name, stream). The claims, and whether the service made the key at its start."""
    receipt, salts, content = read_receipt(text)
    claims, self_asserted = check_receipt(receipt, keys)
    results = [] if content is None else [jcs(content)]
    if result is not None:
        results = delivered(result)
    check_disclosed(claims, salts, args, results)
    if record is not None:
        match(claims, *record)
    return claims, self_asserted


def check_files(options, keys):
    args = None if options.args is None else read_json(read(options.args).decode("utf-8"))
    result = None if options.result is None else read(options.result)
    text = read(options.file).decode("utf-8", "replace")
    if options.record is None:
        claims, self_asserted = check_one(text, keys, args, result)
    else:
        with open(options.record, "rb") as stream:
            claims, self_asserted = check_one(text, keys, args, result, (options.record, stream))
    claims["iat"] = int(claims["iat"])
    verdict = "the receipt holds"
    return {"ok": True, "verdict": f"self-asserted, {verdict}" if self_asserted else verdict, "claims": claims}


def show(value, out, indent=""):
    for name, item in value.items():
        if isinstance(item, dict):
            out.write(f"{indent}{name}\n")
            show(item, out, indent + "  ")
        elif isinstance(item, list):
            for one in item:
                out.write(f"{indent}{name}\n")
                show(one, out, indent + "  ")
        else:
            # JSON escapes what a terminal would obey or reorder.
            out.write(f"{indent}{name}: {json.dumps(item)}\n")


def main(argv):
    options = arguments(argv)
    try:
        keys = KeySet(read(options.keys), options.self_asserted)
        result = check_records(options, keys) if options.command == "records" else check_files(options, keys)
    except Finding as finding:
        result = {"ok": False, "code": finding.code, "message": finding.message}
        result.update(file=finding.file, line=finding.line, seq=finding.seq)
    except Fault as fault:
        result = {"ok": False, "code": fault.code, "message": fault.message, "file": options.file}
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"could not look: {type(error).__name__}: {json.dumps(str(error))}\n")
        return 2
    if options.json:
        json.dump(result, sys.stdout)
        sys.stdout.write("\n")
    else:
        show(result, sys.stdout)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
