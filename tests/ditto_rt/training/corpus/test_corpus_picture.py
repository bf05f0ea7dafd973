"""The picture is drawn, small enough to keep, and shows one clip of each genre."""

from pathlib import Path

from PIL import Image

from ditto_rt.tags import GENRES
from ditto_rt.training.corpus import HELD_OUT_SEEDS, picture


def test_one_held_out_clip_of_each_genre(tmp_path: Path) -> None:
    found = picture.first_clips()
    assert tuple(clip.genre for _, clip in found) == GENRES
    assert all(seed in HELD_OUT_SEEDS for seed, _ in found)
    assert picture.title(*found[0]).startswith("techno, ")
    path = tmp_path / "corpus.png"
    picture.draw(path)
    with Image.open(path) as image:
        assert image.size[0] > 800 and image.size[1] > 800
    assert path.stat().st_size < 700_000
