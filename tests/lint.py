"""What ruff does not look at: shell, YAML, Terraform, and what must never stand in this repository."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

FORBIDDEN = {
    "a package registry's host name": re.compile(
        r"(?:deb|security|snapshot)\.debian\.o"
        + r"rg|pypi\.o"
        + r"rg|files\.pythonhosted|registry\.npmj"
        + "s"
    ),
    "a path into the workplace": re.compile(r"\.\./shar" + r"ed|/work/(?:main|shar" + "ed)"),
    "a real-looking SendGrid key": re.compile(r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an address at a public mailbox provider": re.compile(r"@(?:gmail|yahoo|outlook|icloud)\.com"),
}


def tracked() -> list[Path]:
    """Every file that git tracks or would track."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def is_shell(path: Path) -> bool:
    """Whether a file is a shell script, by its name or its first line."""
    if path.suffix == ".sh":
        return True
    with path.open("rb") as stream:
        return re.match(rb"#!.*\b(?:ba|da)?sh\b", stream.readline(200)) is not None


def forbidden(files: list[Path]) -> list[str]:
    """Lines that hold what must never be committed."""
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            found += [
                f"{path.relative_to(ROOT)}:{number}: {what}"
                for what, pattern in FORBIDDEN.items()
                if pattern.search(line)
            ]
    return found


def main() -> int:
    """Run every check; print what is wrong; 0 when nothing is."""
    files = tracked()
    wrong = forbidden(files)
    shell = [str(path) for path in files if is_shell(path)]
    yaml = [str(path) for path in files if path.suffix in {".yml", ".yaml"}]
    # SC2153 suspects a misspelling in every variable that comes from the environment beside a similar one.
    commands = [[str(BIN / "shellcheck"), "--severity=style", "--exclude=SC2153", *shell]]
    if yaml:
        commands.append(
            [
                str(BIN / "yamllint"),
                "--strict",
                "-d",
                "{extends: relaxed, rules: {line-length: disable}}",
                *yaml,
            ]
        )
    if terraform := shutil.which("terraform"):
        commands.append([terraform, "fmt", "-check", "-diff", "-recursive", str(ROOT / "infra")])
    for argv in commands:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            wrong.append(f"{Path(argv[0]).name}:\n{done.stdout}{done.stderr}")
    print(
        "\n".join(wrong) or f"lint: {len(files)} files, {len(shell)} of them shell, {len(yaml)} YAML: clean"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
