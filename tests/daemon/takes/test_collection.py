"""The folder of takes: names, limits, and what an earlier run left."""

from pathlib import Path

from daemon.files import write_json
from daemon.takes.collection import TakeFolder
from daemon.takes.shelf import Shelf
from daemon.takes.take import Take
from ditto_rt.spec import Intensity, IntensityReport, Job, Point
from tests.daemon_office import report

JOB = Job(genre="techno", intensity=Intensity(points=(Point(beat=0, db=-20),)))


def made(folder: TakeFolder, slot: int, version: int) -> Take:
    take = Take(slot=slot, version=version, asked=JOB, report=report())
    path = folder.path(slot, version)
    path.write_bytes(b"RIFF")
    write_json(take.plain(), path.with_suffix(".json"))
    folder.add(take)
    folder.save(take)
    return take


def opened(folder: Path, keep_per_slot: int) -> TakeFolder:
    memory = folder.parent / f"{folder.name} memory"
    memory.mkdir(parents=True, exist_ok=True)
    return TakeFolder(folder, keep_per_slot, Shelf(memory))


def test_names_tell_slot_and_version(tmp_path: Path) -> None:
    folder = opened(tmp_path / "new" / "takes", 4)
    assert folder.path(3, 12) == tmp_path / "new" / "takes" / "slot03_v0012.wav"
    assert folder.newest(3) == 0 and folder.last(3) is None


def test_only_the_newest_of_each_slot_are_kept(tmp_path: Path) -> None:
    folder = opened(tmp_path, 2)
    for version in (1, 2, 3):
        made(folder, 0, version)
    made(folder, 1, 1)
    names = sorted(path.name for path in tmp_path.glob("*.wav"))
    assert names == ["slot00_v0002.wav", "slot00_v0003.wav", "slot01_v0001.wav"]
    assert len(list(tmp_path.glob("*.json"))) == 3
    assert [(take.slot, take.version) for take in folder.all()] == [(1, 1), (0, 3), (0, 2)]


def test_a_later_run_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    first = opened(tmp_path, 4)
    made(first, 0, 1)
    take = made(first, 0, 2)
    again = opened(tmp_path, 4)
    assert again.newest(0) == 2
    assert again.last(0) == take


def test_versions_count_on_after_takes_without_reports(tmp_path: Path) -> None:
    (tmp_path / "slot05_v0009.wav").write_bytes(b"RIFF")
    folder = opened(tmp_path, 4)
    assert folder.newest(5) == 9 and folder.last(5) is None


def test_half_written_files_are_removed_and_no_others(tmp_path: Path) -> None:
    for name in (".slot00_v0001.wav.part", ".slot00_v0001.json.part", "my.part", ".x.wav.part"):
        (tmp_path / name).write_text("half")
    opened(tmp_path, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".x.wav.part", "my.part"]


def test_damaged_reports_are_passed_over(tmp_path: Path) -> None:
    folder = opened(tmp_path, 4)
    made(folder, 0, 1)
    for slot, text in ((1, "{"), (2, "[]"), (3, '{"slot": 3}'), (4, "nul\0")):
        folder.path(slot, 1).write_bytes(b"RIFF")
        folder.path(slot, 1).with_suffix(".json").write_text(text)
    (tmp_path / "slot99_v0001.json").write_text("{}")
    assert [take.slot for take in opened(tmp_path, 4).all()] == [0]


def test_the_loss_of_a_take_is_its_best(tmp_path: Path) -> None:
    assert Take(slot=0, version=1, asked=JOB, report=report((3.0, 1.0, 2.0))).loss == 1.0
    assert Take(slot=0, version=1, asked=JOB, report=report(())).loss == -1.0


def test_the_report_on_disk_has_the_figures_and_what_was_asked(tmp_path: Path) -> None:
    plain = Take(slot=0, version=1, asked=JOB, report=report()).plain()
    assert plain["frames"] == 4800 and plain["seam"] == {"ratio": 0.5}
    assert plain["asked"]["intensity"] == {"points": ({"beat": 0, "db": -20},)}
    assert "melody" not in plain["asked"]


def test_a_report_with_figures_that_are_no_numbers_is_read_again(tmp_path: Path) -> None:
    folder = opened(tmp_path, 4)
    figures = IntensityReport(mse_db2=1.0, correlation=float("nan"))
    made_report = report().model_copy(update={"intensity": figures})
    take = Take(slot=0, version=1, asked=JOB, report=made_report)
    folder.path(0, 1).write_bytes(b"RIFF")
    write_json(take.plain(), folder.path(0, 1).with_suffix(".json"))
    (again,) = opened(tmp_path, 4).all()
    assert again.report.intensity is not None
    assert str(again.report.intensity) == str(figures)


def test_what_plays_outlives_newer_takes(tmp_path: Path) -> None:
    folder = opened(tmp_path, 2)
    folder.in_use = lambda slot: {1} if slot == 0 else ()
    for version in range(1, 6):
        made(folder, 0, version)
        folder.shelf.path(f"slot00_v{version:04d}.wav").write_bytes(b"RIFF")
    assert [take.version for take in folder.all()] == [5, 4, 1]
    folder.in_use = lambda _: ()
    made(folder, 0, 6)
    assert [take.version for take in folder.all()] == [6, 5]
    assert not folder.sound(0, 1).exists()


def test_versions_that_are_not_final_are_in_memory_alone(tmp_path: Path) -> None:
    folder = opened(tmp_path, 4)
    first = made(folder, 0, 1)
    draft = Take(slot=0, version=2, asked=JOB, report=report().model_copy(update={"final": False}))
    folder.add(draft)
    assert folder.last(0) == draft and folder.find(0, 2) == draft
    assert list(folder.all()) == [first] and folder.before(0, 2) == first
    final = made(folder, 0, 3)
    assert folder.last(0) == final and folder.find(0, 2) is None


def test_a_take_that_is_not_saved_stays_on_the_shelf(tmp_path: Path) -> None:
    folder = opened(tmp_path, 4)
    lost = Take(slot=0, version=1, asked=JOB, report=report())
    folder.shelf.path("slot00_v0001.wav").write_bytes(b"RIFF")
    folder.add(lost)
    made(folder, 0, 2)
    assert folder.sound(0, 1).parent == folder.shelf.folder and (0, 1) in folder.unsaved
    folder.save(lost)
    assert not folder.sound(0, 1).exists()
