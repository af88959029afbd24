"""The simulator's configuration, its status log, and what it puts into containers."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from fixtures.aws.fargate.config import Config
from fixtures.aws.fargate.handling import archive, attempt
from fixtures.aws.fargate.hooks import StatusLog

pytestmark = pytest.mark.req("R-0-fargate-config")

NEEDED = {
    "moto_url": "http://127.0.0.1:1",
    "localstack_url": "http://127.0.0.1:2",
    "region": "ap-northeast-1",
    "cluster": "c",
    "services": ["s"],
    "toolbox_image": "t",
    "log_file": "/tmp/f.jsonl",
    "resolver": "10.0.0.2",
}


def test_what_is_needed_suffices() -> None:
    """The rest has defaults: the world's own network and gateway, no DNS hook, the real CPU limit."""
    config = Config.model_validate_json(json.dumps(NEEDED))
    assert (config.network, config.igw_place, config.dns_place) == ("mailproof-net-vpc", "igw", None)
    assert config.cpu_scale == 1.0


@pytest.mark.parametrize(
    "change", [{"netwrok": "x"}, {"services": []}, {"cpu_scale": 0}, {"shutdown_grace": -1}, {"region": None}]
)
def test_what_cannot_be_meant_is_refused(change: dict[str, object]) -> None:
    """Misspelt keys and impossible values are errors, not surprises."""
    with pytest.raises(ValidationError):
        Config.model_validate_json(json.dumps(NEEDED | change))


def test_an_archive_holds_the_file_and_its_folders() -> None:
    """Readable by everybody, at its full path."""
    with tarfile.open(fileobj=io.BytesIO(archive("run/mailproof/ca.crt", b"pem"))) as tar:
        assert tar.getnames() == ["run", "run/mailproof", "run/mailproof/ca.crt"]
        member = tar.extractfile("run/mailproof/ca.crt")
        assert member is not None
        assert member.read() == b"pem"
        assert oct(tar.getmember("run/mailproof/ca.crt").mode) == "0o644"


def test_the_status_log_is_one_object_a_line(tmp_path: Path) -> None:
    """Also after its end nothing breaks: late threads may still speak."""
    log = StatusLog(tmp_path / "deep" / "f.jsonl")
    log.write("trouble", message="two\nlines")
    log.close()
    log.write("late")
    (line,) = (tmp_path / "deep" / "f.jsonl").read_text().splitlines()
    assert json.loads(line)["message"] == "two\nlines"


def test_a_clean_up_step_tells_its_problem() -> None:
    """A problem is returned, not raised, so that the other steps follow."""

    def fail() -> None:
        raise OSError("disk on fire")

    assert attempt(fail) == "disk on fire"
    assert attempt(lambda: None) is None
