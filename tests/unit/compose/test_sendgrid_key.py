"""The SendGrid key: its way from Secrets Manager to Postfix, and what keeps the former one (design 6.1.3)."""

import stat
import subprocess
from pathlib import Path

import pytest

from tests.unit.compose.conf import COMPOSE
from tests.unit.compose.owner import ENV, Site

KEY = "SG.new-id.new_secret"
LINE = f"[smtp.sendgrid.net]:587 apikey:{KEY}\n"
FORMER = "[smtp.sendgrid.net]:587 apikey:SG.old.key\n"
ANSWERED = "exec -i mailserver-postfix smarthost-key try"
USED = ["exec mailserver-postfix smarthost-key", "exec mailserver-postfix postfix reload"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose secret holds a new key, and which sends with another one."""
    made = Site(tmp_path)
    _file(made).write_text(FORMER)
    _file(made).chmod(0o600)
    Path(f"{made.log}.secret").write_text(f"{KEY}\n")
    return made


def _file(site: Site) -> Path:
    return site.root / "config/postfix/sasl_passwd"


@pytest.mark.req("R-6.1.3-fetch-key")
def test_the_secrets_key_is_written_for_root_alone_and_used(site: Site) -> None:
    """Asked about first, mode 600, Postfix told; no argument and nothing printed has the key (F34, F35)."""
    done = site.run("fetch-sendgrid-key.sh", "--region", "ap-northeast-1")
    assert done.returncode == 0, done.stderr
    assert _file(site).read_text() == LINE
    assert stat.S_IMODE(_file(site).stat().st_mode) == 0o600
    asked, *told = site.calls()
    assert "--region ap-northeast-1 secretsmanager get-secret-value" in asked
    assert told == [ANSWERED, *USED, "exec mailserver-postfix postqueue -f"]
    assert Path(f"{site.log}.tried").read_text() == f"{KEY}\n"
    assert KEY not in done.stdout + done.stderr + "".join(site.calls())
    assert sorted(path.name for path in _file(site).parent.iterdir()) == ["sasl_passwd"]


@pytest.mark.req("R-6.1.3-fetch-key")
@pytest.mark.parametrize(
    ("secret", "answer", "why"),
    [
        (None, "0", "cannot be read"),
        ("", "0", "no SendGrid key"),
        ("None", "0", "no SendGrid key"),
        (f"{KEY}\nand more", "0", "no SendGrid key"),
        (f"{KEY} [other.example.net]:587", "0", "no SendGrid key"),
        (KEY, "1", "SendGrid refuses the key"),
        (KEY, "2", "could not be asked"),
        (KEY, "125", "could not be asked"),
    ],
)
def test_without_a_key_that_works_the_former_one_stays(
    site: Site, secret: str | None, answer: str, why: str
) -> None:
    """No secret, an empty one, something else in it, refused or not to be tried: Postfix hears nothing."""
    path = Path(f"{site.log}.secret")
    path.unlink() if secret is None else path.write_text(secret)
    Path(f"{site.log}.try").write_text(answer)
    done = site.run("fetch-sendgrid-key.sh")
    assert done.returncode == 1
    assert why in done.stderr
    assert "the key that is in use stays in use" in done.stderr
    assert _file(site).read_text() == FORMER
    assert [call for call in site.calls() if call in USED] == []
    assert KEY not in done.stdout + done.stderr


@pytest.mark.req("R-6.1.3-fetch-key")
def test_the_same_key_again_changes_nothing(site: Site) -> None:
    """Neither the file nor the queue is touched; Postfix is told, should the last run have been cut off."""
    assert site.run("fetch-sendgrid-key.sh").returncode == 0
    written = _file(site).stat().st_mtime_ns
    before = len(site.calls())
    done = site.run("fetch-sendgrid-key.sh")
    assert (done.returncode, "in use already" in done.stdout) == (0, True)
    assert _file(site).stat().st_mtime_ns == written
    assert site.calls()[before + 1 :] == USED


@pytest.mark.req("R-6.1.3-fetch-key")
def test_a_postfix_that_cannot_be_told_is_no_success(site: Site) -> None:
    """The key is there and not in use: the caller hears it, and the next run completes it."""
    Path(f"{site.log}.refuse").touch()
    done = site.run("fetch-sendgrid-key.sh")
    assert (done.returncode, "until this is run again" in done.stderr) == (1, True)
    Path(f"{site.log}.refuse").unlink()
    assert site.run("fetch-sendgrid-key.sh").returncode == 0
    assert site.calls()[-2:] == USED


@pytest.mark.req("R-6.1.3-fetch-key")
def test_a_key_in_env_that_no_longer_counts_is_named(site: Site) -> None:
    """An owner who changes it there later would wait for an effect; its value is not shown."""
    assert "not used any more" not in site.run("fetch-sendgrid-key.sh").stdout
    (site.root / ".env").write_text(ENV.replace("SENDGRID_API_KEY=''", "SENDGRID_API_KEY='SG.env.key'"))
    _file(site).unlink()
    done = site.run("fetch-sendgrid-key.sh")
    assert "SENDGRID_API_KEY in .env is not used any more" in done.stdout
    assert "SG.env.key" not in done.stdout + done.stderr


@pytest.mark.req("R-6.1.3-fetch-key")
@pytest.mark.parametrize("arguments", [(KEY,), ("--key", KEY), ("--secret",), ("--region", "")])
def test_a_wrong_call_of_the_fetcher_asks_nobody(site: Site, arguments: tuple[str, ...]) -> None:
    """Least of all with the key as an argument, which is not repeated."""
    done = site.run("fetch-sendgrid-key.sh", *arguments)
    assert (done.returncode, site.calls()) == (2, [])
    assert KEY not in done.stderr


class Inside:
    """The image's program in a folder that stands for the container's root."""

    def __init__(self, root: Path) -> None:
        self.fetched = root / "etc/mailserver/postfix/sasl_passwd"
        self.secret = root / "run/secrets/sendgrid_api_key"
        self.in_use = root / "etc/postfix/sasl_passwd"
        for path in (self.fetched, self.secret, self.in_use):
            path.parent.mkdir(parents=True)
        text = (COMPOSE / "images/postfix/smarthost-key").read_text()
        self._program = root / "smarthost-key"
        self._program.write_text(text.replace("=/etc/", f"={root}/etc/").replace("=/run/", f"={root}/run/"))

    def run(self) -> "subprocess.CompletedProcess[str]":
        """Run it as the entrypoint does."""
        environment = {"PATH": "/usr/bin:/bin", "SMARTHOST": "[smtp.sendgrid.net]:587"}
        return subprocess.run(
            ["bash", str(self._program)], env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    """A container without any key."""
    return Inside(tmp_path)


@pytest.mark.req("R-4.2-key-roots-alone", "R-6.1.3-levels")
def test_both_levels_end_in_a_file_for_root_alone(inside: Inside) -> None:
    """The key of .env; the fetched one goes before it; level 1 again when that is deleted (design 6.1.3)."""
    inside.secret.write_text("SG.env.key")
    assert inside.run().returncode == 0
    assert inside.in_use.read_text() == "[smtp.sendgrid.net]:587 apikey:SG.env.key\n"
    assert stat.S_IMODE(inside.in_use.stat().st_mode) == 0o600
    inside.fetched.write_text(LINE)
    inside.fetched.chmod(0o644)
    assert inside.run().returncode == 0
    assert inside.in_use.read_text() == LINE
    assert stat.S_IMODE(inside.in_use.stat().st_mode) == 0o600
    inside.fetched.unlink()
    assert inside.run().returncode == 0
    assert inside.in_use.read_text().endswith("SG.env.key\n")


@pytest.mark.req("R-6.1.3-levels")
def test_without_a_key_of_the_smarthosts_the_start_fails(inside: Inside) -> None:
    """Rather than let all outgoing mail wait for days: no key at all, or one for another host."""
    done = inside.run()
    assert (done.returncode, "wait forever" in done.stderr) == (1, True)
    inside.secret.write_text("SG.env.key")
    inside.fetched.write_text(LINE.replace("sendgrid", "elsewhere"))
    done = inside.run()
    assert (done.returncode, "has no key for [smtp.sendgrid.net]:587" in done.stderr) == (1, True)
    assert not inside.in_use.exists()
    inside.fetched.write_text(LINE)
    assert inside.run().returncode == 0
