"""The patches in the repository are what their generator writes, byte for byte."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.max_patches.maxfile import FOLDER

NAMES = ("ditto.maxpat", "ditto.amxd", "ditto.pd", "ditto_loop.pd")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patches")
    subprocess.run([sys.executable, FOLDER / "make_patches.py", folder], check=True, timeout=60)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_file_is_the_generated_one(written: Path, name: str) -> None:
    assert (written / name).read_bytes() == (FOLDER / name).read_bytes()


def test_the_generator_refuses_a_cord_to_a_port_that_is_not_there() -> None:
    script = "from maxwriter import Patch; p = Patch(); p.wire((p.add('sqrt~'), 1), p.add('sqrt~'))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "no cord from sqrt~ outlet 1" in result.stderr
