"""Who gets replies and events. Owned by the control process's event loop; no I/O.

A registration belongs to the host and port that /ditto/notify came from, so that two clients on
one machine keep apart. A sender that never registered is answered at its source port; because
one-shot tools such as oscsend have closed theirs by then, every client that registered from the
same machine gets a copy.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]

CLIENTS = 64


@dataclass(frozen=True)
class Client:
    """One registration: where it listens, its name, and when it was heard last."""

    target: Address
    name: str
    heard_s: float


class Clients:
    """The registrations, at most CLIENTS of them: the one silent for longest gives way."""

    def __init__(self, expiry_s: float) -> None:
        """Send events only to clients heard within `expiry_s`; replies always find their way."""
        self._expiry_s = expiry_s
        self._by_source: OrderedDict[Address, Client] = OrderedDict()

    def register(self, source: Address, port: int, name: str, now_s: float) -> None:
        """Answer `source` at `port` of its host from now on."""
        self._by_source[source] = Client((source[0], port), name, now_s)
        self._by_source.move_to_end(source)
        if len(self._by_source) > CLIENTS:
            self._by_source.popitem(last=False)

    def forget(self, source: Address) -> None:
        """Drop what `source` registered, if anything."""
        self._by_source.pop(source, None)

    def hear(self, source: Address, now_s: float) -> tuple[Address, ...]:
        """Note that `source` spoke; return where its replies go."""
        if source in self._by_source:
            self._renew(source, now_s)
            return (self._by_source[source].target,)
        neighbours = [
            other
            for other, client in self._by_source.items()
            if other[0] == source[0] and self._is_awake(client, now_s)
        ]
        for other in neighbours:
            self._renew(other, now_s)
        targets = [self._by_source[other].target for other in neighbours]
        return tuple(dict.fromkeys([source, *targets]))

    def subscribers(self, now_s: float) -> tuple[Address, ...]:
        """Return where events go."""
        awake = [c.target for c in self._by_source.values() if self._is_awake(c, now_s)]
        return tuple(dict.fromkeys(awake))

    def _is_awake(self, client: Client, now_s: float) -> bool:
        return now_s - client.heard_s <= self._expiry_s

    def _renew(self, source: Address, now_s: float) -> None:
        self._by_source[source] = replace(self._by_source[source], heard_s=now_s)
        self._by_source.move_to_end(source)
