"""A small set of results with one of everything, and a sender that tries to break the page."""

import copy
import json
from pathlib import Path
from typing import Any

HOSTILE = "<script>document.title='taken'</script><img src=https://example.net/x.png onerror=alert(1)>"

CATALOGUE = """
[[requirement]]
id = "R-4.2-relay"
section = "4.2"
text = "A foreign recipient is refused from every vantage."
findings = ["F12"]
layers = ["e2e"]
severity = "loss"

[[requirement]]
id = "R-10.1-one-root"
section = "10.1"
text = "All data lies below one root."
layers = ["unit", "e2e"]
severity = "start"

[[requirement]]
id = "R-9.3-backup"
section = "9.3"
text = "A backup restores every mailbox."
layers = ["e2e"]
severity = "loss"
open = "backups are proven by later work"
"""


def _spec(name: str, outcome: str, *requirements: str, reason: str | None = None) -> dict[str, Any]:
    return {
        "id": f"tests/{name}",
        "requirements": list(requirements),
        "outcome": outcome,
        "seconds": 0.5,
        "reason": reason,
        "evidence": None,
    }


def _layer(name: str, *specs: dict[str, Any]) -> dict[str, Any]:
    started = "2026-01-01T10:00:00Z"
    return {"layer": name, "started": started, "seconds": 12.0, "complete": True, "specs": list(specs)}


_UNIT = _layer("unit", _spec("unit/test_b.py::test_root", "passed", "R-10.1-one-root"))
_E2E = _layer(
    "e2e",
    _spec("e2e/test_a.py::test_relay", "passed", "R-4.2-relay"),
    _spec("e2e/test_a.py::test_root", "passed", "R-10.1-one-root"),
    _spec("e2e/test_a.py::test_other", "skipped", reason="needs a live host"),
)

_MESSAGE = {
    "marker": "m1",
    "message_id": "<1@example.org>",
    "sender": HOSTILE,
    "recipients": ["alice@example.net"],
    "outcome": "accepted",
    "queue_id": "4XyZ",
    "replies": [[250, "2.0.0 Ok: queued as 4XyZ"]],
    "expected": "mailbox",
    "found": ["alice@example.net INBOX"],
    "hops": [
        {"by": "mail.example.net", "from": "mx.example.net", "at": "2026-01-01T10:00:03+00:00"},
        {"by": "mx.example.net", "from": "host.example.org", "at": "2026-01-01T19:00:01+09:00"},
        {"by": "dovecot", "from": None, "at": None, "queue_id": None},
    ],
    "spec": "tests/e2e/test_a.py::test_relay",
}

_MUTANT = {
    "name": "relay-opened",
    "breaks": "R-4.2-relay",
    "outcome": "killed",
    "seconds": 4.0,
    "by": ["tests/e2e/test_a.py::test_relay"],
    "why": None,
}

_SOURCES = ("lan-host", "internet-host", "internet-host-2", "vpc-neighbour", "tailnet-pc", "tailnet-phone")
_CELLS = [
    {
        "source": source,
        "destination": "the Dell, 192.168.1.39",
        "port": port,
        "protocol": "tcp",
        "expected": "closed",
        "measured": "filtered",
        "spec": "tests/e2e/test_p.py::test_closed",
    }
    for source in _SOURCES
    for port in (22, 25, 443, 587, 993, 995, 2525)
]

_TOPOLOGY = {
    "places": [
        {
            "name": "igw",
            "kind": "router",
            "addresses": ["198.18.0.1", "10.0.1.1"],
            "networks": ["internet", "vpc"],
            "image": "mailproof/router",
            "status": "running",
        },
        {"name": "internet-host", "kind": "vantage", "addresses": ["198.18.3.1"], "networks": ["internet"]},
    ],
    "networks": [{"name": "internet", "subnet": "198.18.0.0/16"}, {"name": "vpc", "subnet": "10.0.0.0/16"}],
    "routes": [{"place": "internet-host", "to": "default", "via": "198.18.0.1"}],
}

_VERSIONS = {
    "commit": "0123456789abcdef",
    "dirty": False,
    "images": {"postfix": "mailproof/postfix:1"},
    "packages": {"pytest": "9.0"},
    "python": "3.11.7",
}

RESULTS: dict[str, Any] = {
    "specs-e2e.json": _E2E,
    "specs-unit.json": _UNIT,
    "ledger.json": {"totals": {"sent": 1, "accepted": 1, "refused": 0}, "faults": [], "messages": [_MESSAGE]},
    "mutants.json": {"mutants": [_MUTANT]},
    "reachability.json": {"cells": _CELLS},
    "topology.json": _TOPOLOGY,
    "latency.json": {
        "messages": 40,
        "rows": [
            {"system": "the system", "hop": "total", "p50": 0.366, "p99": 2.053},
            {"system": "a plain pair", "hop": "total", "p50": 0.177, "p99": 0.825},
        ],
    },
    "phases.json": {"phases": [{"name": "images", "seconds": 20.0}, {"name": "specs", "seconds": 12.0}]},
    "versions.json": _VERSIONS,
}


def sample() -> dict[str, Any]:
    """A copy that a spec may change."""
    return copy.deepcopy(RESULTS)


def save(results: dict[str, Any], folder: Path, catalogue: str = CATALOGUE) -> Path:
    """Write results and catalogue into ``folder``; returns the catalogue's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in results.items():
        (folder / name).write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
    path = folder / "requirements.toml"
    path.write_text(catalogue, encoding="utf-8")
    return path
