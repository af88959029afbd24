"""A host is held against the repository file by file, and against the record image by image."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.gate import host
from tests.unit.gate.deployed import NEEDED, Deployed

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


def test_an_image_that_the_record_does_not_have_is_not_the_same(deployed: Deployed) -> None:
    """Of the nine, each has to be in it; a record with one less is the only change."""
    images = json.loads(deployed.record.read_text())["images"]
    deployed.prove(images={name: image for name, image in images.items() if name != "redis"})
    answer = deployed.answers("host")["host"]
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert answer.unknown == ("which image of redis was proved: the record has none",)
    deployed.prove(images=images)
    assert deployed.answers("host")["host"].state == "same"


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


def test_what_the_host_says_cannot_act_on_the_terminal(deployed: Deployed) -> None:
    """A file's name is anybody's text."""
    (deployed.host / "config/nginx/\x1b[2J\nVERIFIED").write_text("")
    answer = deployed.answers("host")["host"]
    assert answer.state == "differs"
    assert [line for line in answer.lines() if "VERIFIED" in line] == [
        "  differs: config/nginx/?[2J?VERIFIED is there too much"
    ]


def test_the_worlds_own_variables_are_those_that_a_host_needs(deployed: Deployed) -> None:
    """And the example's may be set, too."""
    needed, known = host.variables(Path(deployed.root))
    assert needed == set(NEEDED)
    assert {"BACKUP_RECIPIENT", "ALERT_SNS_TOPIC_ARN"} <= known
