"""The keys that a verifier trusts: a JWK Set, with the validity of each key."""

import json

from canonical import Fault, thumbprint, unb64u


class KeySet:
    """Ed25519 keys by their thumbprint. With `self_asserted` those count too that a service made at its start."""

    def __init__(self, data, self_asserted=False):
        self._self_asserted = self_asserted
        self._keys = {}
        for key in json.loads(data)["keys"]:
            if (key.get("kty"), key.get("crv")) != ("OKP", "Ed25519"):
                continue
            if len(unb64u(key.get("x")) or b"") != 32 or key.get("kid") != thumbprint(key["x"]):
                raise ValueError("a key of the set has no proper x, or a kid that is not its thumbprint")
            self._keys[key["kid"]] = key

    def check(self, jws, current=None):
        """Fault unless the JWS is signed by a key that is trusted for its iat; whether the service made that key at its start.
        `current`: the key that its chain names, and its origin."""
        key = self._keys.get(jws.kid)
        of_chain = current is not None and thumbprint(current["x"]) == jws.kid
        boot = (key is not None and key.get("ductape-origin") == "boot") or (of_chain and current["origin"] == "boot")
        if boot:
            if not self._self_asserted:
                raise Fault("self_asserted", "signed by a key that the service made at its start")
            key = key or current
        if key is None:
            raise Fault("key_unknown", "signed by a key that is not in the key set")
        if current is not None and not of_chain:
            raise Fault("key_unknown", "signed by another key than the chain names")
        if not key.get("nbf", 0) <= jws.payload["iat"] < key.get("exp", float("inf")):
            raise Fault("key_time", "signed outside the validity of its key")
        jws.check(key["x"])
        return boot
