"""Approvals: each that a call used was given before, for this request, by somebody else, and was used once."""

from canonical import Fault


class Approvals:
    """Memory grows with what people decide, not with the records."""

    def __init__(self):
        # By the id of the approval: the decisions to approve, and the one that used it.
        self._given = {}
        self.used = {}
        # Decisions to approve whose outcome has not come, by call.
        self._waiting = {}

    def take(self, record, where):
        """A record that its chain has taken."""
        if record["type"] == "outcome":
            self._settle(record)
            return
        if record["type"] != "decision" or not record["decision"]["allowed"]:
            return
        note = record["decision"].get("approval")
        if note is None:
            return
        if note["state"] == "used":
            if note["id"] in self.used:
                raise Fault("approval_reused", "the approval was used before")
            self.used[note["id"]] = _Bound(record, note, where)
        elif note["state"] == "approved" and record["what"].get("action") == "approval.approve":
            self._given.setdefault(note["id"], []).append(_Bound(record, note, where))
            self._waiting[record["callId"]] = note["id"]

    def _settle(self, record):
        """An approval that was refused after its record was written has not been given."""
        name = self._waiting.pop(record["callId"], None)
        if name is not None and record["outcome"]["status"] in ("failed", "cancelled"):
            self._given[name] = [given for given in self._given[name] if given.call != record["callId"]]

    def finish(self, whole):
        """Fault for the first use that nobody had approved; else how many were approved in records that are not here.
        `whole`: the records of all replicas are here."""
        not_shown = 0
        for name, use in self.used.items():
            given = self._given.get(name, [])
            if not given and not whole:
                not_shown += 1
                continue
            before = [one for one in given if one.chain != use.chain or one.seq < use.seq]
            if not before:
                raise Fault("approval_unmatched", "nobody had given this approval before it was used", use.where)
            faults = [_fault(one, use) for one in before]
            if all(faults):
                raise Fault(faults[0], "the approval was not given for this, or by who asked for it", use.where)
        return not_shown


class _Bound:
    """What an approval binds, as the record says that gives or uses it."""

    def __init__(self, record, note, where):
        self.where = where
        self.call, self.chain, self.seq = record["callId"], record["chain"], record["seq"]
        self.request = note.get("request", record["what"].get("requestDigest"))
        self.rule = note["rule"]
        self.requester = note.get("requester")
        self.approver = note.get("approver")
        self.who = record["who"]


def _fault(given, use):
    if (
        given.request != use.request
        or given.rule != use.rule
        or given.who.get("tenant") != use.who.get("tenant")
        or given.requester not in (None, use.who.get("principal"))
        or use.approver not in (None, given.who.get("principal"))
    ):
        return "approval_mismatch"
    return "approval_self" if _is_self(given.who, use.who) else None


def _is_self(approver, requester):
    """The caller, the owner of its key, or somebody in its `act` chain."""
    near = [requester.get(name) for name in ("principal", "subject", "owner")] + requester.get("actors", [])
    return any(approver.get(name) in near for name in ("principal", "subject") if name in approver)
