"""A host is asked once, by ssh that asks nothing back; what it does not say is not made up."""

import os
import subprocess
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.gate.answer import CallError
from fixtures.gate.host_facts import SCRIPT, SilentHostError, arguments, ask
from tests.unit.gate.deployed import DOCKER, SECRET, Deployed

pytestmark = pytest.mark.req("R-0-gate-host")

REFUSALS = {
    "ssh: connect to host mailserver port 22: Connection timed out": "works without a question",
    "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.": "whose key it is",
    "root@mailserver: Permission denied (publickey).": "a key that the host admits",
    "sudo: a password is required": "passwordless sudo",
}


@pytest.mark.parametrize("said", REFUSALS)
def test_a_host_that_cannot_be_asked_is_said_with_the_next_step(deployed: Deployed, said: str) -> None:
    """ssh's last line, and what to do about it; a host that answers is the control above."""
    deployed.say("refuses", f"{said}\n")
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert said.splitlines()[-1] in answer.unknown[0]
    deployed.say("refuses", f"{said}\nConnection closed\n")
    again = deployed.answers("host")["host"]
    assert (said.splitlines()[-1] in again.unknown[0]) == ("timed out" not in said)
    assert REFUSALS[said] in answer.unknown[0].partition("next step: ")[2]


@pytest.mark.parametrize("cut", [0, 100, -1])
def test_an_answer_that_is_cut_off_is_none(deployed: Deployed, cut: int) -> None:
    """What was not heard is neither missing nor the same."""
    assert deployed.answers("host")["host"].state == "same"
    deployed.say("cut", str(cut if cut >= 0 else len((deployed.state / "said").read_bytes()) - 4))
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs) == ("could not tell", ())


def test_a_host_that_hangs_is_given_up(deployed: Deployed) -> None:
    """Within the limit."""
    deployed.say("slow")
    with pytest.raises(SilentHostError, match=r"did not answer within 0\.5 s"):
        ask("mailserver", str(deployed.host), [], limit=timedelta(seconds=0.5))


def test_it_is_one_call_that_asks_nothing_and_trusts_no_new_key(deployed: Deployed) -> None:
    """BatchMode, no password, the host key checked; the engine is asked and never told."""
    before = {path: path.lstat().st_mtime_ns for path in deployed.host.rglob("*")}
    assert deployed.answers("host")["host"].state == "same"
    [call] = [line for line in deployed.heard("ssh").splitlines() if line.startswith("-T")]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "PasswordAuthentication=no"):
        assert f"-o {option}" in call
    assert set(deployed.heard("docker").splitlines()) == {"ps --all", "inspect --format", "image inspect"}
    assert {path: path.lstat().st_mtime_ns for path in deployed.host.rglob("*")} == before


def test_another_account_becomes_root_without_a_password(deployed: Deployed) -> None:
    """By sudo -n; where that is not allowed nothing is told."""
    deployed.say("uid", "1000")
    assert deployed.answers("host")["host"].state == "same"
    deployed.say("no-sudo")
    assert deployed.answers("host")["host"].state == "could not tell"


@pytest.mark.req("R-0-gate-no-secrets")
def test_no_value_of_env_leaves_the_host(deployed: Deployed) -> None:
    """Its names do; a line that is no assignment is told by its number."""
    with (deployed.host / ".env").open("a") as stream:
        stream.write("-----BEGIN\nSGVsbG8=\nMFRGG===\n")
    answer = deployed.answers("host")["host"]
    said = deployed.heard("said")
    assert "variable MYSQL_PASSWORD\0" in said
    for secret in (SECRET, "BEGIN", "SGVsbG8", "MFRGG"):
        assert secret not in said + str(answer)
    assert len(answer.differs) == 3


@pytest.mark.req("R-0-gate-no-secrets")
@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_whatever_stands_in_env_is_told_by_known_names_and_numbers(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Any text: each fact of it is the name that was asked for, or the number of a line."""
    folder = tmp_path_factory.mktemp("host")
    programs = tmp_path_factory.mktemp("bin")
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    (programs / "state/containers").mkdir(parents=True)
    (folder / ".env").write_text(text + "\nKNOWN=value\n", newline="")
    done = subprocess.run(
        ["bash", "-s", "--", str(folder), "x", "KNOWN"],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "STATE": str(programs / "state")},
        input=SCRIPT.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    facts = done.stdout.decode().split("\0")
    about = [fact for fact in facts if not fact.startswith(("file ", "folder", "end")) and fact]
    assert "variable KNOWN" in about
    lines = text.count("\n") + 2
    assert set(about) - {"variable KNOWN"} <= {f"unknown {number}" for number in range(1, lines + 1)}


@pytest.mark.parametrize(
    "address",
    ["http://mailserver", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://root:pw@mailserver", "ssh://", "h:x"],
)
def test_what_is_no_ssh_address_is_refused_with_the_next_step(address: str) -> None:
    """Before anything is run; a good one is the control."""
    with pytest.raises(CallError, match="--host") as caught:
        arguments(address)
    assert "ssh://root@mailserver" in caught.value.next_step
    assert arguments("ssh://root@mailserver")[-2:] == ["--", "root@mailserver"]


def test_port_and_ssh_config_go_to_ssh() -> None:
    """As testinfra writes them."""
    argv = arguments("ssh://root@mailserver:2222?ssh_config=/tmp/config")
    assert argv[-4:] == ["-p", "2222", "--", "root@mailserver"]
    assert argv[2:4] == ["-F", "/tmp/config"]
