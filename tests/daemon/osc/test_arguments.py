"""Arguments: lenient in type, strict in meaning, one sentence for each refusal."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import Refusal
from daemon.osc.arguments import Call, read_call, shortest
from daemon.protocol.messages import COMMANDS

TEMPO = COMMANDS["/ditto/slot/tempo"]
SEED = COMMANDS["/ditto/slot/seed"]
NOTIFY = COMMANDS["/ditto/notify"]
INTENSITY = COMMANDS["/ditto/slot/intensity"]
MELODY = COMMANDS["/ditto/slot/melody"]
TAGS = COMMANDS["/ditto/slot/tags"]


def refused(command_address: str, *arguments: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_call(COMMANDS[command_address], arguments)
    return caught.value


def test_plain_arguments() -> None:
    call = read_call(TEMPO, (3, 120.0, 8.0))
    assert (call.integer("slot"), call.number("bpm"), call.number("beats")) == (3, 120.0, 8.0)
    assert call.reqid is None


def test_floats_stand_for_ints_and_ints_for_floats() -> None:
    call = read_call(TEMPO, (3.0, 120, 8, 77.0))
    assert (call.integer("slot"), call.number("bpm"), call.reqid) == (3, 120.0, 77)


def test_true_and_false_stand_for_one_and_zero() -> None:
    assert read_call(NOTIFY, (True, 7771)).integer("on") == 1
    assert read_call(NOTIFY, (False,)).integer("on") == 0


def test_a_32_bit_tempo_is_what_was_typed() -> None:
    assert read_call(TEMPO, (0, 120.0999984741211, 8.0)).number("bpm") == 120.1


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_is_the_same_32_bit_float(value: float) -> None:
    import numpy as np

    assert np.float32(shortest(value)) == np.float32(value)
    assert len(repr(shortest(value)).replace("-", "")) <= len(repr(value).replace("-", ""))


def test_a_double_stays_as_it_is() -> None:
    assert shortest(120.1) == 120.1
    assert math.isinf(shortest(math.inf))


def test_optional_arguments_go_by_their_type() -> None:
    def read(*arguments: object) -> tuple[dict[str, object], int | None]:
        call: Call = read_call(NOTIFY, arguments)
        return dict(call.values), call.reqid

    assert read(1) == ({"on": 1}, None)
    assert read(1, 7771) == ({"on": 1, "port": 7771}, None)
    assert read(1, 7771, "max") == ({"on": 1, "port": 7771, "name": "max"}, None)
    assert read(1, 7771, 5) == ({"on": 1, "port": 7771}, 5)
    assert read(1, 7771, "max", 5) == ({"on": 1, "port": 7771, "name": "max"}, 5)
    assert read(1, "max") == ({"on": 1, "name": "max"}, None)


def test_groups_and_the_request_id_after_them() -> None:
    call = read_call(INTENSITY, (0, 0, -30, 8.0, -12.0))
    assert call.groups == ((0.0, -30.0), (8.0, -12.0))
    assert call.reqid is None
    assert read_call(INTENSITY, (0, 0, -30, 8, -12, 9)).reqid == 9
    notes = read_call(MELODY, (0, 60, 0, 1, 67, 1, 1.5, 44))
    assert notes.groups == ((60, 0.0, 1.0), (67, 1.0, 1.5))
    assert notes.reqid == 44


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), "missing_argument", "slot is missing; allowed: /ditto/slot/tempo slot:i bpm:f"),
        ((0, 120.0), "missing_argument", "beats is missing"),
        ((0, 120.0, 8.0, 1, 2), "too_many_arguments", "5 arguments are too many"),
        ((99, 120.0, 8.0), "out_of_range", "slot is 99; allowed: 0 to 15"),
        ((-1, 120.0, 8.0), "out_of_range", "slot is -1; allowed: 0 to 15"),
        ((0.5, 120.0, 8.0), "bad_type", "slot is 0.5; allowed: a whole number, 0 to 15"),
        (("one", 120.0, 8.0), "bad_type", "slot is 'one'; allowed: a whole number, 0 to 15"),
        ((0, "fast", 8.0), "bad_type", "bpm is 'fast'; allowed: a number, 20 to 300 bpm"),
        ((0, True, 8.0), "bad_type", "bpm is true; allowed: a number"),
        ((0, None, 8.0), "bad_type", "bpm is nil; allowed: a number"),
        ((0, b"abc", 8.0), "bad_type", "bpm is a blob of 3 bytes; allowed: a number"),
        ((0, [1], 8.0), "bad_type", "bpm is an array; allowed: a number"),
        ((0, (1, 2, 3, 4), 8.0), "bad_type", "bpm is a MIDI message or time tag"),
        ((0, math.nan, 8.0), "out_of_range", "bpm is nan; allowed: 20 to 300 bpm"),
        ((0, math.inf, 8.0), "out_of_range", "bpm is inf; allowed: 20 to 300 bpm"),
        ((0, 1e38, 8.0), "out_of_range", "bpm is 1e+38; allowed: 20 to 300 bpm"),
        ((math.nan, 120.0, 8.0), "out_of_range", "slot is nan; allowed: 0 to 15"),
        ((0, 120.0, 8.0, "x"), "bad_type", "request id is 'x'; allowed: a whole number"),
        ((0, 120.0, 8.0, 2**40), "bad_type", "request id is 1099511627776"),
    ],
)
def test_each_refusal_has_its_sentence(
    arguments: tuple[object, ...], code: str, sentence: str
) -> None:
    refusal = refused("/ditto/slot/tempo", *arguments)
    assert refusal.code == code
    assert str(refusal).startswith(sentence)


def test_other_kinds_of_refusal() -> None:
    cases = [
        (("/ditto/slot/tags", 0, None), "text is nil; allowed: text"),
        (("/ditto/slot/clear", 0, "volume"), "control is 'volume'; allowed: region, intensity,"),
        (("/ditto/slot/clear", 0, 1), "control is 1; allowed: text, one of region,"),
        (("/ditto/slot/intensity", 0, 0.0, -30.0, 8.0, -200.0), "db 2 is -200; allowed: -80 to 0"),
        (("/ditto/slot/melody", 0, 60, 0.0, 1.0, 60.5, 1.0, 1.0), "pitch 2 is 60.5; allowed: a"),
        (("/ditto/slot/melody", 0, 60, 0.0, 1.0, 62, 1.0), "beats 2 is missing; allowed:"),
        (("/ditto/help", 1, 2), "2 arguments are too many"),
    ]
    for (address, *arguments), sentence in cases:
        assert str(refused(address, *arguments)).startswith(sentence)


def test_a_refusal_knows_its_request() -> None:
    assert refused("/ditto/slot/tempo", 99, 120.0, 8.0, 42).reqid == 42
    assert refused("/ditto/slot/tempo", 0, 120.0, 8.0, 42, 43).reqid == 43
    assert refused("/ditto/slot/tempo", 0, 120.0).reqid is None
    assert refused("/ditto/slot/intensity", 0, 0.0, 5.0, 42).reqid == 42


def test_long_text_is_shown_short() -> None:
    sentence = str(refused("/ditto/slot/clear", 0, "x" * 5000))
    assert len(sentence) < 200
    assert "..." in sentence


VALUES = st.one_of(
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(max_size=5),
    st.booleans(),
    st.none(),
    st.binary(max_size=4),
    st.just([1, "x"]),
    st.just((1, 2, 3, 4)),
)


@given(st.sampled_from(sorted(COMMANDS)), st.lists(VALUES, max_size=9))
def test_anything_gives_a_call_or_a_sentence(address: str, arguments: list[object]) -> None:
    command = COMMANDS[address]
    try:
        call = read_call(command, arguments)
    except Refusal as refusal:
        assert "allowed:" in str(refusal)
        return
    for arg in command.args:
        if not arg.optional:
            assert arg.name in call.values
        value = call.values.get(arg.name)
        if arg.allowed and value is not None:
            assert arg.allowed.problem(arg.name, float(value)) is None


def test_words_may_come_as_several_texts() -> None:
    assert (
        read_call(TAGS, (0, "dark", "drum", "and", "bass", 4)).text("text") == "dark drum and bass"
    )
    assert read_call(TAGS, (0, "dark", "techno", 4)).reqid == 4
    assert read_call(TAGS, (0, "", 4)).text("text") == ""
    assert refused("/ditto/slot/tags", 0, 5, "techno").code == "bad_type"
    assert refused("/ditto/slot/tags", 0, "dark", 5, "techno").code == "too_many_arguments"
