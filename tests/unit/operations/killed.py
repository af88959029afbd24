"""Killing a script before its n-th command, for any n: what it leaves must be the old state or the new."""

import os
import signal
import subprocess
from pathlib import Path

from tests.unit.compose.owner import Site

# Read by every bash that runs a script: it numbers commands, those of subshells, too, and at the wanted
# number ends its whole process group, as a power cut would. A subshell's numbers go on from its parent's.
_TRAP = """
set -o functrace
__n=0
__count() {
    __n=$((__n + 1))
    [ $__n -ne ${KILL_AT:-0} ] || kill -KILL 0
    [ -z "${COUNT-}" ] || echo $__n >>"$COUNT"
}
trap __count DEBUG
"""


class Killer:
    """Runs scripts of a site, up to a point."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._trap = site.root / "trap"
        self._trap.write_text(_TRAP)

    def run(self, script: Path, arguments: list[str], said: str, **variables: str) -> int:
        """Run it; the exit status, -9 when it was killed."""
        environment = {
            "PATH": f"{self._site.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LOG": str(self._site.log),
            "BASH_ENV": str(self._trap),
            **variables,
        }
        process = subprocess.Popen(
            ["bash", str(script), *arguments], env=environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.communicate(said, timeout=60)
        except BrokenPipeError:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return process.returncode

    def numbers(self, script: Path, arguments: list[str], said: str, **variables: str) -> list[int]:
        """The numbers that the commands of a whole run have, in order."""
        count = self._site.root / "count"
        count.unlink(missing_ok=True)
        assert self.run(script, arguments, said, COUNT=str(count), **variables) == 0, script
        return sorted({int(line) for line in count.read_text().splitlines()})
