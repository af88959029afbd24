"""Target files for specs: a small good one, and any change of it."""

from pathlib import Path

from fixtures.world.images import ROOT

GOOD = """
kind = "staging"
site = "site.toml"
capabilities = ["dns", "tailnet", "accounts", "host"]
known_hosts = "known_hosts"
[vantages.tailnet-pc]
socks5 = "127.0.0.1:1080"
[[accounts]]
user = "probe"
password_env = "PROBE_PASSWORD"
[ssh]
host = "reader@mailserver.example.net"
"""


def written(folder: Path, text: str = GOOD, name: str = "staging") -> Path:
    """A folder with a target file, the repository's site file and known host keys."""
    (folder / "site.toml").write_bytes((ROOT / "site.toml").read_bytes())
    (folder / "known_hosts").write_text("mailserver.example.net ssh-ed25519 AAAA\n", encoding="utf-8")
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder
