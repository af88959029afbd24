"""The running world described as staging is: by a file that a process without Docker can use."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from fixtures.authority import Authority
from fixtures.targets.capability import Capability, Change
from fixtures.targets.deployed import Deployed
from fixtures.targets.file import load_target
from fixtures.world.as_target import described
from fixtures.world.images import ROOT
from fixtures.world.state import WorldState

pytestmark = pytest.mark.req("R-0-world-as-target")

SECRET = "a\"b\\c'd$(e)"
STATE = WorldState(
    world="abc",
    vantages={"internet-host": 4001, "tailnet-pc": 4002, "tailnet-phone": 4003, "lan-host": 4004},
    ports={},
    dell_address="100.64.0.1",
    passwords={"alice@kuma8088.com": SECRET, "bob@kuma8088.com": "other"},
    images={},
    sendgrid_key="",
    fargate_pid=1,
)


@pytest.fixture
def text(tmp_path: Path) -> str:
    """The target file, written beside a world's own file and its CA."""
    (tmp_path / "world.json").write_text(json.dumps(asdict(STATE)), encoding="utf-8")
    (tmp_path / "ca.crt").write_bytes(Authority.create().certificate_pem)
    return described(STATE, tmp_path / "world.json", tmp_path / "ca.crt", ROOT / "site.toml")


def test_it_is_a_good_target_file(tmp_path: Path, text: str) -> None:
    """With the places that there are, their proxies, the run's CA, and every user as a test account."""
    (tmp_path / "world.toml").write_text(text, encoding="utf-8")
    target = Deployed(load_target("world", tmp_path))
    assert target.capabilities == {
        Capability.INTERNET, Capability.TAILNET, Capability.LAN, Capability.ACCOUNTS,
    }  # fmt: skip
    assert target.allowed == {Change.LOAD}
    assert (target.vantage("internet-host").port, target.vantage("tailnet-pc").port) == (4001, 4002)
    assert target.ca == (tmp_path / "ca.crt").read_bytes()
    assert dict(target.passwords) == STATE.passwords


def test_it_holds_no_password_and_names_no_container(text: str) -> None:
    """Whoever has the file alone has no login."""
    assert text.count("password_command") == len(STATE.passwords)
    assert [password for password in STATE.passwords.values() if f'"{password}"' in text] == []
    assert "docker" not in text
