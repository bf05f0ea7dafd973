"""OSC address patterns: what they mean, and that none takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.osc.guard import OscError
from daemon.osc.pattern import is_pattern, matching
from daemon.protocol.messages import COMMANDS


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("/a/b", "/a/b", True),
        ("/a/b", "/a/c", False),
        ("/?/b", "/a/b", True),
        ("/?/b", "//b", False),
        ("/*/b", "/anything/b", True),
        ("/a*", "/a", True),
        ("/a*c", "/abbbc", True),
        ("/a*c", "/abbbd", False),
        ("/*", "/a/b", False),
        ("/a/*/c", "/a/b/c", True),
        ("/[a-c]x", "/bx", True),
        ("/[c-a]x", "/bx", True),
        ("/[a-c]x", "/dx", False),
        ("/[!a-c]x", "/dx", True),
        ("/[!a-c]x", "/bx", False),
        ("/[ab-]x", "/-x", True),
        ("/{tempo,seed}", "/seed", True),
        ("/{tempo,seed}", "/tags", False),
        ("/{a,ab}c", "/abc", True),
        ("/{,x}y", "/y", True),
        ("/*{a,b}*", "/zzbzz", True),
    ],
)
def test_meaning(pattern: str, name: str, expected: bool) -> None:
    assert matching(pattern, [name]) == ((name,) if expected else ())


def test_all_that_match_come_in_order() -> None:
    assert matching("/ditto/slot/{seed,tempo,tags}", COMMANDS) == (
        "/ditto/slot/tags",
        "/ditto/slot/tempo",
        "/ditto/slot/seed",
    )


@pytest.mark.parametrize("pattern", ["/a[b", "/{a,b", "/a{"])
def test_what_never_closes_is_refused(pattern: str) -> None:
    with pytest.raises(OscError, match="never closes"):
        matching(pattern, ["/a"])


def test_plain_addresses_are_no_patterns() -> None:
    assert not any(is_pattern(address) for address in COMMANDS)
    assert all(is_pattern(address) for address in ("/a*", "/?", "/[a]", "/{a,b}"))


def test_the_patterns_that_take_a_backtracking_matcher_minutes() -> None:
    name = "/" + "a" * 120
    started = time.perf_counter()
    for pattern in ("/" + "*a" * 60 + "b", "/" + "{a,aa}" * 40 + "b", "/" + "*" * 250):
        matching(pattern, [name] * 25)
    assert time.perf_counter() - started < 1.0


@given(st.text("ab*?[]{},!-/", max_size=30), st.text("ab/", max_size=30))
def test_any_pattern_ends(pattern: str, name: str) -> None:
    try:
        assert set(matching(pattern, [name])) <= {name}
    except OscError as error:
        assert "never closes" in str(error)
