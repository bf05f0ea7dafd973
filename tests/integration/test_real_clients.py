"""Jobs sent by programs that others wrote: liblo's oscsend, and a headless Pure Data patch.

What comes back is measured with librosa, which shares nothing with the search's own features.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from daemon.bench.process import Daemon, Peer, free_port, running
from tests.follow import loudness_error, melody_accuracy

BPM, BEATS = 120.0, 4.0
CURVE = ((0.0, -36.0), (4.0, -12.0))
NOTES = ((60, 0.0, 2.0), (67, 2.0, 2.0))
SEARCH = "[render]\nsearch_steps = 2\niterations = 50\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("clients"), SEARCH) as started:
        started.wait_ready()
        yield started


def test_a_job_from_oscsend_follows_the_curve(
    daemon: Daemon, program: Callable[[str], str]
) -> None:
    oscsend = program("oscsend")
    listener = Peer(daemon.osc_port)

    def send(address: str, types: str, *values: object) -> None:
        words = [oscsend, "127.0.0.1", str(daemon.osc_port), address, types, *map(str, values)]
        subprocess.run(words, check=True, timeout=10)

    send("/ditto/notify", "iis", 1, listener.port, "listener")
    assert listener.until("/ditto/done")[-1][1] == ["/ditto/notify", -1, listener.port]
    send("/ditto/slot/tags", "is", 0, "dark techno")
    send("/ditto/slot/tempo", "iff", 0, BPM, BEATS)
    send("/ditto/slot/intensity", "iffff", 0, *(value for point in CURVE for value in point))
    send("/ditto/slot/structure", "isFTN", 0, "ABBA")
    assert listener.until("/ditto/fail")[-1][1][2] == "too_many_arguments"
    send("/ditto/render", "ii", 0, 21)
    replies = listener.until("/ditto/done")
    while replies[-1][1][0] != "/ditto/render":
        replies += listener.until("/ditto/done")
    *_, take = [values for address, values in replies if address == "/ditto/take"]
    audio, rate_hz = soundfile.read(take[2], dtype="float32")
    assert len(audio) == take[3] == BEATS * 60 / BPM * rate_hz
    distance_db, correlation = loudness_error(audio, rate_hz, BPM, CURVE)
    # Without smoothing each beat of the drums is off the curve; with it, as the take's own report
    # measures, the search ended at 2 dB^2. Not asked for the curve, seeds reach -0.3 to 0.5.
    assert correlation > 0.7 and distance_db < 6.0
    assert 0.0 <= take[7] < 2.0
    listener.close()


PATCH = """#N canvas 0 0 900 700 12;
#X obj 10 10 loadbang;
#X obj 10 40 t b b b b b b;
#X msg 700 80 connect 127.0.0.1 {osc_port};
#X msg 560 80 1 {reply_port} pd;
#X obj 560 110 oscformat ditto notify;
#X msg 420 80 0 {bpm} {beats};
#X obj 420 110 oscformat ditto slot tempo;
#X msg 280 80 0 {notes};
#X obj 280 110 oscformat ditto slot melody;
#X msg 140 80 list 0 calm ambient;
#X obj 140 110 oscformat ditto slot tags;
#X msg 10 80 0 33;
#X obj 10 110 oscformat ditto render;
#X obj 10 150 list prepend send;
#X obj 10 180 list trim;
#X obj 10 210 netsend -u -b;
#X obj 10 300 netreceive -u -b {reply_port};
#X obj 10 330 oscparse;
#X obj 10 360 list trim;
#X obj 10 390 route ditto;
#X obj 10 420 route take fail;
#X obj 10 450 unpack f f s f f f;
#X obj 10 480 list prepend read -resize;
#X obj 10 510 list append take;
#X obj 10 540 list trim;
#X obj 10 570 soundfiler;
#X obj 10 600 print frames;
#X obj 300 450 print fail;
#X obj 300 500 table take;
#X connect 0 0 1 0;
#X connect 1 5 2 0;
#X connect 1 4 3 0;
#X connect 1 3 5 0;
#X connect 1 2 7 0;
#X connect 1 1 9 0;
#X connect 1 0 11 0;
#X connect 2 0 15 0;
#X connect 3 0 4 0;
#X connect 5 0 6 0;
#X connect 7 0 8 0;
#X connect 9 0 10 0;
#X connect 11 0 12 0;
#X connect 4 0 13 0;
#X connect 6 0 13 0;
#X connect 8 0 13 0;
#X connect 10 0 13 0;
#X connect 12 0 13 0;
#X connect 13 0 14 0;
#X connect 14 0 15 0;
#X connect 16 0 17 0;
#X connect 17 0 18 0;
#X connect 18 0 19 0;
#X connect 19 0 20 0;
#X connect 20 0 21 0;
#X connect 20 1 27 0;
#X connect 21 2 22 0;
#X connect 22 0 23 0;
#X connect 23 0 24 0;
#X connect 24 0 25 0;
#X connect 25 0 26 0;
"""


@contextmanager
def pure_data(pd: str, patch: Path) -> Iterator[Path]:
    """Run a patch without a window and without sound; give the file it prints to."""
    printed = patch.with_suffix(".txt")
    words = [pd, "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", "-r", "48000"]
    with printed.open("w") as output:
        process = subprocess.Popen([*words, "-open", str(patch)], stdout=output, stderr=output)
    try:
        yield printed
    finally:
        process.kill()
        process.wait()


def test_a_job_from_pure_data_follows_the_melody(
    daemon: Daemon, program: Callable[[str], str], tmp_path: Path
) -> None:
    patch = tmp_path / "client.pd"
    notes = " ".join(f"{value:g}" for note in NOTES for value in note)
    patch.write_text(
        PATCH.format(
            osc_port=daemon.osc_port,
            reply_port=free_port(),
            bpm=BPM,
            beats=BEATS,
            notes=notes,
        )
    )
    with pure_data(program("pd"), patch) as printed:
        until_s = time.monotonic() + 120
        while "frames: " not in (text := printed.read_text()):
            assert time.monotonic() < until_s and "fail" not in text, text
            time.sleep(0.1)
    # Pure Data has loaded the take itself, whole.
    (line,) = [line for line in text.splitlines() if line.startswith("frames: ")]
    frames = BEATS * 60 / BPM * 48_000
    assert float(line.split()[1]) == frames
    # That was its first version; the melody is the last one's.
    while not (takes := daemon.status()["takes"]) or not takes[0]["melody"]:
        assert time.monotonic() < until_s
        time.sleep(0.1)
    path = daemon.folder / "takes" / takes[0]["file"]
    audio, rate_hz = soundfile.read(path, dtype="float32")
    assert len(audio) == frames
    # Twelve classes: chance is 8 %.
    accuracy = melody_accuracy(audio, rate_hz, BPM, NOTES)
    assert accuracy > 0.6
