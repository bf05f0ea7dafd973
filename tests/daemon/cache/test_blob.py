"""An entry's file: what goes in comes out, and nothing else does."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from daemon.cache.blob import Damaged, pack, unpack
from tests.cache_entries import entry

ENTRY = entry(1)
DATA = pack(ENTRY)


def test_round_trip() -> None:
    back = unpack(DATA)
    assert back.request == ENTRY.request and back.made_s == ENTRY.made_s
    np.testing.assert_array_equal(back.x_T, ENTRY.x_T)
    np.testing.assert_array_equal(back.audio_N, ENTRY.audio_N)
    # NaN is kept, and is equal to nothing.
    assert back.report.model_dump_json() == ENTRY.report.model_dump_json()
    assert np.isnan(back.report.seam.ratio)
    assert pack(back) == DATA


@given(at=st.integers(0, len(DATA) - 1), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed_or_means_the_same(at: int, flip: int) -> None:
    data = bytearray(DATA)
    data[at] ^= flip
    try:
        back = unpack(bytes(data))
    except Damaged as error:
        assert str(error) and "\n" not in str(error)
        return
    # White space in the header carries no meaning.
    assert pack(back) == DATA


@given(length=st.integers(0, len(DATA) - 1))
def test_a_cut_file_is_noticed(length: int) -> None:
    with pytest.raises(Damaged):
        unpack(DATA[:length])


@given(st.binary(max_size=300))
def test_other_bytes_are_no_entry(data: bytes) -> None:
    for each in (data, len(data).to_bytes(8, "little") + data):
        with pytest.raises(Damaged):
            unpack(each)


def test_arrays_of_other_shapes_and_types_are_refused() -> None:
    short = dataclasses.replace(ENTRY, audio_N=ENTRY.audio_N[:-1])
    flat = dataclasses.replace(ENTRY, x_T=ENTRY.x_T.ravel())
    double = dataclasses.replace(ENTRY, audio_N=ENTRY.audio_N.astype(np.float64))
    for wrong in (short, flat, double):
        with pytest.raises(Damaged, match="arrays are"):
            unpack(pack(wrong))


def test_a_file_of_others_is_refused() -> None:
    deep = "[" * 100_000
    for labels in (None, {"a": "b"}, {"ditto-rt": deep}, {"ditto-rt": "0 " + deep}):
        with pytest.raises(Damaged):
            unpack(safetensors.numpy.save({"x_T": ENTRY.x_T}, labels))
    header = json.loads(DATA[8 : 8 + int.from_bytes(DATA[:8], "little")])
    assert set(header) == {"__metadata__", "x_T", "audio"}
