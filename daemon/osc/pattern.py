"""OSC address patterns, matched without backtracking.

A pattern is turned into tokens; the set of places in the name that the tokens so far can reach is
carried from token to token. Work is at most tokens x length, whatever the pattern.

Source: OSC 1.0, "OSC Message Dispatching and Pattern Matching".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from daemon.osc.guard import OscError

SPECIAL = frozenset("?*[]{}")


@dataclass(frozen=True)
class _Star:
    """Any run of characters, also none."""


@dataclass(frozen=True)
class _One:
    """One character out of a set, or out of all others."""

    characters: frozenset[str]
    negated: bool


_Words: TypeAlias = tuple[str, ...]
_Token: TypeAlias = _Star | _One | _Words


def is_pattern(address: str) -> bool:
    """Return whether `address` needs matching; all others are looked up as they are."""
    return not SPECIAL.isdisjoint(address)


def matching(pattern: str, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses that `pattern` matches, part by part, in their order.

    Raises OscError for a bracket or brace that is never closed.
    """
    parts = [_tokens(part) for part in pattern.split("/")]
    return tuple(
        address
        for address in addresses
        if len(names := address.split("/")) == len(parts)
        and all(_reaches_end(tokens, name) for tokens, name in zip(parts, names, strict=True))
    )


def _tokens(part: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(part):
        sign = part[at]
        if sign in "[{":
            close = part.find("]" if sign == "[" else "}", at)
            if close < 0:
                raise OscError(f"address pattern {part!r} never closes its {sign!r}")
            inside = part[at + 1 : close]
            tokens.append(_one_of(inside) if sign == "[" else tuple(inside.split(",")))
            at = close
        elif sign == "*":
            tokens.append(_Star())
        else:
            tokens.append(_One(frozenset(), True) if sign == "?" else (sign,))
        at += 1
    return tokens


def _one_of(inside: str) -> _One:
    negated = inside.startswith("!")
    signs = inside[1:] if negated else inside
    members: set[str] = set()
    at = 0
    while at < len(signs):
        if signs[at + 1 : at + 2] == "-" and at + 2 < len(signs):
            low, high = sorted((ord(signs[at]), ord(signs[at + 2])))
            members.update(chr(code) for code in range(low, high + 1))
            at += 3
        else:
            members.add(signs[at])
            at += 1
    return _One(frozenset(members), negated)


def _reaches_end(tokens: list[_Token], name: str) -> bool:
    places = {0}
    for token in tokens:
        if not places:
            return False
        match token:
            case _Star():
                places = set(range(min(places), len(name) + 1))
            case _One(characters, negated):
                places = {p + 1 for p in places if _fits(name[p : p + 1], characters, negated)}
            case words:
                places = {p + len(w) for p in places for w in words if name.startswith(w, p)}
    return len(name) in places


def _fits(character: str, characters: frozenset[str], negated: bool) -> bool:
    return bool(character) and (character in characters) != negated
