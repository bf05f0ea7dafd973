import pytest
from typer.testing import CliRunner

from daemon.__main__ import app


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--parts", "speed,taste"], "parts is 'speed,taste'; allowed: real,generated"),
        (["--steps", "2,0"], "steps is '2,0'; allowed: whole numbers from 1 to 1000"),
        (["--out", "/nowhere/at/all.json"], "folder /nowhere/at does not exist"),
        (["--parts", "speed", "--device", "abacus"], "device is 'abacus'; allowed: auto, cuda"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(words: list[str], sentence: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", "model", *words])
    assert result.exit_code == 1
    assert sentence in result.stderr
