"""A deployed folder with mail in it, two disks to back it up to, and a key that is not there."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import time
from functools import cache
from pathlib import Path

from tests.unit.compose.owner import ENV, HASH, Site

ALICE = "alice@one.example.org"
NEW = "new@two.example.org"
"""A user whose name is that of a Maildir's folder."""
DOCKER = r"""#!/bin/bash
echo "$*" >>"$LOG"
state() { cat "$LOG.$1" 2>/dev/null || true; }
case "$*" in
*" mariadb-dump "*)
    [ "$(state database)" != down ] || { echo "no such container" >&2; exit 1; }
    echo "CREATE TABLE contacts; -- 花子"
    [ "$(state database)" = cut ] || echo "-- Dump completed on 2026-11-29" ;;
*" redis-cli --rdb "*)
    [ "$(state redis)" != down ] || exit 1
    [ "$(state redis)" = empty ] || printf 'REDIS0011 learned' ;;
"exec -i mailserver-mariadb mariadb "*) cat >"$LOG.loaded"; [ "$(state load)" != refused ] ;;
*" config --images") echo postfix:1 ;;
*" config --quiet") [ "$(state config)" != refused ] ;;
"image inspect "*) [ "$(state image)" != missing ] ;;
"ps "*) state containers ;;
*" mailbox list "*) [ "$(state dovecot)" != down ] || exit 67; state folders ;;
*" doveadm import "*) [ "$(state import)" != refused ] ;;
*" up -d --wait") [ "$(state up)" != refused ] ;;
esac
"""
MOUNTPOINT = '#!/bin/sh\ngrep -qxF "$2" "$LOG.mounted"\n'
DATE = """#!/bin/sh
for word in "$@"; do [ "$word" != -d ] || exec /bin/date "$@"; done
exec /bin/date -d "@$(cat "$LOG.now")" "$@"
"""
TAILSCALE = "#!/bin/sh\necho 100.64.0.99\n"
NOON = 1_795_953_600
"""2026-11-29, 12:00 UTC."""
DAY = 86_400
DATABASE = "CREATE TABLE contacts; -- 花子\n-- Dump completed on 2026-11-29\n"


@cache
def key_pair(name: str = "owner") -> tuple[str, str]:
    """A private key's file as text, and its public key; the same one for a name in this run."""
    private = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["age-keygen", "-y"], input=private, capture_output=True, text=True, check=True)
    return private, public.stdout.strip()


class BackedUp(Site):
    """The site with its disks; ``key`` is the owner's private key, which lies elsewhere."""

    def __init__(self, folder: Path) -> None:
        (folder / "server").mkdir()
        super().__init__(folder / "server")
        self.disks = (folder / "local" / "mailserver", folder / "stick")
        for disk in self.disks:
            disk.mkdir(parents=True)
        self.set("mounted", f"{folder / 'local'}\n{folder / 'stick'}\n")
        self.set("now", str(NOON))
        self.key = folder / "key"
        self.key.write_text(key_pair()[0])
        shutil.copy(Path(__file__).parents[3] / "compose/.env.example", self.root)
        self.configure(BACKUP_RECIPIENT=key_pair()[1])
        for name, text in (
            ("docker", DOCKER), ("mountpoint", MOUNTPOINT), ("date", DATE), ("tailscale", TAILSCALE)
        ):  # fmt: skip
            self.program(name, text)
        self.users.write_text(f"{ALICE}:{HASH}::::::\n{NEW}:{HASH}::::::\n")
        self.users.chmod(0o640)
        (self.root / "config/postfix/main.cf").write_text("myhostname = mail\n")
        (self.root / "config/postfix/sasl_passwd").write_text("[smtp.sendgrid.net]:587 apikey:SG.one.two\n")
        (self.root / "data/certs/mailserver.crt").write_text("certificate\n")
        (self.root / "data/certs/mailserver.key").write_text("key of the certificate\n")
        for user in (ALICE, NEW):
            _fill(self.maildir(user))

    def configure(self, **values: str) -> None:
        """Write .env with these lines for what it has by itself."""
        own = {"BACKUP_LOCAL": str(self.disks[0]), "BACKUP_EXTERNAL": str(self.disks[1])}
        own |= {"MYSQL_DATABASE": "roundcube", "BACKUP_RECIPIENT": key_pair()[1], **values}
        (self.root / ".env").write_text(ENV + "".join(f"{name}='{value}'\n" for name, value in own.items()))
        (self.root / ".env").chmod(0o600)

    def program(self, name: str, text: str) -> None:
        """Put a stand-in for a program in front of the real one."""
        (self.root / "bin" / name).write_text(text)
        (self.root / "bin" / name).chmod(0o755)

    def set(self, what: str, value: str) -> None:
        """Tell the stand-ins something."""
        Path(f"{self.log}.{what}").write_text(value)

    def told(self, what: str) -> str:
        """What a stand-in has written down."""
        return Path(f"{self.log}.{what}").read_text()

    def maildir(self, user: str) -> Path:
        """Where a user's mail is."""
        name, _, domain = user.partition("@")
        return self.root / "data/mail" / domain / name / "Maildir"

    def backup(self, kind: str = "daily", *options: str) -> "subprocess.CompletedProcess[str]":
        """Run backup.sh."""
        return self.run("backup.sh", kind, *options)

    def made(self, kind: str = "daily", at: int = NOON) -> Path:
        """A backup of a moment; the archive on the external disk. Raises AssertionError."""
        self.set("now", str(at))
        before = set(self.archives())
        done = self.backup(kind)
        assert done.returncode == 0, done.stderr
        [archive] = set(self.archives()) - before
        return archive

    def older(self, archive: Path, at: int) -> str:
        """The same archive as a backup of an earlier moment, on both disks; its name."""
        name = re.sub(r"-\d{8}T\d{6}Z", f"-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}", archive.name)
        for disk in self.disks:
            for end in ("", ".manifest"):
                shutil.copy2(disk / f"{archive.name}{end}", disk / f"{name}{end}")
        return name

    def archives(self, disk: int = 1) -> list[Path]:
        """The archives of a disk, by name."""
        return sorted(self.disks[disk].glob("*.tar.age"))

    def restore(self, *words: "str | Path", key: "Path | None" = None) -> "subprocess.CompletedProcess[str]":
        """Run restore.sh with the owner's key or another one."""
        return self.run("restore.sh", *map(str, words), "--identity", str(key or self.key))

    def lose_everything(self) -> None:
        """The disk of the server is a new one: what was deployed is there, nothing else."""
        shutil.rmtree(self.root / "data")
        for path in (self.root / ".env", self.users, self.root / "config/postfix/sasl_passwd"):
            path.unlink()


def _fill(maildir: Path) -> None:
    """Mail as a user has it: read and unread, filed, with what Dovecot keeps beside it."""
    for folder in ("", ".Sent", ".&TtVOiw-.2026"):
        for part in ("cur", "new", "tmp"):
            (maildir / folder / part).mkdir(parents=True)
        box = maildir / folder
        for number, flags in ((1, ":2,S"), (2, ":2,FRSa"), (3, ":2,")):
            (box / "cur" / f"{number}.M1P1.mailserver,S=9{flags}").write_text(f"{box} {number}\n")
        (box / "new/4.M1P1.mailserver").write_text(f"{maildir} {folder} new\n")
        (box / "tmp/5.M1P1.mailserver").write_text("half a mess")
        (box / "dovecot-uidlist").write_text("3 V1 N9 Gabc\n1 :1.M1P1.mailserver\n2 :2.M1P1.mailserver\n")
        (box / "dovecot.index.log").write_text("index")
        (box / "dovecot-keywords").write_text("0 $Later\n")
    (maildir / "dovecot-uidlist.lock").write_text("")
    (maildir / "subscriptions").write_text("Sent\n")
    (maildir.parent / "sieve").mkdir()
    (maildir.parent / "sieve/mine.sieve").write_text("keep;\n")
    (maildir.parent / ".dovecot.sieve").symlink_to("sieve/mine.sieve")


def opened(archive: Path, private: str = "") -> dict[str, bytes]:
    """What is in an archive, by its path; a link's target as its content. Raises CalledProcessError."""
    argv = ["age", "--decrypt", "--identity", "-", str(archive)]
    text = (private or key_pair()[0]).encode()
    plain = subprocess.run(argv, input=text, capture_output=True, check=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isfile() or member.islnk():
                file = tar.extractfile(member)
                assert file is not None
                found[name] = file.read()
            elif member.issym():
                found[name] = member.linkname.encode()
    return found


def reseal(archive: Path, members: dict[str, bytes], *, sums: bool = True) -> Path:
    """Another archive beside one, made of these members, with sums that fit unless told otherwise."""
    if sums:
        lines = [
            f"{hashlib.sha256(content).hexdigest()}  ./{name}\n"
            for name, content in sorted(members.items())
            if name not in {"MANIFEST", "SHA256SUMS"}
        ]
        members = {**members, "SHA256SUMS": "".join(lines).encode()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
    other = archive.with_name(f"other-{archive.name}")
    argv = ["age", "-r", key_pair()[1], "-o", str(other)]
    subprocess.run(argv, input=buffer.getvalue(), check=True)
    return other


def contents(folder: Path) -> dict[str, str]:
    """Everything below a folder: hash by path, a link's target for a link."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def kept(site: BackedUp) -> dict[str, str]:
    """What of a site's mail a backup has to hold."""
    return {
        name: value
        for name, value in contents(site.root / "data/mail").items()
        if "/Maildir/" not in name
        or not ("/tmp/" in name or "dovecot.index" in name or name.endswith(".lock"))
    }
