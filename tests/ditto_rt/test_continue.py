"""A take that continues a region: at once, from its very end, and also as a loop of its own."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch

from ditto_rt.builtin import Builtin
from ditto_rt.render import Progress, Take, iterations_of, render
from ditto_rt.sampling import holding
from ditto_rt.spec import Intensity, Job, Point, Quality, Region
from ditto_rt.timing import JOIN_S

RATE_HZ = 48_000
LEAD = round(JOIN_S * RATE_HZ)
# Where the region ends: not in the end of the file, which leads back to its start.
END = 7 * RATE_HZ // 2
CURVE = Intensity(points=(Point(beat=0, db=-20),))


def made(model: Builtin, job: Job) -> Take:
    *_, take = render(job, model, RATE_HZ)
    assert isinstance(take, Take)
    return take


@pytest.fixture(scope="module")
def source(model: Builtin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("continue") / "first.wav"
    first = made(model, Job(genre="techno", bpm=120, beats=8, seed=1, quality=Quality(steps=4)))
    soundfile.write(path, first.audio_N, RATE_HZ, subtype="FLOAT")
    return path


def job(source: Path, mode: str = "continue", seed: int = 2) -> Job:
    region = Region(path=str(source), start_s=0, end_s=END / RATE_HZ, mode=mode)  # type: ignore[arg-type]
    return Job(
        genre="techno",
        bpm=120,
        beats=8,
        seed=seed,
        region=region,
        quality=Quality(steps=4, search_steps=4),
    )


def mel_db(audio: np.ndarray) -> np.ndarray:
    power = librosa.feature.melspectrogram(y=audio, sr=RATE_HZ, n_fft=1024, n_mels=32, center=False)
    return 10 * np.log10(power + 1e-6)


def test_it_needs_no_search_and_one_sampling(model: Builtin, source: Path) -> None:
    assert iterations_of(job(source)) == 0
    # In two steps: from four on, a first version of one step comes before them.
    short = job(source).model_copy(update={"quality": Quality(steps=2, search_steps=2)})
    events = list(render(short, model, RATE_HZ))
    assert [type(event) for event in events] == [Progress, Take]
    assert isinstance(events[0], Progress) and events[0].draft is None
    curved = job(source).model_copy(update={"intensity": CURVE})
    assert iterations_of(curved) > 0


def test_what_leads_into_it_is_the_end_of_what_it_continues(model: Builtin, source: Path) -> None:
    take, other = made(model, job(source)), made(model, job(source, seed=3))
    assert take.open_N is not None and other.open_N is not None
    assert len(take.open_N) == LEAD + len(take.audio_N) == LEAD + 4 * RATE_HZ
    before, _ = soundfile.read(source, dtype="float32")
    end = before[END - LEAD : END]
    for each in (take, other):
        # The model gives what it was given within some dB; music elsewhere is further away.
        off = np.abs(mel_db(each.open_N[:LEAD]) - mel_db(end)).mean()
        elsewhere = np.abs(mel_db(each.open_N[-LEAD:]) - mel_db(end)).mean()
        assert off < 7.0 and off < 0.75 * elsewhere, (off, elsewhere)
        assert np.vdot(each.open_N[:LEAD], end) > 0, "in phase"
    assert np.abs(take.audio_N - other.audio_N).max() > 0.01


def test_its_end_is_its_own_in_one_form_and_closed_in_the_other(
    model: Builtin, source: Path
) -> None:
    take = made(model, job(source))
    assert take.open_N is not None
    body = take.open_N[LEAD:]
    np.testing.assert_allclose(take.audio_N[:-LEAD], body[:-LEAD], atol=1e-6)
    assert np.abs(take.audio_N[-LEAD:] - body[-LEAD:]).max() > 1e-4
    assert (
        made(
            model,
            job(source, "outpaint").model_copy(
                update={"quality": Quality(steps=2, search_steps=2, iterations=1)}
            ),
        ).open_N
        is None
    )


def test_holding_keeps_what_is_known_and_lets_gradients_through_the_rest() -> None:
    known, mask = torch.full((1, 1, 1, 4), 5.0), torch.tensor([1.0, 1.0, 0.0, 0.0])
    x = torch.ones(1, 1, 1, 4, requires_grad=True)
    held = holding(lambda x, t, s: 2 * x, known, mask)(x, torch.tensor(0.5), torch.tensor(0.0))
    assert held.tolist() == [[[[5.0, 5.0, 2.0, 2.0]]]]
    held.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[[[0.0, 0.0, 2.0, 2.0]]]]
