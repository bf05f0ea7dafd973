"""The arrows between the parts: who may import whom, and what stays out of which process."""

import ast
import subprocess
import sys
import textwrap

import pytest

from tests.source_tree import (
    ROOT,
    Import,
    all_imports,
    cycles,
    imports,
    loaded_with,
    sources,
    within,
)

ARROWS = all_imports()
MODULES = tuple(sources())

# Read by the control process, which must answer while torch still loads.
LIGHT = ("ditto_rt.limits", "ditto_rt.tags", "ditto_rt.spec", "ditto_rt.errors")
CONTRACTS = (*LIGHT, "ditto_rt.model", "ditto_rt.timing", "ditto_rt.devices")
SEARCH = ("ditto_rt.schedule", "ditto_rt.sampling", "ditto_rt.optimise")
SOUND = ("ditto_rt.features", "ditto_rt.controls", "ditto_rt.targets", "ditto_rt.loudness")
JOINTS = ("ditto_rt.layout", "ditto_rt.assemble")

# Each part of the library: what else of the library it may import. Where a module is in several
# rows, the longest name counts. `measure` is kept from `features`: a measurement that shares code
# with the loss it judges would share its mistakes.
ALLOWED: dict[str, tuple[str, ...]] = {
    "ditto_rt": (),
    "ditto_rt.limits": (),
    "ditto_rt.tags": (),
    "ditto_rt.errors": (),
    "ditto_rt.heap": (),
    "ditto_rt.devices": ("ditto_rt.heap",),
    "ditto_rt.spec": ("ditto_rt.limits", "ditto_rt.tags"),
    "ditto_rt.timing": LIGHT,
    "ditto_rt.midi": LIGHT,
    "ditto_rt.model": ("ditto_rt.tags",),
    "ditto_rt.schedule": (),
    "ditto_rt.sampling": ("ditto_rt.schedule", "ditto_rt.model"),
    "ditto_rt.optimise": ("ditto_rt.sampling", "ditto_rt.schedule", "ditto_rt.model"),
    "ditto_rt.features": (),
    "ditto_rt.loudness": (),
    "ditto_rt.controls": ("ditto_rt.features", "ditto_rt.errors"),
    "ditto_rt.targets": ("ditto_rt.features", "ditto_rt.midi", "ditto_rt.timing", *LIGHT),
    "ditto_rt.measure": ("ditto_rt.targets", "ditto_rt.timing", *LIGHT),
    "ditto_rt.builtin": (*CONTRACTS, "ditto_rt.builtin", "ditto_rt.features", "ditto_rt.schedule"),
    "ditto_rt.layout": ("ditto_rt.targets", *CONTRACTS),
    "ditto_rt.assemble": (*CONTRACTS, *SOUND, "ditto_rt.layout"),
    "ditto_rt.render": (*CONTRACTS, *SEARCH, *SOUND, *JOINTS, "ditto_rt.measure"),
    "ditto_rt.evaluate": (
        *(*CONTRACTS, *SEARCH, *SOUND, *JOINTS),
        *("ditto_rt.measure", "ditto_rt.render", "ditto_rt.builtin", "ditto_rt.evaluate"),
        # Held-out clips come from the corpus, the tagger's training knows its network.
        "ditto_rt.training",
    ),
    "ditto_rt.training": ("ditto_rt",),
}

# A library from outside: who may import it at the top of a file, and who inside a function.
OUTSIDE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pythonosc": (("daemon",), ()),
    "diffusers": (("ditto_rt.builtin", "ditto_rt.training"), ()),
    "torch_tensorrt": ((), ()),
    "sounddevice": ((), ("daemon.audio",)),
    "numba": (("daemon.audio",), ()),
    "aalink": ((), ("daemon.sources",)),
    "rtmidi": ((), ("daemon.sources",)),
    "jack": ((), ("daemon.bench.ear",)),
    "aiohttp": (("daemon",), ()),
    "socket": (("daemon",), ()),
    "asyncio": (("daemon",), ()),
}


def _shown(arrows: list[Import]) -> list[str]:
    return [f"{arrow.source} -> {arrow.target}" for arrow in arrows]


def _is_engine(module: str) -> bool:
    return module.startswith("daemon.engine")


def _breaches(arrows: list[Import]) -> list[Import]:
    bad = []
    for arrow in arrows:
        rows = [name for name in ALLOWED if within(arrow.source, (name,))]
        if not rows or not within(arrow.target, ("ditto_rt", "daemon")):
            continue
        allowed = ALLOWED[max(rows, key=len)]
        # A package's bare name stands for what __init__ holds, its version: no arrow into a part.
        if arrow.target != "ditto_rt" and not within(arrow.target, allowed):
            bad.append(arrow)
    return bad


def test_the_tree_is_read() -> None:
    assert {"ditto_rt.spec", "ditto_rt.limits"} <= set(MODULES)
    assert Import("ditto_rt.spec", "ditto_rt.limits", False) in ARROWS


def test_every_module_of_the_library_has_a_row() -> None:
    library = [name for name in MODULES if within(name, ("ditto_rt",)) and name != "ditto_rt"]
    rows = tuple(name for name in ALLOWED if name != "ditto_rt")
    assert [name for name in library if not within(name, rows)] == []


def test_arrows_inside_the_library() -> None:
    assert _shown(_breaches(ARROWS)) == []


def test_nothing_but_the_evaluation_imports_the_training() -> None:
    bad = [
        arrow
        for arrow in ARROWS
        if within(arrow.target, ("ditto_rt.training",))
        and not within(arrow.source, ("ditto_rt.training", "ditto_rt.evaluate"))
        and not (arrow.lazy and within(arrow.source, ("daemon",)))
    ]
    assert _shown(bad) == []


def test_nothing_that_makes_takes_knows_their_judge() -> None:
    bad = [
        arrow
        for arrow in ARROWS
        if within(arrow.target, ("ditto_rt.evaluate",))
        and not within(arrow.source, ("ditto_rt.training", "ditto_rt.evaluate"))
        and not (arrow.lazy and within(arrow.source, ("daemon.evaluation",)))
    ]
    assert _shown(bad) == []


@pytest.mark.parametrize("library", OUTSIDE)
def test_libraries_from_outside_have_their_place(library: str) -> None:
    top, inside = OUTSIDE[library]
    bad = [
        arrow
        for arrow in ARROWS
        if within(arrow.target, (library,))
        and not within(arrow.source, top + inside if arrow.lazy else top)
    ]
    assert _shown(bad) == []


def test_torch_stays_out_of_the_control_process() -> None:
    light = [m for m in MODULES if within(m, ("daemon",)) and not _is_engine(m)]
    bad = {m: loaded_with(m, ARROWS) for m in [*light, *LIGHT, "ditto_rt"]}
    assert [m for m, loaded in bad.items() if any(within(x, ("torch",)) for x in loaded)] == []


def test_no_cycles() -> None:
    assert cycles(ARROWS) == []


def _package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_packages_of_the_daemon_have_one_direction() -> None:
    between = [
        Import(_package(arrow.source), _package(arrow.target), arrow.lazy)
        for arrow in ARROWS
        if within(arrow.target, ("daemon",)) and _package(arrow.source) != _package(arrow.target)
    ]
    assert len(between) > 100
    assert cycles(between) == []


def test_only_the_command_line_prints() -> None:
    calls = [
        (module, node)
        for module, path in sources().items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert [f"{m}:{call.lineno}" for m, call in calls if m != "daemon.__main__"] == []


@pytest.mark.parametrize("module", [*LIGHT, *(["daemon.__main__"] * ("daemon" in MODULES))])
def test_a_fresh_interpreter_loads_no_torch(module: str) -> None:
    script = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False)
    assert result.returncode == 0


SOURCE = """
    import torch
    from ditto_rt import features, limits
    from . import sampling
    from .corpus.drums import kick
    def later():
        import diffusers
    if TYPE_CHECKING:
        import sounddevice
"""


def test_the_reader_sees_every_kind_of_import() -> None:
    known = frozenset({"ditto_rt.features", "ditto_rt.limits", "ditto_rt.sampling"})
    found = imports("ditto_rt.optimise", ast.parse(textwrap.dedent(SOURCE)), False, known)
    assert [(arrow.target, arrow.lazy) for arrow in found] == [
        ("torch", False),
        ("ditto_rt.features", False),
        ("ditto_rt.limits", False),
        ("ditto_rt.sampling", False),
        ("ditto_rt.corpus.drums", False),
        ("diffusers", True),
    ]


def test_the_rules_refuse_what_they_should() -> None:
    bad = [
        Import("ditto_rt.sampling", "daemon.rendering.jobs", True),
        Import("ditto_rt.sampling", "ditto_rt.features", False),
        Import("ditto_rt.measure", "ditto_rt.features", True),
        Import("ditto_rt.builtin.loader", "ditto_rt.render", False),
    ]
    good = [
        Import("ditto_rt.sampling", "ditto_rt.schedule", False),
        Import("ditto_rt.sampling", "torch", False),
        Import("daemon.engine", "ditto_rt.render", False),
        Import("ditto_rt.training.fit", "ditto_rt.builtin.unet", False),
    ]
    assert _breaches(bad + good) == bad


def test_cycles_and_closures_are_found() -> None:
    ring = [Import("a", "b", False), Import("b", "c", True), Import("c", "a", False)]
    assert cycles([*ring, Import("x", "a", False)]) == [["a", "b", "c"]]
    assert loaded_with("c", ring) == {"a", "b"}
    assert loaded_with("x", [Import("x", "p.q", False)]) == {"p", "p.q"}
