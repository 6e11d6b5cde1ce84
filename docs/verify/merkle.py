"""Merkle trees of RFC 9162 2.1: the head over a growing list, of which only the right edge is kept, and the way up from a leaf."""

import hashlib
import re

from canonical import unb64u

MAX_STEPS = 20
_STEP = re.compile(r"[LR][A-Za-z0-9_-]{43}\Z")


def leaf_hash(*data):
    return hashlib.sha256(b"\x00" + b"".join(data)).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class TreeHead:
    def __init__(self):
        self.size = 0
        # Roots of full subtrees, the largest first: one for each bit that is set in `size`.
        self._edge = []

    def add(self, leaf):
        bits = self.size
        while bits & 1:
            leaf = node_hash(self._edge.pop(), leaf)
            bits >>= 1
        self._edge.append(leaf)
        self.size += 1

    def root(self):
        if not self._edge:
            return hashlib.sha256().digest()
        node = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            node = node_hash(left, node)
        return node


def climb(leaf, path):
    """The root to which the steps lead; None where one of them is not of the form."""
    if len(path) > MAX_STEPS:
        return None
    node = leaf
    for step in path:
        sibling = unb64u(step[1:]) if isinstance(step, str) and _STEP.match(step) else None
        if sibling is None:
            return None
        node = node_hash(sibling, node) if step[0] == "L" else node_hash(node, sibling)
    return node
