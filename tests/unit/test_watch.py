"""The program that watches ports from a place, run here against ports of this machine."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fixtures.probe import watch_here
from fixtures.wait import START_LIMIT, wait_for

PROGRAM = Path(watch_here.__file__).read_text(encoding="utf-8")
pytestmark = pytest.mark.req("R-6.3.2-never-a-moment")


@contextmanager
def listening(address: str, port: int = 0) -> Iterator[socket.socket]:
    """A listener on a port of this machine, and whoever calls there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as server:
        server.settimeout(10)
        yield server


def closed_port() -> int:
    """A port that was free a moment ago."""
    with listening("127.0.0.1") as server:
        return int(server.getsockname()[1])


def test_it_tells_open_from_closed_over_both_families(tmp_path: Path) -> None:
    """Open ports are counted, by IPv4 and by IPv6; a closed one, and an address without a route, are not."""
    with ExitStack() as stack:
        servers = [stack.enter_context(listening(address)) for address in ("127.0.0.1", "::1")]
        opened = [f"{server.getsockname()[0]},{server.getsockname()[1]}" for server in servers]
        closed = [f"127.0.0.1,{closed_port()}", "fe80::1,22"]
        said = _watch(tmp_path, [*opened, *closed], until_called=servers[1])
    assert said["rounds"] > 0
    assert {word for word, times in said["opened"].items() if times} == set(opened)


def test_it_sees_a_port_that_was_open_for_a_moment(tmp_path: Path) -> None:
    """What opened and closed again while it watched is in its answer."""
    port = closed_port()
    stop = tmp_path / "stop"
    with _running(stop, [f"127.0.0.1,{port}"]) as process:
        with listening("127.0.0.1", port) as server:
            server.accept()[0].close()
        stop.touch()
        said = json.loads(process.communicate(timeout=20)[0])
    assert said["opened"][f"127.0.0.1,{port}"] >= 1


@contextmanager
def _running(stop: Path, words: list[str]) -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-c", PROGRAM, str(stop), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _watch(folder: Path, words: list[str], until_called: socket.socket) -> dict[str, Any]:
    """The program's answer, stopped once one of its targets was called."""
    stop = folder / "stop"
    with _running(stop, words) as process:
        until_called.accept()[0].close()
        stop.touch()
        wait_for("the program ends", lambda: process.poll() is not None, timeout=START_LIMIT)
        assert process.stdout is not None
        said: dict[str, Any] = json.loads(process.stdout.read())
        return said
