"""Users and domains come and go by script: nobody's mail is lost unsaid, a broken run is made up for."""

import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.wait import wait_for
from tests.unit.compose.owner import ENV, HASH, PASSWORD, Site

ALICE, BOB = "alice@one.example.org", "bob@two.example.org"
ARGON = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$AGazWqirTKxRCiR7xVDMEQ$SgJDhnnpb70hPXyZmU23xldSrRbnYxtk"
SCRIPTS = (
    "add-user.sh", "remove-user.sh", "add-domain.sh", "remove-domain.sh", "check-users.sh",
    "fetch-sendgrid-key.sh",
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder with two domains and no users."""
    return Site(tmp_path)


def _env(site: Site) -> str:
    return (site.root / ".env").read_text()


@pytest.mark.req("R-6.3-scripts-explain")
@pytest.mark.parametrize("script", SCRIPTS)
def test_help_changes_nothing(site: Site, script: str) -> None:
    """Each says how it is called and what its exit status means, and asks nobody."""
    before = sorted(site.root.rglob("*"))
    done = site.run(script, "--help")
    assert (done.returncode, site.calls(), sorted(site.root.rglob("*"))) == (0, [], before)
    assert f"usage: {script}" in done.stdout
    assert "Exit status: 0" in done.stdout


@pytest.mark.req("R-6.3-scripts-explain")
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_wrong_call_changes_nothing(site: Site, script: str) -> None:
    """Too many words, or one that means nothing there."""
    done = site.run(script, "--surely", "x", "y", said=f"{PASSWORD}\n")
    assert (done.returncode, site.calls(), site.users.exists(), _env(site)) == (2, [], False, ENV)


@pytest.mark.req("R-4.1-modern-hashes")
def test_a_password_of_little_cost_is_not_kept(site: Site) -> None:
    """Should doveadm ever give another hash than the one asked for, the user is not made."""
    (site.root / "bin/docker").write_text(
        f"#!/bin/sh\ncat >/dev/null; echo '{HASH.replace('$10$', '$05$')}'\n"
    )
    assert (site.add(ALICE), site.users.exists()) == (1, False)
    (site.root / "bin/docker").write_text(f"#!/bin/sh\ncat >/dev/null; echo '{HASH}'\n")
    assert (site.add(ALICE), site.users.exists()) == (0, True)


@pytest.mark.req("R-7.1-removed-at-once")
def test_a_new_user_is_set_up_when_dovecot_knows_him(site: Site) -> None:
    """Dovecot looks at the file once a second at most; mail for him would be refused until then."""
    Path(f"{site.log}.stale").touch()
    assert site.add(ALICE) == 0
    assert site.calls()[-2:] == [f"exec mailserver-dovecot doveadm user {ALICE}"] * 2


@pytest.mark.req("R-7.1-removed-at-once")
def test_each_change_is_of_another_second(site: Site) -> None:
    """Dovecot takes a file whose time is the same, in whole seconds, for the one that it has read."""
    times = []
    for address in (ALICE, BOB, "carol@one.example.org"):
        assert site.add(address) == 0
        times.append(int(site.users.stat().st_mtime))
    assert site.run("remove-user.sh", BOB).returncode == 0
    times.append(int(site.users.stat().st_mtime))
    assert times == sorted(set(times))


@pytest.mark.req("R-7.1-leavers-mail-kept")
def test_a_leavers_mail_is_kept_and_his_successor_hears_of_it(site: Site) -> None:
    """The folder stays and is named; whoever gets the address anew is told that it is there."""
    folder = site.root / "data/mail/one.example.org/alice"
    folder.mkdir(parents=True)
    (folder / "message").touch()
    assert "holds mail" in site.run("add-user.sh", ALICE, said=f"{PASSWORD}\n").stderr
    assert "holds mail" not in site.run("add-user.sh", ALICE, "--replace", said=f"{PASSWORD}\n").stderr
    assert "kept in data/mail/one.example.org/alice" in site.run("remove-user.sh", ALICE).stdout
    assert (folder / "message").exists()
    assert "holds mail" not in site.run("add-user.sh", BOB, said=f"{PASSWORD}\n").stderr


@pytest.mark.req("R-7.1-removed-at-once")
def test_a_removed_user_is_forgotten_by_both_servers(site: Site) -> None:
    """Open sessions end, Postfix forgets that he existed; so does a second run after a broken one."""
    told = [
        f"exec mailserver-dovecot doveadm user {ALICE}",
        f"exec mailserver-dovecot doveadm kick {ALICE}",
        "exec mailserver-postfix postfix reload",
    ]
    assert site.add(ALICE) == 0
    before = len(site.calls())
    Path(f"{site.log}.stale").touch()  # Dovecot has not looked at the file yet
    assert site.run("remove-user.sh", ALICE).returncode == 0
    assert site.calls()[before:] == [told[0], *told]
    before = len(site.calls())
    assert site.run("remove-user.sh", ALICE).returncode == 3
    assert site.calls()[before:] == told


@pytest.mark.req("R-7.1-leavers-mail-kept", "R-2.2-domain-by-script")
def test_a_domain_with_users_stays(site: Site) -> None:
    """Their mail would be refused; the users are named, and a namesake of another domain is none of them."""
    for address in (ALICE, BOB, "bob@one.example.org"):
        assert site.add(address) == 0
    done = site.run("remove-domain.sh", "two.example.org")
    assert (done.returncode, _env(site)) == (3, ENV)
    assert f"still has users, whose mail would be refused: {BOB};" in done.stderr
    assert site.run("remove-user.sh", BOB).returncode == 0
    assert site.run("remove-domain.sh", "two.example.org").returncode == 0
    assert "MAIL_ADDITIONAL_DOMAINS=''\n" in _env(site)
    assert site.calls()[-1].endswith("up -d --wait postfix")


@pytest.mark.req("R-2.2-domain-by-script")
def test_removing_a_domain_takes_that_one_alone(site: Site) -> None:
    """Neither the primary one nor a neighbour whose name contains it; secrets and the rest of .env stay."""
    for domain in ("three.example.org", "o.example.org"):
        assert site.run("add-domain.sh", domain).returncode == 0
    assert site.run("remove-domain.sh", "one.example.org").returncode == 3
    assert site.run("remove-domain.sh", "example.org").returncode == 3
    assert site.run("remove-domain.sh", "o.example.org").returncode == 0
    assert _env(site) == ENV.replace("two.example.org", "two.example.org three.example.org")
    assert (site.root / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.req("R-2.2-domain-by-script")
@pytest.mark.parametrize("script", ["add-domain.sh", "remove-domain.sh"])
def test_a_run_that_did_not_reach_postfix_is_completed_by_another(site: Site, script: str) -> None:
    """What .env says and what Postfix knows cannot stay apart: the second run tells Postfix again."""
    domain = "three.example.org" if script == "add-domain.sh" else "two.example.org"
    Path(f"{site.log}.refuse").touch()
    assert site.run(script, domain).returncode == 1
    Path(f"{site.log}.refuse").unlink()
    before = len(site.calls())
    assert site.run(script, domain).returncode == 3
    assert [call.endswith("up -d --wait postfix") for call in site.calls()[before:]] == [True]


@pytest.mark.req("R-6.3-scripts-interrupted")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_the_files_as_they_were(site: Site, number: signal.Signals) -> None:
    """Cut off while the new file is being written: the old one is whole, nothing lies beside it."""
    assert site.add(ALICE) == 0
    former = site.users.read_text()
    # The stand-in is slow where the new file is being made; it says when it has got there.
    slow = f'#!/bin/sh\n: >"{site.root}/reached"\nexec sleep 60\n'
    (site.root / "bin/sync").write_text(slow)
    (site.root / "bin/sync").chmod(0o755)
    process = _start(site, "add-user.sh", BOB)
    try:
        wait_for("the script to write", (site.root / "reached").exists, timeout=timedelta(seconds=20))
        os.killpg(process.pid, number)
        process.communicate(timeout=10)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode != 0
    assert site.users.read_text() == former
    assert [path.name for path in site.users.parent.iterdir()] == ["users"]
    (site.root / "bin/sync").unlink()
    assert site.add(BOB) == 0


@pytest.mark.req("R-6.3-scripts-interrupted")
def test_the_new_file_is_on_the_disk_before_it_counts(site: Site) -> None:
    """Without that a power cut may leave an empty file, and every user's mail would be refused for good."""
    assert site.add(ALICE) == 0
    (site.root / "bin/sync").write_text(
        f'#!/bin/sh\ncp "$1" "{site.root}/synced"; cp "{site.users}" "{site.root}/then"\n'
    )
    (site.root / "bin/sync").chmod(0o755)
    assert site.add(BOB) == 0
    assert (site.root / "synced").read_text() == site.users.read_text()
    assert (site.root / "then").read_text().count("\n") == 1


@pytest.mark.req("R-6.3-scripts-interrupted")
def test_two_changes_at_once_both_count(site: Site) -> None:
    """One waits for the other; neither writes the file without the other's user."""
    addresses = [f"user{number}@one.example.org" for number in range(8)]
    processes = [_start(site, "add-user.sh", address) for address in addresses]
    assert [process.wait(30) for process in processes] == [0] * len(addresses)
    assert sorted(line.partition(":")[0] for line in site.users.read_text().splitlines()) == addresses


def _start(site: Site, script: str, address: str) -> "subprocess.Popen[str]":
    """Start a script with a good password waiting for it, in a process group of its own."""
    environment = {"PATH": f"{site.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LOG": str(site.log)}
    process = subprocess.Popen(
        ["bash", str(site.root / "scripts" / script), address],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(f"{PASSWORD}\n")
    process.stdin.flush()
    return process


GOOD = (f"{ALICE}:{HASH}::::::", f"{BOB}:{ARGON}::::::", "# a remark", "")
REFUSED = {
    "plain text": f"carol@one.example.org:{{PLAIN}}{PASSWORD}::::::",
    "no scheme": f"carol@one.example.org:{PASSWORD}::::::",
    "a fast hash": "carol@one.example.org:{SHA512}gTWC4zrRTZXZK86MYcGQgw==::::::",
    "the old crypt": "carol@one.example.org:{CRYPT}$1$4Lr1p8Dh$Pd3mjXbYLYnXmG5xuJfGv1::::::",
    "bcrypt of doveadm's own cost": f"carol@one.example.org:{HASH.replace('$10$', '$05$')}::::::",
    "half a hash": f"carol@one.example.org:{HASH[:30]}::::::",
    "a login without a password": f"carol@one.example.org:{HASH}::::::nopassword=y",
    "a domain of others": f"carol@three.example.org:{HASH}::::::",
    "a password alone": PASSWORD,
}


@pytest.mark.req("R-4.1-modern-hashes")
@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_a_users_file_with_a_weak_line_is_refused(site: Site, line: str) -> None:
    """The line is named and nothing of a password shown; the good ones beside it are not blamed."""
    site.users.write_text("\n".join([*GOOD, line]))
    done = site.run("check-users.sh")
    assert done.returncode == 1
    assert f"line {len(GOOD) + 1}" in done.stderr
    assert "1 of the lines" in done.stderr
    assert ALICE not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert "$2y$" not in done.stderr


@pytest.mark.req("R-4.1-modern-hashes")
def test_what_the_scripts_write_is_taken(site: Site) -> None:
    """A file without users, none at all, and the one that add-user.sh has made."""
    assert site.run("check-users.sh").returncode == 0
    assert site.add(ALICE) == 0
    assert site.run("check-users.sh").returncode == 0
    site.users.write_text("\n".join(GOOD))
    assert site.run("check-users.sh", str(site.users)).returncode == 0
