"""A deployed folder whose health monitor runs by a clock of the spec's own, and what it has told."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

from tests.unit.compose.conf import COMPOSE
from tests.unit.compose.owner import Site

START = 1_800_000_000
"""2027-01-15 08:00 UTC: when the clock begins."""
TOPIC = "arn:aws:sns:ap-northeast-1:000000000000:mailserver-alerts"
STATS_KEY = "SG.stats-id.stats_secret"
ACCESS, SECRET = "AKIAEXAMPLE", "aSecret/Of+This/Host="
NAMES = re.findall(r"container_name: (\S+)", (COMPOSE / "docker-compose.yml").read_text(encoding="utf-8"))
HOUR, DAY = 3600, 86400
# What the filter says at the end of its line about a message.
VIRUS = "T (reject): [0.1/15] [ONCE_RECEIVED(0.10){},CLAM_VIRUS(0.00){Eicar-Test-Signature;},ARC_NA(0.00){}]"
SPAM = "T (add header): [7.10/15.00] [BAYES_SPAM(5.10){99.99%;}]"
HAM = "F (no action): [0.10/15.00] [ARC_NA(0.00){}]"
NO_SCANNER = "T (soft reject): [0.00/15.00] [CLAM_VIRUS_FAIL(0.00){failed - connection refused;}]"

DOCKER = r"""#!/bin/bash
echo "docker $*" >>"$LOG"
[ ! -e "$LOG.nodocker" ] || exit 1
case "$*" in
"inspect --format {{.Name}}"*)
    cat "$LOG.containers"
    mapfile -t lines <"$LOG.containers"
    [ "${#lines[@]}" -eq $(($# - 3)) ] ;;
"inspect --format {{with"*) echo "no greeting on 25" ;;
"logs --since "*) awk -v a="$3" -v b="$5" '$1 >= a && $1 < b { sub(/^[0-9]+ /, ""); print }' "$LOG.rspamd" ;;
*" sendmail "*)
    [ ! -e "$LOG.refuse" ] || { cat >/dev/null; exit 75; }
    cat >"$LOG.mail.$(printf %04d "$(ls "$LOG".mail.* 2>/dev/null | wc -l)")" ;;
version*) ;;
esac
"""
DATE = r"""#!/bin/bash
for word in "$@"; do [ "$word" != -d ] || exec /bin/date "$@"; done
exec /bin/date -d "@$(<"$LOG.now")" "$@"
"""
DF = r"""#!/bin/bash
echo "Use% Mounted on"
case $2 in /) cat "$LOG.df.system" ;; *) cat "$LOG.df.mail" ;; esac
"""
OPENSSL = r"""#!/bin/bash
[ -s "$LOG.certificate" ] || exit 1
echo "notAfter=$(LC_ALL=C /bin/date -u -d "@$(cat "$LOG.certificate")" '+%b %e %T %Y GMT')"
"""
SYSTEMCTL = r"""#!/bin/sh
cat "$LOG.unit"
"""
CURL = r"""#!/bin/bash
echo "curl $*" >>"$LOG"
config=$(cat)
if [[ $config == *api.sendgrid.com* ]]; then
    printf '%s\n' "$config" >>"$LOG.asked"
    cat "$LOG.stats"
else
    [ ! -e "$LOG.noaws" ] || exit 22
    [[ $config != *Action=Publish* ]] || [ ! -e "$LOG.nopublish" ] || exit 22
    printf '%s\n' "$config" >"$LOG.aws.$(printf %04d "$(ls "$LOG".aws.* 2>/dev/null | wc -l)")"
    file=$(sed -n 's/^data-urlencode = "Message@\(.*\)"/\1/p' <<<"$config")
    [ -z "$file" ] || cat "$file" >"$LOG.published"
fi
"""
PROGRAMS = {
    "docker": DOCKER, "date": DATE, "df": DF, "openssl": OPENSSL, "systemctl": SYSTEMCTL, "curl": CURL,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One message to the administrator."""

    subject: str
    text: str


class Monitored:
    """A healthy server to begin with; the spec makes it ill, lets minutes pass and sees what is told."""

    def __init__(self, root: Path) -> None:
        self.site = Site(root)
        self.now = START
        shutil.copy(COMPOSE / "docker-compose.yml", root)
        for name, text in PROGRAMS.items():
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)
        self.containers()
        self.disk("system", 40)
        self.disk("mail", 40, target="/data")
        self.certificate(80)
        self.file("unit").write_text("active\n")
        self.file("rspamd").write_text("")
        self.renewed(START - 3600)

    def file(self, name: str) -> Path:
        """A file that the stand-ins read or write."""
        return Path(f"{self.site.log}.{name}")

    def containers(self, **states: str) -> None:
        """All nine are well, but for those named (without ``mailserver-``): status and health, or nothing."""
        given = {f"mailserver-{name}": state for name, state in states.items()}
        shown = {name: given.get(name, "running healthy") for name in NAMES}
        self.file("containers").write_text(
            "".join(f"/{name} {state}\n" for name, state in shown.items() if state)
        )

    def disk(self, name: str, percent: int, target: str = "/") -> None:
        """How full the file system below ``system`` or ``mail`` is."""
        self.file(f"df.{name}").write_text(f" {percent}% {target}\n")

    def certificate(self, days: float) -> None:
        """A certificate that is good for so many days from now on."""
        self.file("certificate").write_text(f"{self.now + int(days * 86400)}\n")

    def renewed(self, at: int) -> None:
        """When the renewal's timer last ran."""
        self.file("stamp").touch()
        os.utime(self.file("stamp"), (at, at))

    def scanned(self, result: str, count: int = 1, at: int | None = None) -> None:
        """Lines that Rspamd writes for messages with this result, half a minute ago unless said otherwise."""
        line = (
            "2027-01-15 08:00:00 #7(rspamd_proxy) <a1b2c3>; proxy; rspamd_task_write_log: "
            f"id: <x@example.net>, qid: <4ABC>, ip: 198.18.3.1, from: <a@example.net>, "
            f"(default: {result}, len: 512, time: 5.1ms"
        )
        with self.file("rspamd").open("a") as log:
            log.writelines(f"{self.now - 30 if at is None else at} {line}\n" for _ in range(count))

    def env(self, **values: str) -> None:
        """Further lines of .env."""
        with (self.site.root / ".env").open("a") as file:
            file.writelines(f"{name}='{value}'\n" for name, value in values.items())

    def at_aws(self) -> None:
        """The alerts' topic, and an identity of this host's own."""
        self.env(ALERT_SNS_TOPIC_ARN=TOPIC)
        (self.site.root / "credentials").write_text(
            f"[other]\naws_access_key_id = WRONG\n[default]\naws_access_key_id = {ACCESS}\n"
            f"aws_secret_access_key = {SECRET}\n"
        )

    def plan(self, answer: str, quotas: Mapping[str, str] | None = None, *, status: int = 200) -> None:
        """What SendGrid answers about its statistics, and what .env says of the plan."""
        self.file("stats").write_text(f"{answer}\n{status}\n")
        if quotas:
            self.env(SENDGRID_STATS_KEY=STATS_KEY)
            self.env(**quotas)

    def run(
        self, script: str = "health-monitor.sh", *arguments: str, said: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script at this moment of the spec's clock."""
        clock = f"{self.now}\n"
        if not self.file("now").exists() or self.file("now").read_text() != clock:
            self.file("now").write_text(clock)
        return self.site.run(script, *arguments, said=said, **self.variables())

    def variables(self) -> dict[str, str]:
        """The environment that a script gets from its unit."""
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.site.root / "credentials"),
            "RENEWAL_STAMP": str(self.file("stamp")),
            "STATE_DIRECTORY": str(self.site.root / "state"),
            "TZ": "UTC",
        }

    def look(self, times: int = 1, seconds: int = 60) -> list[Told]:
        """Let the timer run so often, and return what was told meanwhile; each run has to succeed."""
        before = len(self.mails())
        for _ in range(times):
            self.now += seconds
            done = self.run()
            assert done.returncode == 0, done
            assert done.stderr == "", done
        return self.mails()[before:]

    def mails(self) -> list[Told]:
        """Everything that went by mail so far."""
        parsed = [message_from_string(path.read_text()) for path in sorted(self.site.root.glob("log.mail.*"))]
        return [Told(str(mail["Subject"]), str(mail.get_payload())) for mail in parsed]

    def calls_of_aws(self) -> list[str]:
        """What AWS was asked, as curl's settings."""
        return [path.read_text() for path in sorted(self.site.root.glob("log.aws.*"))]

    def kept(self) -> list[Path]:
        """Alerts that nobody took yet."""
        return sorted((self.site.root / "state/alerts").glob("[0-9]*"))


def stats_answer(*days: tuple[str, int]) -> str:
    """SendGrid's answer as its reference shows it, for days with so many messages."""
    rows = [
        {
            "date": date,
            "stats": [{"metrics": {"blocks": 0, "delivered": sent, "requests": sent, "opens": 9999}}],
        }
        for date, sent in days
    ]
    return json.dumps(rows)
