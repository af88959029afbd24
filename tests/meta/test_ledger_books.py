"""The books are closed at the end of every run, against the whole world, and no spec can go around them."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.engine.execute import Result
from fixtures.mail.ledger import Ledger
from fixtures.mail.ledger_found import Found, recognised
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Reply, Verdict
from fixtures.targets import books
from fixtures.targets.sim import Sim

ROOT = Path(__file__).resolve().parents[2]
ANN, STRANGER = "ann@a.example.org", "stranger@hosts.example.org"
TAKEN = Outcome(Verdict.ACCEPTED, "data", Reply(250, "2.0.0 Ok: queued as 4F2A"))

pytestmark = pytest.mark.req("R-0-ledger-closes")


class _World:
    """As much of a world as the books need; ``ran`` are the commands given to the Dell."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.site = SimpleNamespace(mail=SimpleNamespace(domains=["a.example.org"]))
        self.ran: list[list[str]] = []
        self.dell = self

    def run(self, argv: Sequence[str]) -> Result:
        """Note what the Dell is told."""
        self.ran.append(list(argv))
        return Result(tuple(argv), 0, "", "")

    def send(self) -> Message:
        """Have a message accepted."""
        message = make(STRANGER, [ANN])
        self.ledger.hand_over(message, STRANGER, [ANN], lambda: TAKEN)
        return message


@pytest.fixture
def world() -> _World:
    """A world with an empty ledger."""
    return _World()


Close = Callable[..., books.Balance]


@pytest.fixture
def close(world: _World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Close:
    """Close that world's books with given looks at it, one after the other; the last one stays."""
    monkeypatch.setenv("MAILPROOF_RESULTS", str(tmp_path / "results"))

    def act(*looks: list[Found], patience: float = 20) -> books.Balance:
        rest = list(looks)
        monkeypatch.setattr(books, "look", lambda _: rest.pop(0) if len(rest) > 1 else rest[0])
        return books.close_books(cast(Sim, world), timedelta(seconds=patience))

    return act


def test_a_message_on_its_way_is_waited_for(world: _World, close: Close, tmp_path: Path) -> None:
    """Seen in the queue first and in the mailbox then: the queue is told to hurry, nothing is wrong."""
    message = world.send()
    queued = recognised("queue", "server", message.content, recipients=[ANN])
    delivered = recognised("mailbox", ANN, message.content)
    close(queued, delivered).check()
    assert [argv[-2:] for argv in world.ran] == [["postqueue", "-f"]]
    written = json.loads((tmp_path / "results" / "ledger.json").read_text(encoding="utf-8"))
    assert written["faults"] == []
    assert (written["totals"]["accepted"], written["totals"]["delivered"]) == (1, 1)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["ledger.json"]


def test_what_balances_at_once_is_left_alone(world: _World, close: Close) -> None:
    """One look, no command to anybody, and the session need not close again."""
    close(recognised("mailbox", ANN, world.send().content)).check()
    assert world.ran == []
    assert world.ledger.closed


def test_a_fault_fails_the_run_in_words_and_is_written(world: _World, close: Close, tmp_path: Path) -> None:
    """Patience ends, the text names the message, and the report can show it."""
    world.ledger.spec = "tests/e2e/test_x.py::test_y"
    message = world.send()
    balance = close([], patience=0)
    with pytest.raises(AssertionError, match=rf"lost: .*{message.marker}.*test_x\.py::test_y"):
        balance.check()
    (fault,) = json.loads((tmp_path / "results" / "ledger.json").read_text(encoding="utf-8"))["faults"]
    assert (fault["kind"], fault["marker"]) == ("lost", message.marker)


@pytest.mark.parametrize("selection", [["tests/e2e"], ["tests/e2e/test_inbound.py", "-k", "spf"]])
def test_the_ledgers_spec_is_the_last_of_every_run(selection: list[str]) -> None:
    """Whatever is selected, it is collected once, at the end."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *selection]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    specs = [line for line in done.stdout.splitlines() if "::" in line]
    ledgers = [number for number, spec in enumerate(specs) if "test_ledger.py::" in spec]
    assert len(specs) >= 2
    assert ledgers == [len(specs) - 1]


AROUND = {"fixtures.mail.smtp", "fixtures.internet.peers", "aiosmtplib", "smtplib"}


def _imported(source: str) -> set[str]:
    """Every module that a file may import, also ``from package import module``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_e2e_spec_goes_around_the_ledger() -> None:
    """Specs send through fixtures and the world's hosts, never by a client of their own."""
    assert AROUND & _imported("from fixtures.mail import smtp\nimport smtplib") == {
        "fixtures.mail.smtp",
        "smtplib",
    }
    specs = sorted((ROOT / "tests" / "e2e").glob("*.py"))
    assert len(specs) > 5
    assert {path.name: AROUND & _imported(path.read_text("utf-8")) for path in specs} == {
        path.name: set() for path in specs
    }


def test_the_worlds_hosts_are_accounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the foreign hosts' users send is entered before it goes, and followed to its end."""
    from fixtures.internet.peers import Delivery, Peer
    from fixtures.targets.accounting import AccountedPeer

    ledger = Ledger()
    peer = AccountedPeer(cast(Any, None), ledger)
    attempts = [
        Delivery("Q1", ANN, "mx", "4.0.0", "deferred", "host mx said: 451 later"),
        Delivery("Q1", ANN, "mx", "4.4.2", "deferred", "lost -- message may be sent more than once"),
        Delivery("Q1", ANN, "mx", "2.0.0", "sent", "250 2.0.0 Ok: queued as 4F2A"),
    ]
    monkeypatch.setattr(Peer, "sendmail", lambda *_: "Q1")
    monkeypatch.setattr(Peer, "attempts", lambda _, queue_id: attempts if queue_id == "Q1" else [])
    peer.sendmail(make(STRANGER, [ANN]).content, STRANGER, [ANN])
    (entry,) = ledger.entries
    assert entry.outcome is Verdict.UNKNOWN
    ledger.refresh()
    verdicts = [made.verdict for made in entry.handovers]
    assert verdicts == [Verdict.DEFERRED, Verdict.UNKNOWN, Verdict.ACCEPTED]
    assert (entry.outcome, entry.queue_id) == (Verdict.ACCEPTED, "4F2A")
