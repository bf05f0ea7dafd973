"""Which frame is due when, by what the audio process says of its blocks ten times a second.

A block may be asked for late, because the machine is busy, but never early. So of the words of a
second the least late one counts: milliseconds of jitter become the drift of that second, 0.05 ms
at 50 ppm. Where the device stood still, as after a gap, the newest is far behind: all begins anew.
"""

from collections import deque
from dataclasses import replace

from daemon.audio.wire import Clock

WORDS = 10
STOOD_STILL_S = 0.1


class Timebase:
    """The last words of one stream. Owned by the event loop."""

    def __init__(self, rate_hz: int) -> None:
        """Know nothing of a stream of that rate."""
        self._rate_hz = rate_hz
        self._words: deque[Clock] = deque(maxlen=WORDS)

    def steadied(self, newest: Clock) -> Clock:
        """Return the newest word with the frame and the time of the least late one."""
        behind_s = 0.0
        if self._words:
            best = max(map(self._ahead, self._words))
            behind_s = (best - self._ahead(newest)) / (self._rate_hz * 1e9)
        if behind_s > STOOD_STILL_S:
            self._words.clear()
        self._words.append(newest)
        best_word = max(self._words, key=self._ahead)
        return replace(newest, frame=best_word.frame, at_ns=best_word.at_ns)

    def forget(self) -> None:
        """Begin anew: another stream is there."""
        self._words.clear()

    def _ahead(self, word: Clock) -> int:
        # In frames times 1e9: exact, where seconds as floats would lose the sample.
        return word.frame * 10**9 - word.at_ns * self._rate_hz
