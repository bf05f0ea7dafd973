"""HTTP: read-only, only takes, only for this machine's own pages."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web

from daemon.errors import PortTaken
from daemon.web import application, start

WAV = "slot00_v0001.wav"


def fetch(
    folder: Path, use: Callable[[ClientSession, str], Awaitable[None]], host: str = "127.0.0.1"
) -> None:
    async def main() -> None:
        app = application((folder,), lambda: {"state": "ready"}, lambda: b"ditto_queue 0\n", host)
        runner = await start(app, "127.0.0.1", 0)
        try:
            port = runner.addresses[0][1]
            async with ClientSession() as session:
                await use(session, f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()

    asyncio.run(main())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    takes = tmp_path / "takes"
    takes.mkdir()
    (takes / WAV).write_bytes(bytes(range(256)) * 4)
    (takes / "slot00_v0001.json").write_text("{}")
    (takes / ".slot00_v0002.wav.part").write_text("half")
    (takes / "other.wav").write_text("not ours")
    (tmp_path / "secret.json").write_text("secret")
    return takes


def test_a_take_and_a_part_of_it(folder: Path) -> None:
    async def use(session: ClientSession, base: str) -> None:
        async with session.get(f"{base}/takes/{WAV}") as answer:
            assert (answer.status, answer.content_type) == (200, "audio/wav")
            assert await answer.read() == bytes(range(256)) * 4
        async with session.get(f"{base}/takes/{WAV}", headers={"Range": "bytes=10-19"}) as answer:
            assert answer.status == 206
            assert await answer.read() == bytes(range(10, 20))
        async with session.get(f"{base}/takes/slot00_v0001.json") as answer:
            assert answer.content_type == "application/json"

    fetch(folder, use)


@pytest.mark.parametrize(
    "path",
    [
        "/takes/other.wav",
        "/takes/.slot00_v0002.wav.part",
        "/takes/slot00_v0009.wav",
        "/takes/../secret.json",
        "/takes/%2e%2e%2fsecret.json",
        "/takes/..%5csecret.json",
        "/takes//etc/passwd",
        "/takes/",
        "/takes",
        "/etc/passwd",
    ],
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    async def use(session: ClientSession, base: str) -> None:
        from yarl import URL

        async with session.get(URL(base + path, encoded=True)) as answer:
            assert answer.status == 404

    fetch(folder, use)


def test_it_is_read_only(folder: Path) -> None:
    async def use(session: ClientSession, base: str) -> None:
        for method in ("PUT", "POST", "DELETE"):
            async with session.request(method, f"{base}/takes/{WAV}") as answer:
                assert answer.status == 405

    fetch(folder, use)
    assert (folder / WAV).exists()


def test_status_and_page(folder: Path) -> None:
    async def use(session: ClientSession, base: str) -> None:
        async with session.get(f"{base}/status.json") as answer:
            assert await answer.json() == {"state": "ready"}
            assert answer.headers["Cache-Control"] == "no-store"
        async with session.get(base) as answer:
            text = await answer.text()
            assert answer.content_type == "text/html"
            assert "status.json" in text and "https://" not in text

    fetch(folder, use)


def test_other_names_for_this_machine_are_refused(folder: Path) -> None:
    async def status(session: ClientSession, base: str, host: str) -> int:
        answer: ClientResponse
        async with session.get(f"{base}/status.json", headers={"Host": host}) as answer:
            return answer.status

    async def closed(session: ClientSession, base: str) -> None:
        assert await status(session, base, "evil.example:7772") == 403
        assert await status(session, base, "localhost:7772") == 200

    async def opened(session: ClientSession, base: str) -> None:
        assert await status(session, base, "studio.local:7772") == 200

    fetch(folder, closed)
    fetch(folder, opened, host="0.0.0.0")


def test_a_port_that_is_taken_names_its_key() -> None:
    async def main() -> None:
        first = await start(web.Application(), "127.0.0.1", 0)
        try:
            with pytest.raises(PortTaken, match=r"http\.port \d+ \(TCP\) is held by"):
                await start(web.Application(), "127.0.0.1", first.addresses[0][1])
        finally:
            await first.cleanup()

    asyncio.run(main())
