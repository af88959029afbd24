"""A host is held against the repository file by file, and against the record image by image."""

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.gate import host
from fixtures.gate.answer import CallError
from fixtures.gate.host_facts import SCRIPT, SilentHostError, arguments, ask
from tests.unit.gate.deployed import DOCKER, NEEDED, SECRET, Deployed

pytestmark = pytest.mark.req("R-0-gate-host")


def _append(name: str, text: str) -> Callable[[Deployed], object]:
    def act(deployed: Deployed) -> None:
        with (deployed.host / name).open("a") as stream:
            stream.write(text)

    return act


def _without(name: str) -> Callable[[Deployed], object]:
    def act(deployed: Deployed) -> None:
        path = deployed.host / ".env"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith(f"{name}=")))

    return act


def _linked(deployed: Deployed) -> None:
    path = deployed.host / "docker-compose.yml"
    path.unlink()
    path.symlink_to(deployed.root / "compose/docker-compose.yml")


CHANGES: dict[str, tuple[Callable[[Deployed], object], str]] = {
    "one byte": (
        lambda d: (d.host / "config/nginx/nginx.conf").write_text("listen 444;\n"),
        "config/nginx/nginx.conf has another content",
    ),
    "missing": (lambda d: (d.host / "scripts/add-user.sh").unlink(), "scripts/add-user.sh is missing"),
    "too much": (
        lambda d: (d.host / "config/nginx/more.conf").write_text("listen 80;\n"),
        "config/nginx/more.conf is there too much",
    ),
    "mode": (
        lambda d: (d.host / "scripts/add-user.sh").chmod(0o777),
        "scripts/add-user.sh has mode 777 instead of 755",
    ),
    "a link": (_linked, "docker-compose.yml is no plain file (type l)"),
    "a variable less": (_without("ADMIN_EMAIL"), ".env does not set ADMIN_EMAIL"),
    "a variable more": (
        _append(".env", "COMPOSE_FILE=/tmp/other.yml\n"),
        f".env, line {len(NEEDED) + 4}, sets nothing that .env.example knows",
    ),
    "another image": (
        lambda d: d.container("postfix", "sha256:9999", "another"),
        "postfix runs image mailproof/postfix:postfix-1 (9999), "
        "proved was mailproof/postfix:postfix-1 (postfix1)",
    ),
    "stopped": (lambda d: d.container("redis", state="exited"), "redis is exited"),
    "no container": (lambda d: (d.state / "containers/redis").unlink(), "redis has no container"),
    "one more": (lambda d: d.container("adminer"), "adminer runs, and is none of the nine services"),
    "older": (
        lambda d: d.container("nginx", started="2001-02-03T04:05:06.123456789Z"),
        "nginx was started before its config/nginx/nginx.conf came",
    ),
}  # fmt: skip


def test_what_is_deployed_as_it_was_proved_is_the_same(deployed: Deployed) -> None:
    """Data, logs, locks, users, key and values are the host's own and do not count."""
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs, answer.unknown) == ("same", (), ())
    assert answer.notes == ("7 files on ssh://root@mailserver",)


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference_is_named_and_no_other(deployed: Deployed, change: str) -> None:
    """One thing is changed, and exactly that is told."""
    act, told = CHANGES[change]
    act(deployed)
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs, answer.unknown) == ("differs", (told,), ())


def test_a_host_with_nothing_on_it_differs(deployed: Deployed) -> None:
    """No folder is no deployment."""
    deployed.host.rename(deployed.host.with_name("elsewhere"))
    answer = deployed.answers("host")["host"]
    assert answer.differs == (f"there is no {deployed.host} on ssh://root@mailserver: nothing is deployed",)


def test_an_image_in_another_kind_of_store_is_the_same_image(deployed: Deployed) -> None:
    """Its id is another one there, its content is not."""
    deployed.container("postfix", "sha256:9999", "postfix")
    assert deployed.answers("host")["host"].state == "same"


def test_without_a_record_no_image_is_called_proved(deployed: Deployed) -> None:
    """The files can still be compared: a changed one is told."""
    deployed.record.unlink()
    assert deployed.answers("host")["host"].state == "could not tell"
    CHANGES["one byte"][0](deployed)
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs) == ("differs", ("config/nginx/nginx.conf has another content",))
    assert "no green run is recorded" in answer.unknown[0]


def test_an_engine_that_does_not_answer_is_not_the_same(deployed: Deployed) -> None:
    """Nor different: nothing is known of its containers."""
    deployed.say("no-docker")
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert answer.unknown == ("Docker does not answer: Cannot connect to the Docker daemon",)


def test_a_deployment_that_is_under_way_is_waited_out(deployed: Deployed) -> None:
    """What lies there in the middle of one is of no release."""
    (deployed.host / ".former").mkdir()
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert answer.unknown == ("a deployment is under way here, or was cut off",)


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


def test_what_the_host_says_cannot_act_on_the_terminal(deployed: Deployed) -> None:
    """A file's name is anybody's text."""
    (deployed.host / "config/nginx/\x1b[2J\nVERIFIED").write_text("")
    answer = deployed.answers("host")["host"]
    assert answer.state == "differs"
    assert [line for line in answer.lines() if "VERIFIED" in line] == [
        "  differs: config/nginx/?[2J?VERIFIED is there too much"
    ]


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


def test_the_worlds_own_variables_are_those_that_a_host_needs(deployed: Deployed) -> None:
    """And the example's may be set, too."""
    needed, known = host.variables(Path(deployed.root))
    assert needed == set(NEEDED)
    assert {"BACKUP_RECIPIENT", "ALERT_SNS_TOPIC_ARN"} <= known
