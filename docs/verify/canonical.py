"""What the bytes may look like: canonical JSON (RFC 8785), canonical base64url, compact JWS of one form (RFC 7515, RFC 8037)."""

import base64
import hashlib
import json
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Fault(Exception):
    """A finding: one of the codes of docs/reference/evidence.md, and a sentence. `where` if it is not about the line just read."""

    def __init__(self, code, message, where=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


_B64U = re.compile(r"[A-Za-z0-9_-]+\Z")


def unb64u(text):
    """The bytes of canonical base64url; None for anything else. Python's decoder ignores spare bits, so the bytes are encoded again."""
    if not isinstance(text, str) or not _B64U.match(text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if b64u(data) == text else None


def number(value):
    """A double as ECMAScript's Number::toString writes it. Python's repr has the same digits, the shortest that give the double back."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("no number of JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0)
    if whole == "0":
        point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = "." + digits[1:] if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"


def _utf16(name):
    return name.encode("utf-16-be", "surrogatepass")


_MAX_DEPTH = 64


def _write(value, out, depth=0):
    if isinstance(value, str):
        out.append(json.dumps(value, ensure_ascii=False))
    elif value is None:
        out.append("null")
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, (int, float)):
        out.append(number(float(value)))
    elif depth == _MAX_DEPTH:
        raise ValueError("nested too deep")
    elif isinstance(value, list):
        out.append("[")
        for at, item in enumerate(value):
            if at:
                out.append(",")
            _write(item, out, depth + 1)
        out.append("]")
    else:
        out.append("{")
        for at, name in enumerate(sorted(value, key=_utf16)):
            out.append(("," if at else "") + json.dumps(name, ensure_ascii=False) + ":")
            _write(value[name], out, depth + 1)
        out.append("}")


def jcs(value):
    """Canonical JSON as bytes; ValueError for a lone surrogate or a number that no double holds."""
    out = []
    _write(value, out)
    return "".join(out).encode("utf-8")


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotCanonical("a member stands twice")
    return members


class _NotCanonical(ValueError):
    """JSON, and nothing that a canonical form could stand for."""


def _constant(text):
    raise ValueError(text)


# Every number of I-JSON is a double, so an integer is read as one too: its digits are compared when it is written again.
_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_int=float, parse_constant=_constant)


def read_json(text):
    """A value of JSON in any form; ValueError for anything else."""
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise _NotCanonical("nested too deep") from None


def parse(data):
    """The object that these bytes are, which have to be its canonical form."""
    try:
        value = read_json(data.decode("utf-8"))
    except _NotCanonical as error:
        raise Fault("line_not_canonical", str(error)) from None
    except ValueError:
        raise Fault("line_malformed", "not JSON") from None
    if not isinstance(value, dict):
        raise Fault("line_malformed", "not an object")
    try:
        same = jcs(value) == data
    except ValueError:
        same = False
    if not same:
        raise Fault("line_not_canonical", "not the canonical form (RFC 8785)")
    return value


def thumbprint(x):
    """RFC 7638, of an Ed25519 public key."""
    return b64u(hashlib.sha256(jcs({"crv": "Ed25519", "kty": "OKP", "x": x})).digest())


def is_jwk(value):
    """Exactly the members of an Ed25519 public key, and 32 bytes."""
    return (
        isinstance(value, dict)
        and value.keys() == {"crv", "kty", "x"}
        and (value["crv"], value["kty"]) == ("Ed25519", "OKP")
        and len(unb64u(value["x"]) or b"") == 32
    )


class Jws:
    """A compact JWS that has the form; whether the signature holds is asked apart."""

    def __init__(self, text, typ):
        parts = text.split(".") if isinstance(text, str) else []
        decoded = [unb64u(part) for part in parts]
        if len(parts) != 3 or None in decoded or len(decoded[2]) != 64:
            raise Fault("signature_bad", "not a compact JWS")
        try:
            header, self.payload = parse(decoded[0]), parse(decoded[1])
        except Fault:
            raise Fault("signature_bad", "header or payload of the JWS is not canonical JSON") from None
        self.kid = header.get("kid")
        if header != {"alg": "EdDSA", "kid": self.kid, "typ": typ} or len(unb64u(self.kid) or b"") != 32:
            raise Fault("signature_bad", f"the header of the JWS is not that of {typ}")
        self._input = f"{parts[0]}.{parts[1]}".encode("ascii")
        self._signature = decoded[2]

    def check(self, x):
        """Fault unless the signature holds under the key with these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(unb64u(x)).verify(self._signature, self._input)
        except (InvalidSignature, ValueError):
            raise Fault("signature_bad", "the signature does not hold") from None
