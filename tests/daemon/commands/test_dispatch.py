"""Datagrams in, replies out: every command, every mistake, in order."""

import asyncio
import logging
import random
import struct
import time
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from daemon.bench.osc_bytes import bundle, message, random_packet
from daemon.protocol.messages import COMMANDS, REPLIES
from tests.daemon_office import OTHER, OWN, SENDER, Bench

PING = message("/ditto/ping", "i", 1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def loop_wav(tmp_path: Path) -> Path:
    path = tmp_path / "loop.wav"
    soundfile.write(path, np.zeros(24_000, np.float32), 12_000)
    return path


def test_ping_comes_back(bench: Bench) -> None:
    datagram = message("/ditto/ping", "ifsTFhdh", 1, 0.5, "x", 5, 0.25, 2**40)
    assert bench.send(datagram) == [("/ditto/pong", (1, 0.5, "x", 1, 0, 5, 0.25, float(2**40)))]
    assert bench.send(message("/ditto/ping")) == [("/ditto/pong", ())]


def test_ping_refuses_what_cannot_come_back(bench: Bench) -> None:
    ((address, values),) = bench.send(message("/ditto/ping", "ib", 1, b"abc"))
    assert address == "/ditto/fail" and values[2] == "bad_type"
    ((address, values),) = bench.send(message("/ditto/ping", "s", "x" * 1500))
    assert address == "/ditto/fail" and "allowed: 1400" in values[3]
    assert bench.send(message("/ditto/ping", "s", "x" * 1370))[0][0] == "/ditto/pong"


def test_version_and_status(bench: Bench) -> None:
    assert bench.send(message("/ditto/version", "i", 9)) == [
        ("/ditto/version.reply", ("ditto-rt", 0, 1, 0, 1, 9))
    ]
    assert bench.send(message("/ditto/status")) == [
        ("/ditto/status.reply", ("loading", "", "", 0, 0, 0))
    ]
    bench.get_ready()
    assert bench.send(message("/ditto/status")) == [
        ("/ditto/status.reply", ("ready", "builtin", "cpu", 0, 0, 0))
    ]


def test_help_tells_all_commands_or_one(bench: Bench) -> None:
    found = bench.send(message("/ditto/help"))
    assert [values[0] for _, values in found[:-1]] == list(COMMANDS)
    assert found[-1] == ("/ditto/done", ("/ditto/help", -1))
    found = bench.send(message("/ditto/help", "s", "/ditto/slot/seed"))
    assert found[0][1][:2] == ("/ditto/slot/seed", "slot:i seed:i [reqid:i]")
    assert bench.send(message("/ditto/help", "s", "/x"))[0][1][2] == "unknown_command"


def test_replies_go_to_the_registered_port(bench: Bench) -> None:
    bench.send(message("/ditto/notify", "iisi", 1, OTHER[1], "max", 3))
    bench.send(message("/ditto/notify", "ii", 1, OTHER[1]))
    asyncio.run(bench.dispatcher.carry_out(PING, SENDER))
    assert [(target, address) for target, address, _ in bench.sent] == [(OTHER, "/ditto/pong")]
    bench.send(message("/ditto/notify", "i", 0))
    assert bench.send(PING) == [("/ditto/pong", (1,))]


def test_notify_is_answered_at_the_new_port(bench: Bench) -> None:
    asyncio.run(bench.dispatcher.carry_out(message("/ditto/notify", "iii", 1, OTHER[1], 3), SENDER))
    assert bench.sent == [(OTHER, "/ditto/done", ("/ditto/notify", 3, OTHER[1]))]


def test_the_daemons_own_port_is_refused_and_never_answered(bench: Bench) -> None:
    ((_, values),) = bench.send(message("/ditto/notify", "ii", 1, OWN[1]))
    assert values[2] == "bad_value" and "the daemon's own" in values[3]
    asyncio.run(bench.dispatcher.carry_out(PING, OWN))
    assert bench.sent == []


def test_replies_that_come_in_are_not_answered(bench: Bench) -> None:
    for address in REPLIES:
        assert bench.send(message(address, "si", "/ditto/ping", 1)) == []


def test_setters_answer_with_slot_and_values(bench: Bench) -> None:
    assert bench.send(message("/ditto/slot/tags", "isi", 2, "dark techno polka", 8)) == [
        ("/ditto/done", ("/ditto/slot/tags", 8, 2, "dark techno", "polka"))
    ]
    assert bench.send(message("/ditto/slot/intensity", "iffff", 2, 0.0, -30.0, 8.0, -12.0)) == [
        ("/ditto/done", ("/ditto/slot/intensity", -1, 2, 2))
    ]
    ((_, values),) = bench.send(message("/ditto/slot/get", "i", 2))
    assert values == (2, 0, "idle", "dark techno", 120.0, 8.0, 0, "", "", 2, 0, "", 0.0)
    bench.send(message("/ditto/slot/clear", "is", 2, "all"))
    ((_, values),) = bench.send(message("/ditto/slot/get", "i", 2))
    assert values == (2, 0, "idle", "", 120.0, 8.0, 0, "", "", 0, 0, "", 0.0)


def test_the_state_of_a_slots_job_is_told(bench: Bench) -> None:
    bench.get_ready()
    for slot in (0, 1):
        bench.send(message("/ditto/render", "i", slot))
    states = [bench.send(message("/ditto/slot/get", "i", slot))[0][1][2] for slot in (0, 1, 2)]
    assert states == ["rendering", "waiting", "idle"]


def test_a_region_in_seconds_and_in_beats(bench: Bench, loop_wav: Path) -> None:
    found = bench.send(
        message("/ditto/slot/region", "isffs", 0, str(loop_wav), 0.5, 2.0, "outpaint")
    )
    assert found == [("/ditto/done", ("/ditto/slot/region", -1, 0, 2.0))]
    datagram = message(
        "/ditto/slot/region_beats", "isfffs", 1, str(loop_wav), 1.0, 2.0, 120.0, "loop"
    )
    assert bench.send(datagram)[0][0] == "/ditto/done"
    region = bench.desk.slots[1].region
    assert region and (region.start_s, region.end_s, region.mode) == (0.5, 1.0, "loop")


def test_each_wrong_region_has_its_sentence(bench: Bench, tmp_path: Path, loop_wav: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio at all")
    (tmp_path / "out.wav").symlink_to("/etc/hostname")
    cases = [
        ((str(tmp_path / "none.wav"), 0.0, 1.0, "vary"), "bad_file", "does not exist"),
        ((str(text), 0.0, 1.0, "vary"), "bad_file", "is no audio that can be read"),
        ((str(tmp_path), 0.0, 1.0, "vary"), "bad_file", "is no plain file"),
        (("/etc/hostname", 0.0, 1.0, "vary"), "bad_file", "outside the allowed folders"),
        ((str(tmp_path / "out.wav"), 0.0, 1.0, "vary"), "bad_file", "outside the allowed"),
        ((f"{tmp_path}/../../x.wav", 0.0, 1.0, "vary"), "bad_file", "outside the allowed"),
        (("loop.wav", 0.0, 1.0, "vary"), "bad_file", "allowed: an absolute path"),
        (("", 0.0, 1.0, "vary"), "bad_file", "allowed: an absolute path"),
        (("~nobody_of_this_name/a.wav", 0.0, 1.0, "vary"), "bad_file", "cannot be used"),
        (("/" + "x" * 2000, 0.0, 1.0, "vary"), "bad_file", "allowed: 1000 bytes"),
        ((str(loop_wav), 0.0, 3.0, "vary"), "bad_region", "end_s is 3; allowed: up to 2.000 s"),
        ((str(loop_wav), 1.0, 0.5, "vary"), "bad_value", "end_s is 0.5; allowed: more than"),
        ((str(loop_wav), -1.0, 0.5, "vary"), "out_of_range", "start_s is -1; allowed: 0 to"),
        ((str(loop_wav), 0.0, 1.0, "remix"), "bad_value", "mode is 'remix'; allowed: outpaint"),
    ]
    for arguments, code, sentence in cases:
        ((address, values),) = bench.send(message("/ditto/slot/region", "isffsi", 0, *arguments, 4))
        assert (address, values[1], values[2]) == ("/ditto/fail", 4, code), arguments
        assert sentence in values[3]
    assert bench.desk.slots[0].region is None


def test_a_melody_from_a_midi_file(bench: Bench, tmp_path: Path) -> None:
    midi, track = mido.MidiFile(), mido.MidiTrack()
    track.append(mido.Message("note_on", note=60, time=0))
    track.append(mido.Message("note_off", note=60, time=480))
    midi.tracks.append(track)
    midi.save(tmp_path / "a.mid")
    datagram = message("/ditto/slot/melody_file", "is", 0, str(tmp_path / "a.mid"))
    assert bench.send(datagram) == [("/ditto/done", ("/ditto/slot/melody_file", -1, 0, 1))]
    (tmp_path / "b.mid").write_text("no MIDI")
    datagram = message("/ditto/slot/melody_file", "is", 0, str(tmp_path / "b.mid"))
    assert bench.send(datagram)[0][1][2] == "bad_file"


def test_a_disk_that_does_not_answer_is_a_failure(
    bench: Bench, loop_wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.aside.FILE_CHECK_S", 0.05)
    monkeypatch.setattr("daemon.commands.handlers.check_region", lambda *_: time.sleep(0.3))
    datagram = message("/ditto/slot/region", "isffs", 0, str(loop_wav), 0.0, 1.0, "vary")
    ((_, values),) = bench.send(datagram)
    assert values[2] == "bad_file" and "did not answer" in values[3]


def test_sync_waits_for_renders_and_only_for_those_before_it(bench: Bench) -> None:
    bench.get_ready()

    async def run() -> None:
        for datagram in (
            message("/ditto/render", "i", 0),
            message("/ditto/sync", "ii", 41, 6),
            message("/ditto/render", "i", 1),
        ):
            await bench.dispatcher.carry_out(datagram, SENDER)
        await asyncio.sleep(0.01)
        assert "/ditto/synced" not in [address for address, _ in bench.take()]
        bench.finish(bench.rendering())
        await asyncio.sleep(0.01)

    asyncio.run(run())
    assert ("/ditto/synced", (41, 6)) in bench.take()
    assert bench.rendering().slot == 1


def test_sync_with_nothing_to_wait_for(bench: Bench) -> None:
    assert bench.send(message("/ditto/sync", "i", 3)) == [("/ditto/synced", (3,))]


def test_a_flood_of_syncs_is_bounded(bench: Bench) -> None:
    bench.get_ready()

    async def run() -> None:
        await bench.dispatcher.carry_out(message("/ditto/render", "i", 0), SENDER)
        for number in range(300):
            await bench.dispatcher.carry_out(message("/ditto/sync", "i", number), SENDER)
        bench.finish(bench.rendering())
        await asyncio.sleep(0.01)

    asyncio.run(run())
    found = bench.take()
    assert len([1 for address, _ in found if address == "/ditto/synced"]) == 256
    assert [values[2] for address, values in found if address == "/ditto/fail"] == ["busy"] * 44
    assert bench.office.later == set()


def test_cancel_and_quit(bench: Bench) -> None:
    bench.get_ready()
    bench.send(message("/ditto/render", "i", 0))
    assert bench.send(message("/ditto/cancel", "i", 0))[-1] == (
        "/ditto/done",
        ("/ditto/cancel", -1, 0, 1),
    )
    assert bench.send(message("/ditto/quit")) == [("/ditto/done", ("/ditto/quit", -1))]
    assert bench.stops == 1


def test_patterns_reach_all_they_match_but_not_quit(bench: Bench) -> None:
    found = bench.send(message("/ditto/{ping,vers*,status}", "i", 1))
    assert [address for address, _ in found] == ["/ditto/pong", "/ditto/status.reply"]
    assert len(bench.send(message("/ditto/*", "i", 1))) > 5
    assert bench.stops == 0
    assert bench.send(message("/*/nothing"))[0][1][2] == "unknown_command"
    assert bench.send(message("/ditto/[a"))[0][1][2] == "bad_value"


def test_unknown_commands_are_answered(bench: Bench) -> None:
    ((address, values),) = bench.send(message("/ditto/sing", "i", 4))
    assert (address, values[:3]) == ("/ditto/fail", ("/ditto/sing", -1, "unknown_command"))


def test_broken_packets_are_answered_and_nothing_is_carried_out(bench: Bench) -> None:
    broken = bundle(message("/ditto/quit")) + struct.pack(">i", -4)
    ((address, values),) = bench.send(broken)
    assert (address, values[:3]) == ("/ditto/fail", ("", -1, "bad_packet"))
    assert bench.stops == 0


def test_a_message_with_an_unknown_type_is_named(bench: Bench) -> None:
    found = bench.send(bundle(PING, message("/ditto/slot/seed", "ic", 0, 65), PING))
    assert sorted(address for address, _ in found) == ["/ditto/fail", "/ditto/pong", "/ditto/pong"]
    assert found[0][1][0] == "/ditto/slot/seed"


def test_a_bundle_is_carried_out_in_order(bench: Bench) -> None:
    seeds = [message("/ditto/slot/seed", "iii", 0, seed, seed) for seed in range(100)]
    found = bench.send(bundle(*seeds))
    assert [values[1] for _, values in found] == list(range(100))
    assert bench.desk.slots[0].seed == 99


def test_the_future_is_now_and_each_client_is_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = struct.pack(">Q", int((time.time() + 2_208_988_800 + 3600) * 2**32))
    started = time.perf_counter()
    with caplog.at_level(logging.WARNING):
        for source in (SENDER, SENDER, OTHER):
            bench.send(bundle(PING, tag=ahead), source)
    assert time.perf_counter() - started < 0.5
    assert [record.args[1] for record in caplog.records] == [SENDER[1], OTHER[1]]
    assert bench.send(bundle(PING, tag=ahead)) == [("/ditto/pong", (1,))]


def test_an_error_of_the_daemon_itself_is_answered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.desk, "submit", lambda *_: 1 / 0)
    ((address, values),) = bench.send(message("/ditto/render", "ii", 0, 7))
    assert (address, values[:3]) == ("/ditto/fail", ("/ditto/render", 7, "daemon_error"))
    assert bench.send(PING) == [("/ditto/pong", (1,))]


def test_every_command_refuses_nonsense(bench: Bench) -> None:
    for address, command in COMMANDS.items():
        if not command.echo:
            ((reply, values),) = bench.send(message(address, "b" * 8, *[b"x"] * 8))
            assert (reply, values[0]) == ("/ditto/fail", address)


def test_damaged_packets_never_get_out_of_hand(bench: Bench) -> None:
    chance = random.Random(3)
    seeds = [
        message("/ditto/slot/tempo", "iff", 0, 120.0, 8.0),
        message("/ditto/slot/melody", "iiffiff", 0, 60, 0.0, 1.0, 62, 1.0, 1.0),
        message("/ditto/slot/region", "isffs", 0, "~/none.wav", 0.0, 1.0, "vary"),
        message("/ditto/notify", "iis", 1, 7771, "max"),
        message("/ditto/slot/clear", "is", 0, "all"),
        message("/ditto/render", "i", 0),
    ]

    async def run() -> None:
        for _ in range(3000):
            await bench.dispatcher.carry_out(random_packet(seeds, chance), SENDER)
        bench.sent.clear()
        bench.clients.forget(SENDER)
        await bench.dispatcher.carry_out(PING, SENDER)

    asyncio.run(run())
    assert bench.take() == [("/ditto/pong", (1,))]


def test_the_dispatcher_runs_until_it_is_stopped(bench: Bench) -> None:
    async def run() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await asyncio.sleep(0)
        for _ in range(8):
            bench.mailbox.put(PING, SENDER)
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
    assert len(bench.take()) == 8
