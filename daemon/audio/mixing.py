"""What is heard: a block of samples from voices, gains and commands. Compiled by numba.

Nothing here waits, allocates or needs the interpreter. A voice is a function of time, so nothing
can drift: its envelope reaches 1 at `begin` and 0 at `end`, both fades lie before their frame.
From `begin` on, a take is heard sample for sample; at `end` nothing of the beat that comes is.
What a loop plays before `begin` is its own end, which leads into its start.
A ride is a curve of gains along a voice's loop. One that takes its place is glided to, from what is
heard at that very frame, so neither how often one comes nor the block's length makes a step.
Shapes: N frames of the block, C channels, S slots, V voices, R points of a ride.
"""

from math import pi
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from daemon.audio.layout import (
    COMMANDS,
    END,
    GAIN,
    HOLD,
    NEVER,
    PANIC,
    RIDE,
    RIDE_POINTS,
    SLOTS,
    START,
    VOICES,
)

# Of a change of gain or of a ride, as a part of a second.
RAMP_PARTS = 50
PANIC_PARTS = 200


def _fence(_context: Any, ordering: Any) -> Any:
    name = ordering.literal_value

    def build(_: Any, builder: ir.IRBuilder, _signature: Any, _arguments: Any) -> ir.Constant:
        builder.fence(name)
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(ordering), build


# Between what is written and the index that shows it: processors other than x86 may swap the two.
fence: Any = intrinsic(prefer_literal=True)(_fence)


def _push(state: Any, ring: Any, command: Any) -> bool:
    """Put command[0] into the ring; return whether there was room. Main thread only."""
    tail = state[0].tail
    if tail - state[0].head >= COMMANDS:
        return False
    ring[tail % COMMANDS] = command[0]
    fence("release")
    state[0].tail = tail + 1
    return True


def _gain_at(gain: Any, frame: int, ramp: int) -> float:
    part = min(max((frame - gain.at) / ramp, 0.0), 1.0)
    return float(gain.old + (gain.new - gain.old) * part)


def _start(state: Any, command: Any, voice: Any) -> None:
    begin, first = command.at, state[0].frame
    if begin - command.fade < first:
        # Too late, or on purpose after a restart: in at once, in the phase it would have.
        state[0].late += begin >= 0
        begin = first + command.fade
    voice.length, voice.period, voice.parts = command.length, command.period, command.parts
    voice.origin, voice.begin, voice.rise = command.origin, begin, command.fade
    voice.lead = command.lead
    voice.end, voice.fall = NEVER, command.fade
    voice.ridden, voice.ride_at, voice.ride_next_at = command.ridden, 0, NEVER
    for point in range(RIDE_POINTS):
        voice.ride_old[point] = voice.ride_new[point] = command.ride[point]


def _ride(command: Any, voice: Any, first: int) -> None:
    """Keep a ride for its frame. Newest curve, oldest frame: no flood puts it off for ever."""
    if voice.ridden == 0:
        voice.ride_old[:] = np.float32(1)
        voice.ride_new[:] = np.float32(1)
    voice.ridden, voice.ride_next_at = 1, min(voice.ride_next_at, max(command.at, first))
    for point in range(RIDE_POINTS):
        voice.ride_next[point] = command.ride[point]


def _turn_ride(voice: Any, ramp: int) -> None:
    """Begin the glide to the ride that is due, from where the one before has come."""
    part = min((voice.ride_next_at - voice.ride_at) / ramp, 1.0)
    for point in range(RIDE_POINTS):
        old, new = float(voice.ride_old[point]), float(voice.ride_new[point])
        voice.ride_old[point] = new if part >= 1 else old + (new - old) * part
        voice.ride_new[point] = voice.ride_next[point]
    voice.ride_at, voice.ride_next_at = voice.ride_next_at, NEVER


def _ride_at(voice: Any, frame: int, place: float, ramp: int) -> float:
    """Return the gain at a frame, at `place` of the points; the last leads to the first."""
    point = min(int(place), RIDE_POINTS - 1)
    then = point + 1 if point + 1 < RIDE_POINTS else 0
    part = place - point
    new = float(voice.ride_new[point])
    new += (voice.ride_new[then] - new) * part
    if frame - voice.ride_at >= ramp:
        return float(new)
    old = float(voice.ride_old[point])
    old += (voice.ride_old[then] - old) * part
    return float(old + (new - old) * (frame - voice.ride_at) / ramp)


def _shorten(voice: Any, end_frame: int, fall: int, first: int) -> None:
    """Let a voice end sooner, from the loudness at which its fade has arrived."""
    if first > voice.end - voice.fall:
        fall = max(1, voice.fall * (end_frame - first) // (voice.end - first))
    voice.end, voice.fall = end_frame, fall


def _end(state: Any, command: Any, voice: Any) -> None:
    at, first = command.at, state[0].frame
    if at >= voice.end:
        return
    if at <= voice.begin and first <= voice.begin - voice.rise:
        # It has not been heard yet and never will be: its voice is free from now on.
        voice.end = first
        return
    if at - command.fade < first:
        state[0].late += at >= 0
        at = first + command.fade
    if at < voice.end:
        shorten(voice, at, command.fade, first)


def _hold(state: Any, command: Any, voice: Any) -> None:
    """Forget what was planned for a voice from command.at on, where it has not begun."""
    first = state[0].frame
    if voice.begin >= command.at and first <= voice.begin - voice.rise:
        voice.end = first
    elif command.at <= voice.end < NEVER and first <= voice.end - voice.fall:
        voice.end = NEVER


def _drain(state: Any, ring: Any, voices_SV: Any, gains_S: Any, frames: int) -> None:
    """Carry out the commands that have come in; times that lie ahead go into the voices."""
    head, tail = state[0].head, state[0].tail
    fence("acquire")
    first = state[0].frame
    while head != tail:
        command = ring[head % COMMANDS]
        if command.kind == START:
            start(state, command, voices_SV[command.slot, command.voice])
        elif command.kind == END:
            end(state, command, voices_SV[command.slot, command.voice])
        elif command.kind == HOLD:
            hold(state, command, voices_SV[command.slot, command.voice])
        elif command.kind == GAIN:
            gain = gains_S[command.slot]
            gain.coming = command.gain
            # Newest value, oldest time: a flood of changes cannot put them off for ever.
            gain.coming_at = min(gain.coming_at, max(command.at, first))
        elif command.kind == RIDE:
            ride(command, voices_SV[command.slot, command.voice], first)
        elif command.kind == PANIC:
            fall = min(frames, state[0].rate_hz // PANIC_PARTS)
            for slot in range(SLOTS):
                for voice in voices_SV[slot]:
                    if voice.end > first + fall:
                        shorten(voice, first + fall, fall, first)
        head += 1
    fence("release")
    state[0].head = head


def _turn(gain: Any, first: int, frames: int, ramp: int) -> None:
    """Begin the change of gain that is due in this block, once the one before it is over."""
    at = max(gain.coming_at, first)
    if at < first + frames and gain.at + ramp <= first:
        gain.old, gain.new, gain.at = gain.new, gain.coming, at
        gain.coming_at = NEVER


def _pass_start(voice: Any, number: int) -> int:
    return int(voice.origin + (2 * number * voice.period + voice.parts) // (2 * voice.parts))


def _index_of(voice: Any, frame: int, here: int, following: int) -> int:
    """Return which of a take's samples is due on a frame of the pass from `here` to `following`."""
    left = following - frame
    if left <= voice.lead:
        if frame < voice.begin:
            # What leads into the take, and not the end of its own loop.
            return int(voice.length + 2 * voice.lead - left)
        if voice.end <= following:
            # Another take comes: its own end, and not what leads back to its start.
            return int(voice.length + voice.lead - left)
    return int(min(frame - here, voice.length - 1))


def _add(out_NC: Any, voice: Any, take_N: Any, gain: Any, first: int, ramp: int) -> None:
    """Add what one voice plays from frame `first` on."""
    frames, channels = out_NC.shape
    low = max(first, voice.begin - voice.rise)
    high = min(first + frames, voice.end)
    if voice.length <= 0 or voice.begin - voice.rise >= voice.end or low >= high:
        return
    number = (low - voice.origin) * voice.parts // voice.period
    while pass_start(voice, number + 1) <= low:
        number += 1
    while pass_start(voice, number) > low:
        number -= 1
    here, following = pass_start(voice, number), pass_start(voice, number + 1)
    points_per_frame = RIDE_POINTS * voice.parts / voice.period
    for frame in range(low, high):
        if frame >= following:
            number += 1
            here, following = following, pass_start(voice, number + 1)
        sample = np.float64(take_N[index_of(voice, frame, here, following)])
        if frame < voice.begin:
            sample *= np.sin(0.5 * pi * (frame - voice.begin + voice.rise) / voice.rise)
        if frame >= voice.end - voice.fall:
            sample *= np.sin(0.5 * pi * (voice.end - frame) / voice.fall)
        if voice.ridden:
            if frame >= voice.ride_next_at:
                turn_ride(voice, ramp)
            sample *= ride_at(voice, frame, (frame - here) * points_per_frame, ramp)
        sample *= gain_at(gain, frame, ramp)
        for channel in range(channels):
            out_NC[frame - first, channel] += np.float32(sample)


def _count_clipped(out_NC: Any) -> int:
    """Return the frames that a sound card would clip. They stay: JACK takes them on as they are."""
    clipped = 0
    for frame in range(out_NC.shape[0]):
        # All channels play the same.
        clipped += abs(out_NC[frame, 0]) > np.float32(1)
    return clipped


def _mix(out_NC: Any, state: Any, ring: Any, voices_SV: Any, gains_S: Any, takes_SVN: Any) -> None:
    """Fill a block (N, C) and move time on by its length."""
    frames = out_NC.shape[0]
    drain(state, ring, voices_SV, gains_S, frames)
    first, ramp = state[0].frame, state[0].rate_hz // RAMP_PARTS
    out_NC[:] = np.float32(0)
    for slot in range(SLOTS):
        turn(gains_S[slot], first, frames, ramp)
        for voice in range(VOICES):
            add(out_NC, voices_SV[slot, voice], takes_SVN[slot, voice], gains_S[slot], first, ramp)
    state[0].clipped += count_clipped(out_NC)
    state[0].block = frames
    state[0].blocks += 1
    state[0].frame = first + frames


def compiled(function: Any) -> Any:
    """Return a function of numbers and arrays as machine code that needs no interpreter."""
    # numpy's rules for errors: Python's would raise, and for that the interpreter is needed.
    return njit(nogil=True, cache=True, error_model="numpy")(function)


push = compiled(_push)
gain_at = compiled(_gain_at)
start = compiled(_start)
ride = compiled(_ride)
turn_ride = compiled(_turn_ride)
ride_at = compiled(_ride_at)
shorten = compiled(_shorten)
end = compiled(_end)
hold = compiled(_hold)
drain = compiled(_drain)
turn = compiled(_turn)
pass_start = compiled(_pass_start)
index_of = compiled(_index_of)
add = compiled(_add)
count_clipped = compiled(_count_clipped)
mix = compiled(_mix)
