"""MIDI file -> melody. No torch: the control process reads these files, too."""

from collections.abc import Sequence
from heapq import heappop, heappush
from pathlib import Path

import mido

from ditto_rt import limits, spec
from ditto_rt.errors import BadFile, BadTarget

DRUM_CHANNEL = 9


def read_midi(path: Path) -> spec.Melody:
    """Return the melody of a MIDI file: its highest notes, one at a time, in beats.

    The file's tempo is ignored, because the take has its own: a quarter note is a beat. Channel
    10 (drums) is left out. Raises BadFile for a file that is no MIDI file in beats, BadTarget for
    one without notes.
    """
    try:
        midi = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, LookupError, mido.KeySignatureError) as error:
        why = str(error) or "it ends too early"
        raise BadFile(f"file {path} is no MIDI file that can be read: {why}") from error
    if midi.ticks_per_beat <= 0 or midi.type == 2:
        raise BadFile(f"file {path} counts no beats; allowed: MIDI of type 0 or 1 in ticks a beat")
    sung = _highest(_midi_notes(midi))
    notes = [_in_beats(pitch, on, off, midi.ticks_per_beat) for pitch, on, off in sung]
    kept = tuple(note for note in notes if note is not None)
    if not kept:
        raise BadTarget(f"file {path} has 0 notes outside drum channel 10; allowed: 1 or more")
    return spec.Melody(notes=kept)


def _midi_notes(midi: mido.MidiFile) -> list[tuple[int, int, int]]:
    # (pitch, on, off) in ticks; a note still held at the end lasts until the end.
    tick, held, notes = 0, dict[tuple[int, int], int](), list[tuple[int, int, int]]()
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
            continue
        key = (message.channel, message.note)
        if key in held:
            notes.append((message.note, held.pop(key), tick))
        if message.type == "note_on" and message.velocity > 0:
            held[key] = tick
    return notes + [(pitch, on, tick) for (_, pitch), on in held.items()]


def _highest(notes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    # The skyline: between any two edges the highest sounding note, equal neighbours joined.
    edges = sorted({edge for _, on, off in notes for edge in (on, off)})
    waiting, sounding = sorted(notes, key=lambda note: -note[1]), list[tuple[int, int, int]]()
    line: list[tuple[int, int, int]] = []
    owner: tuple[int, int] | None = None
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        while waiting and waiting[-1][1] <= start:
            pitch, on, off = waiting.pop()
            heappush(sounding, (-pitch, on, off))
        while sounding and sounding[0][2] <= start:
            heappop(sounding)
        if not sounding:
            owner = None
            continue
        top = (-sounding[0][0], sounding[0][1])
        if top == owner:
            line[-1] = (top[0], line[-1][1], end)
        else:
            line.append((top[0], start, end))
        owner = top
    return line


def _in_beats(pitch: int, on: int, off: int, ticks_per_beat: int) -> spec.Note | None:
    # Notes beyond the longest take, or shorter than a note may be, change nothing.
    beat, beats = on / ticks_per_beat, (off - on) / ticks_per_beat
    if beat > limits.POINT_BEAT.high or beats < limits.NOTE_BEATS.low:
        return None
    return spec.Note(pitch=pitch, beat=beat, beats=min(beats, limits.NOTE_BEATS.high))
