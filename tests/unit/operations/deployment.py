"""A small release, the folder that it goes to, and deploy.sh between them; fake_host has the programs."""

import shutil
import stat
import subprocess
from pathlib import Path

from fixtures.world.images import ROOT
from tests.unit.operations.fake_host import PROGRAMS

ENV = """MAIL_HOSTNAME='mailserver.tailnet.ts.net'
TAILNET_IP='100.64.0.10'
CA_BUNDLE=''
MYSQL_ROOT_PASSWORD='of-the-first-day'
MYSQL_PASSWORD='of-the-first-day'
ROUNDCUBE_DES_KEY='of-the-first-day'
RSPAMD_PASSWORD='of-the-first-day'
TOKEN='first'
IMAGE_GOOD='site/good:1'
IMAGE_OTHER='site/other:1'
"""
INSTALL_HOST = """#!/bin/bash
set -euo pipefail
echo "install-host $(cat "$(dirname "$0")/unit.service")" >>"$LOG"
! [ -e "$STATE/no-host" ] && ! [ -e "$(dirname "$0")/refuses" ] || { echo 'the zone is open' >&2; exit 1; }
echo "install-host: done; start the services"
"""
_PARTS = ("check-host.sh", "take-release.sh", "release.bash", "services.bash", "former.bash")


class Deployment:
    """Both ends of a deployment; ``release`` is what goes, ``target`` where it goes to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.release = root / "release"
        self.target = root / "host/opt/mailserver"
        self.state = root / "state"
        self.log = root / "log"
        for folder in (self.state, root / "bin", self.release / "host"):
            folder.mkdir(parents=True)
        shutil.copy(ROOT / "compose/deploy.sh", self.release)
        for part in _PARTS:
            shutil.copy(ROOT / "compose/host" / part, self.release / "host")
        for name, text in PROGRAMS.items():
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)
        self.put("docker-compose.yml", "# services: good other\n")
        self.put("config/good/setting", "first\n")
        self.put("config/good/state", "well\n")
        self.put("config/other/setting", "first\n")
        self.put("scripts/old.sh", "#!/bin/bash\n", 0o755)
        self.put("host/unit.service", "first\n")
        self.put("host/install-host.sh", INSTALL_HOST, 0o755)
        self.put(".env.example", "example\n")
        self.put(".env", ENV, 0o600)
        self.image("site/good:1", "good-1")
        self.image("site/other:1", "other-1")

    def put(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the release."""
        path = self.release / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def image(self, name: str, content: str, where: str = "here") -> None:
        """Give an engine an image: the one ``here``, or the host's, ``there``."""
        folder = self.state / where / "images"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name.replace("/", "+")).write_text(f"{content}\n")

    def environment(self, **variables: str) -> dict[str, str]:
        """What the script and its stand-ins are run with."""
        known = {
            "PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LOG": str(self.log),
            "STATE": str(self.state),
        }
        return known | {"HOME": str(self.root), "TMPDIR": str(self.root)} | variables

    def argv(self, *options: str) -> list[str]:
        """The command line."""
        return [
            "bash",
            str(self.release / "deploy.sh"),
            "--folder",
            str(self.target),
            *options,
            "mail.example.net",
        ]

    def run(self, *options: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Deploy; standard output and error stream come as one."""
        return subprocess.run(
            self.argv(*options), env=self.environment(**variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip

    def deployed(self) -> "subprocess.CompletedProcess[str]":
        """Deploy what has to succeed."""
        done = self.run()
        assert done.returncode == 0, done.stdout
        return done

    def calls(self) -> list[str]:
        """What the stand-ins were asked to do so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def forget_calls(self) -> None:
        """Begin a new list."""
        self.log.unlink(missing_ok=True)

    def containers(self) -> dict[str, str]:
        """The host's containers by service, each with its id, start, health and image."""
        folder = self.state / "there/containers"
        return {path.name: path.read_text() for path in sorted(folder.glob("*"))} if folder.exists() else {}

    def tags(self) -> dict[str, str]:
        """The images that the host's engine has, by name."""
        folder = self.state / "there/images"
        return (
            {path.name: path.read_text().strip() for path in sorted(folder.glob("*"))}
            if folder.exists()
            else {}
        )

    def files(self) -> dict[str, tuple[str, int]]:
        """Text and mode of everything on the host, but for locks and the deployment's own log."""
        skipped = {".deploy.lock", "config/.users.lock", "logs/deploy.log"}
        return {
            name: (path.read_text(), stat.S_IMODE(path.stat().st_mode))
            for path in sorted(self.target.rglob("*"))
            if path.is_file() and (name := str(path.relative_to(self.target))) not in skipped
        }

    def leftovers(self) -> list[str]:
        """What a deployment has put beside and should have taken away: there, and here."""
        there = [
            path.name
            for path in self.target.glob(".*")
            if path.name not in {".env", ".env.example", ".deployed", ".deploy.lock"}
        ]
        here = [path.name for path in self.root.glob("tmp.*")]
        return [*there, *here, *(str(path) for path in self.target.rglob("*.deploy"))]
