"""Every message in the patches is one that the daemon takes or sends, with its very types."""

import re
from collections.abc import Iterator

import pytest

from daemon.osc.arguments import read_call
from daemon.osc.rows import Arg, Reply
from daemon.protocol.messages import COMMANDS, REPLIES
from tests.max_patches.maxfile import FOLDER, PATCHES, Patcher, arguments, kind, read

LETTERS = {"int": "i", "float": "f", "text": "s"}
NOT_SENT = {"/ditto/sync", "/ditto/quit", "/ditto/help", "/ditto/ping", "/ditto/version"}


def _letter(atom: str) -> str:
    return (
        "f" if re.fullmatch(r"-?\d*\.\d*", atom) else "i" if re.fullmatch(r"-?\d+", atom) else "s"
    )


def _wanted(address: str, groups: int = 1) -> tuple[str, str]:
    command = COMMANDS[address]
    required = "".join(LETTERS[arg.kind] for arg in command.args if not arg.optional)
    every = "".join(LETTERS[arg.kind] for arg in command.args)
    group = "".join(LETTERS[arg.kind] for arg in command.group) * groups
    return required + group, every + group


def _sent_by_max(patcher: Patcher) -> Iterator[tuple[str, str, list[str]]]:
    """Yield address, types and literal words of each message; a list counts as one group."""
    for i, box in patcher.boxes.items():
        words = box.get("text", "").split()
        if box["maxclass"] == "message" and words[0].startswith("/"):
            atoms = ["0" if word == "$1" else word for word in words[1:]]
            yield words[0], "".join(map(_letter, atoms)), atoms
        elif kind(box) == "prepend" and words[1].startswith("/"):
            for source in patcher.into(i, 0):
                yield words[1], *_list_types(patcher, source, words[1])


def _list_types(patcher: Patcher, source: str, address: str) -> tuple[str, list[str]]:
    text = patcher.text(source)
    atoms = arguments(text)
    match text.split()[0]:
        case "pack":
            # `s` is pack's way to say "some symbol".
            return "".join(map(_letter, atoms)), [atom for atom in atoms if atom != "s"]
        case "i":
            return "i", []
        case "zl.join":
            (slot,) = patcher.into(source, 0)
            assert patcher.text(slot) == "i"
            return _wanted(address)[0], []
    raise AssertionError(f"{address} is fed by {text}")


def _sent_by_pd() -> Iterator[tuple[str, str]]:
    for name in ("ditto.pd", "ditto_loop.pd"):
        text = (FOLDER / name).read_text("utf-8")
        for types, words in re.findall(r"oscformat(?: -f (\w+))? (ditto[^;]*);", text):
            yield "/" + words.replace(" ", "/"), types


@pytest.mark.parametrize("name", PATCHES)
def test_what_max_sends_is_in_the_table(name: str) -> None:
    sent = list(_sent_by_max(read(name)))
    for address, types, words in sent:
        required, every = _wanted(address)
        assert types.startswith(required) and every.startswith(types), address
        choices = {c for arg in COMMANDS[address].args for c in arg.choices}
        named = {word for word in words if _letter(word) == "s"}
        assert not choices or named <= choices, (address, named)
    addresses = {address for address, _, _ in sent}
    assert {f"/ditto/slot/{each}" for each in ("tags", "tempo", "seed", "region")} <= addresses
    assert {"/ditto/render", "/ditto/cancel", "/ditto/notify", "/ditto/status"} <= addresses


def test_what_pd_sends_is_in_the_table() -> None:
    sent = dict(_sent_by_pd())
    for address, types in sent.items():
        command = COMMANDS[address]
        groups = len(types) // max(1, len(command.group))
        required, every = _wanted(address, groups)
        # A type string may be shorter: what it leaves out goes as a float.
        assert (types + "f" * len(every))[: len(required)] == required, address
        assert not types or every.startswith(types) or set(every[len(types) :]) <= {"f"}, address
    assert len(sent) >= 13


@pytest.mark.parametrize("name", PATCHES)
def test_the_daemon_accepts_the_defaults_of_the_device(name: str) -> None:
    examples = {"s": "dark techno", "i": 1, "f": 1.0}
    for address, types, _ in _sent_by_max(read(name)):
        command = COMMANDS[address]
        words = [*command.args, *command.group]
        values = [
            arg.choices[0] if arg.choices else examples[letter]
            for arg, letter in zip(words, types, strict=False)
        ]
        if address == "/ditto/slot/tempo":
            values[1] = 120.0
        if address in ("/ditto/slot/intensity", "/ditto/automation"):
            values[2] = -20.0
        assert read_call(command, values).reqid is None


@pytest.mark.parametrize("name", PATCHES)
def test_what_max_listens_to_is_in_the_table(name: str) -> None:
    patcher = read(name)
    routes = [i for i in patcher.ids if patcher.text(i).startswith("route /ditto/status")]
    (route,) = routes
    for outlet, address in enumerate(arguments(patcher.text(route))):
        reply = REPLIES[address]
        for target in patcher.out_of(route, outlet):
            _check_parts(patcher, target, reply)


def test_what_pd_listens_to_is_in_the_table() -> None:
    text = (FOLDER / "ditto.pd").read_text("utf-8")
    assert "route progress take;" in text and "unpack f s f f f;" in text
    kinds = {"int": "f", "float": "f", "text": "s"}
    take = [kinds[arg.kind] for arg in REPLIES["/ditto/take"].args[1:]]
    progress = [kinds[arg.kind] for arg in REPLIES["/ditto/progress"].args[1:]]
    # What comes after is for other clients: unpack leaves it alone.
    assert take[:5] == list("fsfff") and progress == list("ff")


def _check_parts(patcher: Patcher, box: str, reply: Reply) -> None:
    """Hold the `unpack` or `sprintf` that a reply reaches to the reply's types."""
    args = list(reply.args)
    if reply.always_id:
        args.insert(1, Arg("reqid", "int", ""))
    text = patcher.text(box)
    if text.startswith("route 0"):
        args.pop(0)
        (box,) = patcher.out_of(box, 0)
        text = patcher.text(box)
    if text.startswith("route /"):
        done = COMMANDS[arguments(text)[0]].done or ()
        args = [args[1], *done]
        (box,) = patcher.out_of(box, 0)
        text = patcher.text(box)
    wanted = "".join(LETTERS[arg.kind] for arg in args)
    if text.startswith("unpack"):
        # unpack leaves alone what comes after what it names.
        assert wanted.startswith("".join(map(_letter, arguments(text)))), reply.address
    elif text.startswith("sprintf"):
        found = re.findall(r"%(s|ld|\.?\d*f)", text)
        assert wanted.startswith("".join({"s": "s", "ld": "i"}.get(each, "f") for each in found))
    else:
        assert text.startswith("t b"), text


def test_commands_that_no_patch_needs_are_known() -> None:
    used = {address for name in PATCHES for address, _, _ in _sent_by_max(read(name))}
    used |= {address for address, _ in _sent_by_pd()}
    assert not NOT_SENT & used
    assert NOT_SENT <= set(COMMANDS)
