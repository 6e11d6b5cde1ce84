"""Reads vectors from standard input, one JSON object a line, and writes for each what the Python verifier says: its code, or ok."""

import base64
import functools
import io
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "docs" / "verify"))

import records  # noqa: E402
from canonical import Fault, read_json  # noqa: E402
from keys import KeySet  # noqa: E402
from records import Finding, verify  # noqa: E402
from schema import day_or_instant  # noqa: E402
from verify_evidence import check_one  # noqa: E402

# Most lines of a mutated file are those of the file before it, and what a line is does not hang on where it stands.
records.read_record = functools.lru_cache(256)(records.read_record)


def opener(file):
    data = base64.b64decode(file["base64"]) if "base64" in file else file["text"].encode("utf-8")
    return file["name"], lambda: io.BytesIO(data)


def part(vector, name):
    return opener({"name": name, "text": vector[name]}) if name in vector else None


def verdict(vector):
    keys = KeySet(vector["keys"], vector.get("selfAsserted", False))
    if "receipt" in vector:
        record = part(vector, "records")
        check_one(
            vector["receipt"],
            keys,
            read_json(vector["args"]) if "args" in vector else None,
            vector["result"].encode("utf-8") if "result" in vector else None,
            None if record is None else (record[0], record[1]()),
        )
        return {"ok": True}
    since = day_or_instant(vector["from"]) if "from" in vector else 0.0
    files = [opener(file) for file in vector["files"]]
    given = part(vector, "witness"), part(vector, "receipts")
    report = verify(files, keys, *given, since, vector.get("allReplicas", False))
    chains = report.chains.values()
    return {
        "ok": True,
        "unknown": sum(chain.unknown for chain in chains),
        "lost": sum(chain.lost for chain in chains),
        "uncovered": sum(chain.uncovered for chain in chains),
        "torn": len(report.torn),
        "notShown": report.not_shown,
    }


for line in sys.stdin:
    try:
        said = verdict(json.loads(line))
    except Finding as finding:
        said = {"code": finding.code, "file": finding.file, "line": finding.line}
    except Fault as fault:
        said = {"code": fault.code}
    sys.stdout.write(json.dumps(said) + "\n")
