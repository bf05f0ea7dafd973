import torch

from ditto_rt.builtin import Builtin, weights
from ditto_rt.builtin.mel import BANDS
from ditto_rt.evaluate import tagger
from ditto_rt.evaluate.asked import like_held_out
from ditto_rt.evaluate.sets import judged, real_sets
from ditto_rt.spec import Quality
from ditto_rt.training.corpus import HELD_OUT_SEEDS, make_clip


def test_the_file_is_small_and_the_network_takes_any_length() -> None:
    size = sum(path.stat().st_size for path in (weights.FOLDER / weights.TAGGER).iterdir())
    assert size <= 0.6 * 2**20
    judge = tagger.load()
    for frames in (8, 173, 516):
        heard = judge(torch.zeros(2, BANDS, frames))
        assert heard.embedding_BE.shape == (2, tagger.EMBEDDING)
        assert torch.isfinite(heard.genre_BG).all()


def test_it_finds_most_genres_of_clips_it_never_saw_and_the_codec_changes_little(
    model: Builtin,
) -> None:
    torch.set_num_threads(1)
    judge = tagger.load()
    plain, _, coded = real_sets(judge, model, 12)
    for one, least in ((plain, 8), (coded, 7)):
        found = [one.make(number) for number in range(12)]
        # Chance would find one of the twelve.
        assert sum(r.heard_genre == r.genre for r in found) >= least


def test_a_record_says_what_was_asked_and_what_the_onsets_say() -> None:
    judge = tagger.load()
    number = next(n for n in range(20) if like_held_out(n, Quality()).genre == "techno")
    clip = make_clip(HELD_OUT_SEEDS[number], 6.0)
    record = judged(judge, clip.audio_N, like_held_out(number, Quality()))
    assert (record.genre, record.bpm) == (clip.genre, clip.tempo_bpm)
    assert abs(record.found_bpm - clip.tempo_bpm) < 0.5
    assert abs(record.first_beat_ms) < 20.0


def test_tempo_classes_are_a_twentieth_of_an_octave_apart() -> None:
    bpm = torch.tensor([60.0, 120.0, 190.0])
    assert tagger.tempo_class(bpm).tolist() == [0, 20, 33]
