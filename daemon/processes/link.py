"""The two processes that work for the control process: how each is started and spoken to."""

import sys
from collections.abc import Callable
from typing import TypeAlias

from daemon import config
from daemon.audio import wire as audio_wire
from daemon.engine.wire import Event, Order, Ready, Unready, encode, read_event
from daemon.processes.child import Died, Language, Link

# Somebody listens: the audio process must be back at once.
AUDIO_PAUSE_S = 0.02

LinkEvent: TypeAlias = Event | Died
AudioEvent: TypeAlias = audio_wire.Event | Died


class EngineLink(Link[Order, Event]):
    """The engine, which renders."""

    def __init__(self, command: tuple[str, ...], on_event: Callable[[LinkEvent], None]) -> None:
        """Start `command` with the number of its events' file descriptor added."""
        language: Language[Order, Event] = Language("engine", encode, read_event, Ready, Unready)
        super().__init__(language, command, on_event)


class AudioLink(Link[audio_wire.Order, audio_wire.Event]):
    """The audio process, which plays."""

    def __init__(self, command: tuple[str, ...], on_event: Callable[[AudioEvent], None]) -> None:
        """Start `command` with the number of its events' file descriptor added."""
        language: Language[audio_wire.Order, audio_wire.Event] = Language(
            "audio",
            audio_wire.encode,
            audio_wire.read_event,
            audio_wire.Opened,
            audio_wire.Silent,
            AUDIO_PAUSE_S,
            audio_wire.Open(),
        )
        super().__init__(language, command, on_event)


_PYTHON = (sys.executable, "-P", "-m")


def engine_command(engine: config.Engine, log_level: str, cache: config.Cache) -> tuple[str, ...]:
    """Return how to start the engine; {events_fd} stands for the pipe's number."""
    return (
        *_PYTHON,
        "daemon.engine",
        "{events_fd}",
        engine.device,
        str(engine.threads),
        str(engine.niceness),
        log_level,
        # Its braces are no place for the pipe's number.
        cache.model_dump_json().replace("{", "{{").replace("}", "}}"),
    )


def audio_command(audio: config.Audio, log_level: str) -> tuple[str, ...]:
    """Return how to start the audio process."""
    device = audio.device.replace("{", "{{").replace("}", "}}")
    numbers = (str(audio.rate_hz), str(audio.block_frames))
    return (*_PYTHON, "daemon.audio", "{events_fd}", device, *numbers, log_level)
