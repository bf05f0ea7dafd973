"""The command line: ditto-rt serve, render, send, cache, scene, bench, doctor, evaluate."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from daemon import evaluation
from daemon.bench import commands as bench_commands
from daemon.cache import commands as cache_commands
from daemon.config import Config, load
from daemon.doctor.commands import doctor
from daemon.errors import ConfigError, PortTaken, Refusal
from daemon.options import RenderOptions, job_of, spread
from daemon.scenes import commands as scene_commands
from ditto_rt import __version__, heap
from ditto_rt.errors import DittoError

FAILED, TIMED_OUT = 1, 2
HINT_SLOT = 0

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Loops that follow: DITTO on a music diffusion model, driven over OSC.",
)
app.add_typer(cache_commands.app, name="cache")
app.add_typer(evaluation.app, name="evaluate")
app.add_typer(scene_commands.app, name="scene")
app.add_typer(bench_commands.app, name="bench")
app.command()(doctor)
_ConfigFile = Annotated[Path | None, typer.Option(help="A config.toml; else ./config.toml.")]


@app.command()
def serve(config: _ConfigFile = None) -> None:
    """Start the daemon and stay until /ditto/quit, Ctrl-C or SIGTERM."""
    try:
        settings = load(config)
        heap.settle()
        _log_to_terminal(settings.log.level)
        asyncio.run(_serve(settings))
    except (ConfigError, PortTaken) as error:
        raise _ended(str(error)) from error


async def _serve(config: Config) -> None:
    from daemon.service import Service

    heap.settle_names()
    async with Service(config) as service:
        osc, http = config.osc, config.http
        print(f"ditto-rt {__version__} listens for OSC on UDP {osc.host}:{osc.port}")
        print(f"page, status and takes: http://{http.host}:{http.port}/")
        port = "" if osc.port == Config().osc.port else f" --port {osc.port}"
        print(f"try: ditto-rt send{port} /ditto/render {HINT_SLOT}", flush=True)
        await service.stopped()


@app.command(context_settings={"ignore_unknown_options": True})
def send(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As /ditto/status.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARG...", help="3, 3.0, text, or i:, f:, s:")
    ] = None,
    host: Annotated[str, typer.Option(help="Where the daemon is.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its OSC port.")] = Config().osc.port,
    wait: Annotated[float, typer.Option(help="Seconds of silence before giving up.")] = 30.0,
) -> None:
    """Send one OSC command and print its replies; exit 1 after a failure, 2 after silence."""
    from daemon.client import argument, exchange, is_failure

    try:
        values = [argument(word) for word in arguments or ()]
        failed = False
        for reply in exchange((host, port), address, values, wait):
            print(reply.address, *reply.arguments, flush=True)
            failed = is_failure(reply)
    except (TimeoutError, ConnectionRefusedError) as error:
        raise _ended(f"no answer from {host}:{port} within {wait:g} s", TIMED_OUT) from error
    except (ValueError, OSError) as error:
        raise _ended(str(error)) from error
    if failed:
        raise typer.Exit(FAILED)


@app.command()
@spread(RenderOptions)
def render(options: RenderOptions) -> None:
    """Make one take without a daemon: the same job, the same code as the engine's."""
    try:
        config = load(options.config)
        _log_to_terminal("warning")
        _render(options, config)
    except (ConfigError, Refusal, DittoError, OSError, ValueError) as error:
        raise _ended(str(error)) from error


def _render(options: RenderOptions, config: Config) -> None:
    # All that can be wrong with the words is told before torch loads.
    from daemon.files import audio_seconds, write_json
    from ditto_rt.midi import read_midi

    if not options.out.absolute().parent.is_dir():
        raise OSError(f"folder {options.out.parent} does not exist; allowed: one that does")
    # As in the engine: read once, when torch loads; threads that spin are slow on busy cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    job = job_of(options, config.render.quality(), read_midi, audio_seconds)
    with Console(stderr=True).status("loading the model"):
        from daemon.engine.produce import Found, load_model, produce
        from daemon.engine.recall import renderer
        from ditto_rt.render import Progress

        model = load_model(config.engine.device, config.engine.threads)
        steps_of = renderer(config.cache.model_copy(update={"enabled": options.cache}))
    with _bar() as bar:
        task = bar.add_task("search", total=1.0, loss="")
        for step in produce(steps_of(job, model, config.audio.rate_hz, None), options.out):
            if isinstance(step, Progress):
                loss = "" if step.loss is None else f"loss {step.loss:.4g}"
                bar.update(task, completed=step.fraction, loss=loss)
                continue
            if isinstance(step, Found):
                bar.update(task, description=f"search (cache: {step.hit})")
                continue
            bar.update(task, completed=1.0)
            if options.report:
                write_json(step.model_dump(), options.report)
    print(options.out)


def _bar() -> ProgressBar:
    return ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _log_to_terminal(level: str) -> None:
    console = Console(stderr=True)
    plain = "%(asctime)s %(levelname)s %(message)s"
    if console.is_terminal:
        handlers: list[logging.Handler] = [RichHandler(console=console, show_path=False)]
        logging.basicConfig(level=level.upper(), format="%(message)s", handlers=handlers)
    else:
        # A file or a journal wants whole lines.
        logging.basicConfig(level=level.upper(), format=plain)


def _ended(text: str, code: int = FAILED) -> typer.Exit:
    Console(stderr=True).print(f"[red]ditto-rt:[/red] {escape(text)}", soft_wrap=True)
    return typer.Exit(code)


if __name__ == "__main__":
    app()
