from pathlib import Path

from ditto_rt.evaluate.records import Ledger, Record


def _record(seed: int) -> Record:
    return Record(
        seed=seed,
        genre="techno",
        mood="dark",
        bpm=120.0,
        heard_genre="house",
        heard_mood="dark",
        heard_bpm=121.0,
        found_bpm=120.1,
        first_beat_ms=-1.5,
        embedding=(0.5, float(seed)),
        figures={"mse_db2": 1.0},
    )


def test_records_survive_and_a_line_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "set" / "takes.jsonl"
    ledger = Ledger(path)
    for seed in range(3):
        ledger.add(_record(seed))
    whole = path.read_text()
    path.write_text(whole[:-10])
    again = Ledger(path)
    assert [r.seed for r in again.records] == [0, 1]
    again.add(_record(2))
    assert path.read_text() == whole
    assert [tuple(r.embedding) for r in Ledger(path).records] == [(0.5, float(s)) for s in range(3)]
