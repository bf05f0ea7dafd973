"""The guard, against packets made by hand: everything python-osc lets through or dies of."""

import random
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from daemon.bench.osc_bytes import bundle, message, mutated, random_packet, text
from daemon.osc.guard import (
    ADDRESS_BYTES,
    ARGUMENTS,
    BLOB_BYTES,
    BUNDLE_DEPTH,
    MESSAGES,
    Message,
    OscError,
    read,
)

PING = b"/ditto/ping\0,\0\0\0"


def only(datagram: bytes) -> Message:
    packet = read(datagram)
    assert not packet.refused
    (found,) = packet.messages
    return found


def test_a_message_without_arguments() -> None:
    assert only(PING) == Message("/ditto/ping", ())


def test_a_message_without_type_tags_is_tolerated() -> None:
    assert only(b"/ditto/ping\0") == Message("/ditto/ping", ())


def test_int_float_and_text() -> None:
    datagram = b"/a\0\0,ifs\0\0\0\0\x00\x00\x00\x07\x3f\xc0\x00\x00abc\0"
    assert only(datagram) == Message("/a", (7, 1.5, "abc"))


def test_other_known_types() -> None:
    tags = "hdTFNbrmt[i[s]]"
    found = only(message("/a", tags, 2**40, 0.1, b"xyz", 5, b"\0\x90\x40\x7f", 1, 3, "in"))
    assert found.arguments[:6] == (2**40, 0.1, True, False, None, b"xyz")
    assert found.arguments[-1] == [3, ["in"]]


def test_text_is_utf8() -> None:
    assert only(message("/a", "s", "Schlagzeug für später")).arguments == ("Schlagzeug für später",)


def test_an_empty_blob_is_legal() -> None:
    assert only(message("/a", "bi", b"", 4)).arguments == (b"", 4)


def test_bundles_nest_and_keep_their_order() -> None:
    inner = bundle(message("/b", "i", 2), message("/c", "i", 3), tag=b"\0\0\0\5\0\0\0\0")
    packet = read(bundle(message("/a", "i", 1), inner, message("/d", "i", 4)))
    assert [m.arguments[0] for m in packet.messages] == [1, 2, 3, 4]
    assert packet.time_tag == 5 * 2**32


def test_an_empty_bundle_is_legal() -> None:
    assert read(bundle()).messages == ()


def test_the_bundle_that_makes_python_osc_loop_for_ever() -> None:
    datagram = b"#bundle\0" + b"\0" * 7 + b"\1" + b"\xff\xff\xff\xfc"
    assert len(datagram) == 20
    with pytest.raises(OscError, match="size -4"):
        read(datagram)


@pytest.mark.parametrize("size", [0, 3, 6, 400, -8, -(2**31), 2**31 - 1])
def test_other_wrong_element_sizes(size: int) -> None:
    with pytest.raises(OscError, match=f"size {size}"):
        read(bundle() + struct.pack(">i", size) + PING)


def test_bundles_nested_too_deep() -> None:
    deep = PING
    for _ in range(BUNDLE_DEPTH):
        deep = bundle(deep)
    assert only(deep).address == "/ditto/ping"
    with pytest.raises(OscError, match="deeper than 8"):
        read(bundle(deep))
    for _ in range(2500):
        deep = bundle(deep)
    with pytest.raises(OscError, match="deeper than 8"):
        read(deep)


def test_too_many_messages() -> None:
    assert len(read(bundle(*[PING] * MESSAGES)).messages) == MESSAGES
    with pytest.raises(OscError, match="more than 1024"):
        read(bundle(*[PING] * (MESSAGES + 1)))


@pytest.mark.parametrize(
    ("datagram", "sentence"),
    [
        (b"", "0 bytes"),
        (b"/a\0", "multiple of 4"),
        (b"abcd", "neither"),
        (b"\0\0\0\0", "neither"),
        (b"#bundle\0\0\0\0\0", "before its time tag"),
        (b"/abc", "no closing NUL"),
        (b"/a\0x,\0\0\0", "other bytes than NUL"),
        (b"/a\0\0,s\0\0abcd", "no closing NUL"),
        (b"/a\0\0,s\0\0a\0b\0", "other bytes than NUL"),
        (b"/a\0\0,s\0\0\xff\xfe\0\0", "not UTF-8"),
        (b"/\xc3\xa4\0,\0\0\0", "plain ASCII"),
        (b"/a\x07\0,\0\0\0", "plain ASCII"),
        (b"/a\0\0,i\0\0", "need more"),
        (b"/a\0\0,d\0\0\0\0\0\0", "need more"),
        (b"/a\0\0,\0\0\0\0\0\0\1", "type tags make 8"),
        (b"/a\0\0,b\0\0\xff\xff\xff\xf8", "blob has size -8"),
        (b"/a\0\0,b\0\0\0\0\0\x08abcd", "need more"),
        (b"/a\0\0,b\0\0", "blob has no size"),
    ],
)
def test_broken_structure_refuses_the_whole_packet(datagram: bytes, sentence: str) -> None:
    with pytest.raises(OscError, match=sentence) as caught:
        read(datagram)
    assert caught.value.address == ""
    if datagram and len(datagram) % 4 == 0:
        with pytest.raises(OscError):
            read(bundle(PING, datagram))


@pytest.mark.parametrize(
    ("datagram", "sentence"),
    [
        (b"/a\0\0abc\0", "without their type tags"),
        (b"/a\0\0,[\0\0", "unbalanced"),
        (b"/a\0\0,]\0\0", "unbalanced"),
        (message("/a", "[" * 9 + "]" * 9), "too deep"),
        (message("/a", "ci", 65, 7), "type tag is 'c'"),
        (message("/a", "Si", "x", 7), "type tag is 'S'"),
        (message("/a", "I"), "type tag is 'I'"),
        (message("/a", "T" * (ARGUMENTS + 1)), "2049 arguments"),
    ],
)
def test_unreadable_messages_are_discarded_alone(datagram: bytes, sentence: str) -> None:
    packet = read(bundle(PING, datagram, PING))
    assert [m.address for m in packet.messages] == ["/ditto/ping"] * 2
    (refused,) = packet.refused
    assert refused.address == "/a"
    assert sentence in str(refused)


def test_limits_of_address_and_blob() -> None:
    assert only(text("/" + "a" * (ADDRESS_BYTES - 1))).address
    with pytest.raises(OscError, match="255"):
        read(text("/" + "a" * ADDRESS_BYTES))
    assert only(message("/a", "b", b"x" * BLOB_BYTES))
    with pytest.raises(OscError, match="blob has size 16385"):
        read(message("/a", "b", b"x" * (BLOB_BYTES + 1)))


def test_what_python_osc_builds_is_read_back() -> None:
    builder = OscMessageBuilder("/ditto/slot/region")
    for value in (3, "/home/me/loop.wav", 0.5, True, b"blob"):
        builder.add_arg(value)
    outer = OscBundleBuilder(IMMEDIATELY)
    outer.add_content(builder.build())
    packet = read(outer.build().dgram)
    assert packet.messages == (
        Message("/ditto/slot/region", (3, "/home/me/loop.wav", 0.5, True, b"blob")),
    )


ARGS = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ("i", v)),
    st.floats(width=32, allow_nan=False).map(lambda v: ("f", v)),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))).map(
        lambda v: ("s", v)
    ),
    st.binary(max_size=40).map(lambda v: ("b", v)),
)


@given(st.lists(ARGS, max_size=12))
def test_any_message_made_by_hand_is_read_back(args: list[tuple[str, object]]) -> None:
    datagram = message("/x", "".join(tag for tag, _ in args), *(value for _, value in args))
    assert only(datagram).arguments == tuple(value for _, value in args)


@given(st.binary(max_size=300))
def test_noise_raises_nothing_else(noise: bytes) -> None:
    for datagram in (noise, b"/" + noise, bundle() + noise):
        try:
            read(datagram)
        except OscError as error:
            assert str(error)


def test_twenty_thousand_damaged_packets() -> None:
    chance = random.Random(7)
    seeds = [
        message("/ditto/slot/tempo", "iff", 0, 120.0, 8.0),
        message("/ditto/slot/tags", "is", 3, "dark techno"),
        message("/ditto/x", "bhdtTFN[ii]", b"abc", 1, 0.5, 1, 1, 2),
    ]
    refused = 0
    for _ in range(20_000):
        try:
            read(random_packet(seeds, chance))
        except OscError:
            refused += 1
    assert 1000 < refused < 20_000


def test_the_worst_packets_are_read_in_a_moment() -> None:
    worst = [
        bundle(*[message("/a", "i", 1)] * MESSAGES),
        message("/a", "i" * ARGUMENTS, *range(ARGUMENTS)),
        message("/a", "T" * 60_000),
        message("/a", "s", "x" * 65_000),
        message("/a", "b" * 3 + "i" * 2000, *[b"x" * BLOB_BYTES] * 3, *range(2000)),
        bundle(*[b"/\0\0\0"] * 5000),
    ]
    for datagram in worst:
        assert len(datagram) < 65_507
        started = time.perf_counter()
        try:
            read(datagram)
        except OscError:
            pass
        assert time.perf_counter() - started < 0.5


def test_mutation_changes_packets() -> None:
    chance = random.Random(1)
    assert sum(mutated(PING, chance) != PING for _ in range(200)) > 150
