"""config.toml -> frozen settings that check themselves. Every setting once; units in the names."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from daemon.errors import ConfigError
from ditto_rt import limits
from ditto_rt.limits import Range
from ditto_rt.spec import Optimiser, Quality, Sampler

DEFAULT_FILE = Path("config.toml")
AUTO_ITERATIONS = -1

_QUALITY = Quality()
_FOLDER_BYTES = 800


def _in(allowed: Range) -> AfterValidator:
    def check(value: float) -> float:
        # pydantic puts the key's name before the sentence.
        if problem := allowed.problem("", value):
            raise ValueError(problem.strip())
        return value

    return AfterValidator(check)


def _short(folder: str) -> str:
    if len(os.fsencode(expand(folder))) > _FOLDER_BYTES:
        raise ValueError(f"is longer than {_FOLDER_BYTES} bytes; allowed: a shorter folder")
    return folder


Port = Annotated[int, _in(Range(1, 65_535))]
Folder = Annotated[str, AfterValidator(_short)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Osc(_Frozen):
    """Where commands come in."""

    host: str = "127.0.0.1"
    port: Port = 7770
    receive_buffer_bytes: Annotated[int, _in(Range(65_536, 2**28, "bytes"))] = 2**22
    queue_datagrams: Annotated[int, _in(Range(16, 1_000_000, "datagrams"))] = 16_384
    notify_expiry_s: Annotated[float, _in(Range(1, 86_400, "s"))] = 60.0
    time_tags: Literal["immediate", "schedule"] = "immediate"
    schedule_horizon_s: Annotated[float, _in(Range(0.1, 3600, "s"))] = 10.0


class Http(_Frozen):
    """Where takes and the page are served."""

    host: str = "127.0.0.1"
    port: Port = 7772


class Paths(_Frozen):
    """Which folders may be read, and where takes go."""

    roots: Annotated[tuple[Folder, ...], Field(strict=False)] = ("~",)
    takes_folder: Folder = "~/ditto-rt/takes"


class Takes(_Frozen):
    """How many takes are kept."""

    keep_per_slot: Annotated[int, _in(Range(1, 1000, "takes"))] = 16


class Cache(_Frozen):
    """What is remembered of takes."""

    enabled: bool = True
    folder: Folder = "~/ditto-rt/cache"
    most_mb: Annotated[int, _in(Range(1, 1_000_000, "MB"))] = 512
    first_of: Annotated[int, _in(Range(1, 16, "noises"))] = 1


class Scenes(_Frozen):
    """Where scenes are, and how much of their sound waits in memory."""

    folder: Folder = "~/ditto-rt/scenes"
    preload_mb: Annotated[int, _in(Range(0, 100_000, "MB"))] = 256


class Endless(_Frozen):
    """How slots go on without repeating."""

    lookahead_s: Annotated[float, _in(Range(0.5, 60, "s"))] = 8.0


class Engine(_Frozen):
    """What computes."""

    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    threads: Annotated[int, _in(Range(0, 256, "threads"))] = 0
    niceness: Annotated[int, _in(Range(0, 19))] = 5
    model: Literal["builtin"] = "builtin"


class Audio(_Frozen):
    """What comes out."""

    output: Literal["auto", "off"] = "auto"
    device: str = ""
    rate_hz: Annotated[int, _in(Range(8_000, 192_000, "Hz"))] = 48_000
    block_frames: Annotated[int, _in(Range(0, 8192, "frames"))] = 0


class Transport(_Frozen):
    """Whose time is followed."""

    source: Literal["own", "link", "midi"] = "own"
    bpm: Annotated[float, _in(limits.BPM)] = 120.0
    offset_ms: Annotated[float, _in(Range(-500, 500, "ms"))] = 0.0
    link_start_stop: bool = False
    midi_port: str = ""
    midi_api: Literal["", "LINUX_ALSA", "UNIX_JACK", "MACOSX_CORE", "WINDOWS_MM"] = ""


class Render(_Frozen):
    """How much work a take costs where a slot does not say so."""

    steps: Annotated[int, _in(limits.STEPS)] = _QUALITY.steps
    search_steps: Annotated[int, _in(limits.STEPS)] = _QUALITY.search_steps
    iterations: Annotated[int, _in(Range(AUTO_ITERATIONS, limits.ITERATIONS.high))] = (
        AUTO_ITERATIONS
    )
    guidance: Annotated[float, _in(limits.GUIDANCE)] = _QUALITY.guidance
    optimiser: Optimiser = _QUALITY.optimiser
    learning_rate: Annotated[float, _in(limits.LEARNING_RATE)] = _QUALITY.learning_rate
    sampler: Sampler = _QUALITY.sampler

    def quality(self) -> Quality:
        """Return these settings as a job carries them."""
        chosen = self.model_dump()
        if self.iterations == AUTO_ITERATIONS:
            chosen["iterations"] = None
        return Quality(**chosen)


class Automation(_Frozen):
    """What a stream of automation sets off."""

    ride: bool = True
    threshold_db: Annotated[float, _in(Range(0.1, 80, "dB"))] = 1.5
    most_per_minute: Annotated[int, _in(Range(0, 600, "renders"))] = 20


class Log(_Frozen):
    """How much is said."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(_Frozen):
    """All settings, by section."""

    osc: Osc = Osc()
    http: Http = Http()
    paths: Paths = Paths()
    takes: Takes = Takes()
    cache: Cache = Cache()
    scenes: Scenes = Scenes()
    endless: Endless = Endless()
    engine: Engine = Engine()
    audio: Audio = Audio()
    transport: Transport = Transport()
    render: Render = Render()
    automation: Automation = Automation()
    log: Log = Log()


def expand(folder: str) -> Path:
    """Return a folder of the configuration as an absolute path without links."""
    return Path(folder).expanduser().resolve()


def load(path: Path | None) -> Config:
    """Read `path`; None: ./config.toml where there is one, else what is built in.

    Raises ConfigError with one sentence that names the key, its value and what is allowed.
    """
    if path is None:
        if not DEFAULT_FILE.is_file():
            return Config()
        path = DEFAULT_FILE
    try:
        return Config.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is no TOML file: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_sentence(error.errors(include_url=False)[0])}") from error


def _sentence(problem: ErrorDetails) -> str:
    section, *rest = (str(part) for part in problem["loc"])
    key = ".".join([section, *rest])
    if problem["type"] == "extra_forbidden":
        place = Config.model_fields[section].default if rest else Config()
        names = ", ".join(type(place).model_fields)
        return f"key {key} is not known; allowed: {names}"
    message = str(problem["msg"])
    if problem["type"] == "value_error":
        return f"{key} {message.removeprefix('Value error, ')}"
    return f"{key} is {problem['input']!r}; allowed: {message.removeprefix('Input should be ')}"
