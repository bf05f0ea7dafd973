"""MIDI files become melodies: beats as written, the highest line, no drums; damage is told."""

from pathlib import Path

import mido
import numpy as np
import pytest

from ditto_rt import spec
from ditto_rt.errors import BadFile, BadTarget, DittoError
from ditto_rt.midi import read_midi


def _midi(path: Path, *events: tuple[int, mido.Message], ticks: int = 480, kind: int = 1) -> Path:
    # Events are (tick, message); each goes onto the track of its channel.
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    for channel in sorted({message.channel for _, message in events}):
        track, now = mido.MidiTrack(), 0
        for tick, message in events:
            if message.channel == channel:
                track.append(message.copy(time=tick - now))
                now = tick
        file.tracks.append(track)
    file.save(path)
    return path


def _on(pitch: int, channel: int = 0, velocity: int = 90) -> mido.Message:
    return mido.Message("note_on", note=pitch, channel=channel, velocity=velocity)


def _off(pitch: int, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, channel=channel)


def _notes(melody: spec.Melody) -> list[tuple[int, float, float]]:
    return [(note.pitch, note.beat, note.beats) for note in melody.notes]


def test_midi_notes_come_in_beats_of_the_file(tmp_path: Path) -> None:
    for ticks in (96, 480):
        events = [(0, _on(60)), (ticks, _off(60)), (2 * ticks, _on(67)), (5 * ticks, _off(67))]
        path = _midi(tmp_path / "a.mid", *events, ticks=ticks)
        assert _notes(read_midi(path)) == [(60, 0, 1), (67, 2, 3)]


def test_a_midi_files_tempo_is_not_the_takes(tmp_path: Path) -> None:
    path = _midi(tmp_path / "a.mid", (480, _on(60)), (960, _off(60)))
    file = mido.MidiFile(path)
    file.tracks[0].insert(0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(47)))
    file.save(path)
    assert _notes(read_midi(path)) == [(60, 1, 1)]


def test_the_highest_note_of_a_chord_wins_while_it_sounds(tmp_path: Path) -> None:
    path = _midi(
        tmp_path / "a.mid",
        *((0, _on(60)), (480, _on(67, channel=2)), (960, _off(67, channel=2)), (1440, _off(60))),
    )
    assert _notes(read_midi(path)) == [(60, 0, 1), (67, 1, 1), (60, 2, 1)]


def test_drums_are_no_melody(tmp_path: Path) -> None:
    drums = [(0, _on(99, channel=9)), (480, _off(99, channel=9))]
    path = _midi(tmp_path / "a.mid", *drums, (480, _on(62)), (960, _off(62)))
    assert _notes(read_midi(path)) == [(62, 1, 1)]
    with pytest.raises(BadTarget, match=r"drums.mid has 0 notes outside drum channel 10"):
        read_midi(_midi(tmp_path / "drums.mid", *drums))


def test_silent_note_ons_end_notes_and_repeats_cut_them(tmp_path: Path) -> None:
    path = _midi(tmp_path / "a.mid", (0, _on(60)), (480, _on(60)), (960, _on(60, velocity=0)))
    assert _notes(read_midi(path)) == [(60, 0, 1), (60, 1, 1)]


def test_a_note_never_released_lasts_until_the_end(tmp_path: Path) -> None:
    path = _midi(tmp_path / "a.mid", (0, _on(60)), (480, _on(50)), (960, _off(50)))
    assert _notes(read_midi(path)) == [(60, 0, 2)]


def test_what_is_no_midi_in_beats_is_refused(tmp_path: Path) -> None:
    text, missing = tmp_path / "a.mid", tmp_path / "none.mid"
    text.write_text("hello")
    for path in (text, missing, tmp_path):
        with pytest.raises(BadFile, match=f"file {path} "):
            read_midi(path)
    loose = _midi(tmp_path / "b.mid", (0, _on(60)), (480, _off(60)), kind=2)
    with pytest.raises(BadFile, match="allowed: MIDI of type 0 or 1"):
        read_midi(loose)


def test_damaged_midi_files_give_a_melody_or_a_sentence(tmp_path: Path) -> None:
    events = [(tick * 240, _on(60 + tick % 12)) for tick in range(12)]
    file = mido.MidiFile(_midi(tmp_path / "a.mid", *events, (9999, _off(60))))
    for kind in ("key_signature", "time_signature", "set_tempo", "track_name"):
        file.tracks[0].insert(0, mido.MetaMessage(kind))
    file.save(tmp_path / "a.mid")
    good = (tmp_path / "a.mid").read_bytes()
    rng, path = np.random.default_rng(0), tmp_path / "b.mid"
    told = 0
    for _ in range(400):
        damaged = bytearray(good[: rng.integers(4, len(good) + 1)])
        for at in rng.integers(0, len(damaged), rng.integers(1, 6)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_midi(path)
        except DittoError as error:
            assert str(error).startswith(f"file {path} ")
            told += 1
    assert told > 50
