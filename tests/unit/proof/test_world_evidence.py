"""What a world would tell about a failed spec, asked of places that only pretend to run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.engine.execute import Result
from fixtures.engine.labels import LABEL, world_id
from fixtures.proof.evidence_failure import Failure
from fixtures.targets import evidence
from fixtures.world.state import WorldState

MARKER = "mark" + "0b" * 16
SPEC = "tests/e2e/test_x.py::test_y"
ITEM = cast(pytest.Item, SimpleNamespace())
STATE = WorldState("w", {}, {}, "100.64.0.10", {"alice@example.net": "pass-word-1"}, {}, "SG-key-value", 1)
ENV = "MAIL_DOMAIN='example.net'\nMYSQL_PASSWORD='made-by-the-dell'\n"


@dataclass
class Place:
    """Stands for a container: a name, a state, a log."""

    name: str
    status: str = "running"
    log: str = ""
    world: str = field(default_factory=world_id)

    @property
    def labels(self) -> dict[str, str]:
        """As the engine gives them."""
        return {LABEL: self.world, "mailproof.place": self.name}

    @property
    def attrs(self) -> dict[str, Any]:
        """As the engine gives them, without a health check."""
        return {"State": {"Status": self.status, "ExitCode": 0, "StartedAt": "today"}}

    def logs(self, since: float | None = None, tail: int | None = None) -> bytes:
        """All of it, or the last lines since a moment."""
        return f"{self.log}{'' if since is None else f'(at most {tail} lines)'}".encode()


PLACES = [
    Place("igw"),
    Place("dell"),
    Place("task-1-postfix", log="postfix/smtpd[7]: proxy-accept: 250 2.0.0 Ok: queued as 4cXyZ12abc\n"),
    Place("peer-sender", status="exited", log=f"to=<a@example.net> message-id=<{MARKER}@example.org>\n"),
    Place("test-bench"),
    Place("stranger", world="another"),
]


def _execute(place: Place, argv: Sequence[str], **_: object) -> Result:
    """What a program would print there."""
    said = {
        "cat": ENV,
        "docker": f"postfix/cleanup[1]: 4cXyZ12abc: message-id=<{MARKER}@example.org>\n",
        "nft": f"table inet {place.name}\n",
    }
    missing = argv[0] == "firewall-cmd" and place.name != "dell"
    return Result(tuple(argv), 127 if missing else 0, said.get(argv[0], ""), "not found" if missing else "")


@pytest.fixture(autouse=True)
def pretended_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A world that is up, of places that only pretend."""
    (tmp_path / "world.json").touch()
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "ca.key").write_text("the CA's key")
    monkeypatch.setattr(evidence, "WORLD_FILE", tmp_path / "world.json")
    monkeypatch.setattr(evidence, "RUN_DIR", tmp_path)
    monkeypatch.setattr(evidence, "labelled_containers", lambda: PLACES)
    monkeypatch.setattr(evidence, "execute", _execute)
    monkeypatch.setattr(WorldState, "load", classmethod(lambda _: STATE))


def _failure(layer: str = "e2e") -> Failure:
    return Failure(SPEC.replace("e2e", layer), layer, datetime.now(UTC), f"delivered {MARKER}")


@pytest.mark.req("R-0-failure-evidence")
def test_each_place_of_this_world_tells_its_part() -> None:
    """States and logs of all, rule sets of those that run; neither a bench's nor another checkout's."""
    files = evidence.pytest_mailproof_evidence(ITEM, _failure())
    places = ("igw", "dell", "task-1-postfix", "peer-sender")
    assert set(files) == {
        "world.txt", "containers.txt", "dell.txt", "logs/by-queue-id.txt", "logs/dell-journal.txt",
        *(f"logs/{place}.txt" for place in places), *(f"rules/{place}.txt" for place in places[:3]),
    }  # fmt: skip
    assert "peer-sender: exited, exit 0, no health check, today" in files["containers.txt"]()
    assert "table inet igw" in files["rules/igw.txt"]()
    assert "== firewalld (status 127)\nnot found" in files["rules/igw.txt"]()
    assert files["logs/igw.txt"]() == "(at most 400 lines)"


@pytest.mark.req("R-0-failure-evidence")
def test_the_specs_message_is_followed_from_place_to_place() -> None:
    """From its marker at the sender and on the Dell to the gateway, which knows the queue id alone."""
    text = evidence.pytest_mailproof_evidence(ITEM, _failure())["logs/by-queue-id.txt"]()
    assert text.startswith(f"messages: {MARKER}\n")
    assert "== peer-sender\n" in text
    assert "== task-1-postfix\npostfix/smtpd[7]: proxy-accept" in text
    assert "== dell: postfix\npostfix/cleanup[1]" in text
    assert "== igw" not in text


@pytest.mark.req("R-0-failure-evidence")
def test_the_ledgers_part_about_the_spec_is_kept() -> None:
    """Its own messages with what their sender was told; their queue ids are followed, too."""

    def entry(spec: str, marker: str) -> SimpleNamespace:
        made = SimpleNamespace(recipient="a@example.net", reply="250 queued as 4cXyZ12abc")
        return SimpleNamespace(
            spec=spec, marker=marker, message_id=f"<{marker}@example.org>", sender="s@example.org",
            queue_id="4cXyZ12abc", recipients=("a@example.net",), outcome=SimpleNamespace(value="accepted"),
            handovers=[made],
        )  # fmt: skip

    world = SimpleNamespace(ledger=SimpleNamespace(entries=[entry(SPEC, "m1"), entry("another", "m2")]))
    item = cast(pytest.Item, SimpleNamespace(funcargs={"world": world}))
    files = evidence.pytest_mailproof_evidence(item, _failure())
    (kept,) = json.loads(files["ledger.json"]())
    assert (kept["marker"], kept["outcome"]) == ("m1", "accepted")
    assert kept["replies"] == ["a@example.net: 250 queued as 4cXyZ12abc"]
    assert files["logs/by-queue-id.txt"]().startswith(f"messages: 4cXyZ12abc, m1, {MARKER}\n")


@pytest.mark.req("R-0-failure-evidence")
@pytest.mark.parametrize("layer", ["unit", "integration", "meta"])
def test_other_layers_have_no_world(layer: str) -> None:
    """A warm world is nothing to a spec that never looked at it."""
    assert evidence.pytest_mailproof_evidence(ITEM, _failure(layer)) == {}


@pytest.mark.req("R-0-evidence-without-secrets")
def test_the_worlds_secrets_are_known() -> None:
    """The users' passwords, SendGrid's key, the run's private keys, and what the Dell made for itself."""
    assert evidence.pytest_mailproof_secrets(_failure()) == [
        "pass-word-1", "SG-key-value", "the CA's key", "made-by-the-dell",
    ]  # fmt: skip


@pytest.mark.req("R-0-evidence-without-secrets")
def test_a_stopped_dell_keeps_its_secrets_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it cannot tell them to anybody else either; one that runs and does not answer is an error."""
    monkeypatch.setattr(evidence, "labelled_containers", lambda: [Place("dell", status="exited")])
    assert "made-by-the-dell" not in evidence.pytest_mailproof_secrets(_failure())

    def refuses(_: Place, argv: Sequence[str]) -> Result:
        return Result(tuple(argv), 1, "", "no such file")

    monkeypatch.setattr(evidence, "execute", refuses)
    monkeypatch.setattr(evidence, "labelled_containers", lambda: [Place("dell")])
    with pytest.raises(RuntimeError, match="no such file"):
        evidence.pytest_mailproof_secrets(_failure())
