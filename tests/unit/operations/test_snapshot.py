"""Mail that is copied while it arrives, is read, filed and deleted: each message once, none missing (9.2)."""

import random
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.operations.backups import ALICE, NEW, BackedUp, opened

pytestmark = pytest.mark.req("R-9.2-consistent")
RACE = """#!/bin/bash
if [[ "$*" == *--parents* ]] && [ -e "$LOG.race" ]; then
    cd "$(dirname "$LOG")/data/mail" && mv "$LOG.race" "$LOG.raced" && . "$LOG.raced"
    cd "$OLDPWD"
fi
exec /bin/cp "$@"
"""
LACK = """#!/bin/bash
if [[ "$*" == *%P* ]] && [ -e "$LOG.lack" ]; then
    mv "$LOG.lack" "$LOG.lacked"
    /usr/bin/find "$@" | grep -vF "$(cat "$LOG.lacked")"
    exit
fi
exec /usr/bin/find "$@"
"""
BOX = "one.example.org/alice/Maildir"
FIRST = f"{BOX}/cur/1.M1P1.mailserver,S=9"
LATEST = f"{BOX}/new/4.M1P1.mailserver"
SEEN = f"{BOX}/cur/4.M1P1.mailserver:2,S"
FILED = f"{BOX}/.Sent/cur/77.M1P1.mailserver,S=9:2,S"


@pytest.fixture
def site(tmp_path: Path) -> BackedUp:
    """A deployed folder, in which something happens between the first look at the mail and the first copy."""
    made = BackedUp(tmp_path)
    made.program("cp", RACE)
    return made


def _mail(site: BackedUp) -> dict[str, bytes]:
    """The messages in a new backup, by path."""
    members = opened(site.made())
    return {
        name.removeprefix("mail/"): content
        for name, content in members.items()
        if "/cur/" in name or "/new/" in name.removeprefix("mail/two.example.org/new/")
    }


@pytest.mark.parametrize(
    ("what", "path"),
    [
        (f"mv {FIRST}:2,S {FIRST}:2,FS", f"{FIRST}:2,FS"),
        (f"mv {LATEST} {SEEN}", SEEN),
        (f"mv {FIRST}:2,S {FILED}", FILED),
    ],
    ids=["flagged", "seen for the first time", "moved to another folder"],
)  # fmt: skip
def test_a_message_that_changes_its_place_is_there_once(site: BackedUp, what: str, path: str) -> None:
    """Its old name was listed and is gone: it is found under the new one."""
    site.set("race", what)
    text = (site.root / "data/mail" / what.split()[1]).read_bytes()
    mail = _mail(site)
    assert [name for name, content in mail.items() if content == text] == [path]
    assert len(mail) == 24
    assert Path(f"{site.log}.raced").exists()


def test_a_message_that_the_first_list_lacks_is_there(site: BackedUp) -> None:
    """The system may leave out of a list what is renamed while it is read."""
    site.set("lack", f"{FIRST}:2,S")
    site.program("find", LACK)
    mail = _mail(site)
    assert Path(f"{site.log}.lacked").exists()
    assert f"{FIRST}:2,S" in mail
    assert len(mail) == 24


def test_a_message_that_is_deleted_meanwhile_is_no_failure(site: BackedUp) -> None:
    """Nor is a folder; everything else is there."""
    site.set("race", f"rm {FIRST}:2,S; rm -r {BOX}/.Sent")
    mail = _mail(site)
    assert len(mail) == 24 - 1 - 4
    assert Path(f"{site.log}.raced").exists()


def test_a_copy_that_the_user_made_is_kept_beside_the_original(site: BackedUp) -> None:
    """Dovecot copies by a link, so both are one file; that is not the same as having been moved."""
    box = site.maildir(ALICE)
    original = box / "cur/1.M1P1.mailserver,S=9:2,S"
    (box / ".Sent/cur/88.M1P1.mailserver,S=9:2,S").hardlink_to(original)
    mail = _mail(site)
    assert len(mail) == 25
    assert f"{BOX}/.Sent/cur/88.M1P1.mailserver,S=9:2,S" in mail


def test_a_torn_line_of_the_uid_list_is_left_out(site: BackedUp) -> None:
    """Caught while Dovecot was adding it; the whole lines before it stay, and every message's file does."""
    box = site.maildir(ALICE)
    whole = (box / "dovecot-uidlist").read_bytes()
    (box / "dovecot-uidlist").write_bytes(whole + b"9 :9.M1P")
    members = opened(site.made())
    assert members[f"mail/{BOX}/dovecot-uidlist"] == whole
    assert members[f"mail/{BOX}/.Sent/dovecot-uidlist"] == whole


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_missing_whatever_users_do_meanwhile(site: BackedUp, seed: int) -> None:
    """Mail comes, is read, moved, flagged all the time: what was there before and still is, is there once."""
    box, folders, chance = site.maildir(NEW), ("", ".Sent"), random.Random(seed)
    lying = [box / folder / f"cur/{n}.x:2," for folder in folders for n in range(150)]
    for path in lying:
        path.write_text(f"message {path.parent.parent.name} {path.name}")
    texts = {path.read_text() for path in lying}
    over, changes = threading.Event(), Counter[str]()

    def users() -> None:
        here = list(lying)
        while not over.is_set():
            index = chance.randrange(len(here))
            changes["all"] += 1
            if chance.random() < 0.3:
                (box / "new" / f"late-{changes['all']}").write_text("late")
                continue
            folder = chance.choice(folders)
            flags = "".join(sorted(chance.sample("FRSTa", chance.randrange(4))))
            name = here[index].name.split(":")[0]
            if (box / folder / "cur") != here[index].parent:
                name = f"{name}.{changes['all']}"  # a message gets another name when it is moved
            here[index] = here[index].rename(box / folder / "cur" / f"{name}:2,{flags}")
            over.wait(0.02)

    thread = threading.Thread(target=users)
    thread.start()
    try:
        archive = site.made()
    finally:
        over.set()
        thread.join()
    assert changes["all"] > 5
    texts_in = (content.decode() for content in opened(archive).values())
    found = Counter(text for text in texts_in if text.startswith("message "))
    assert set(found) == texts
    assert set(found.values()) == {1}
    shutil.rmtree(site.root / "data")
