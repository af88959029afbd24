"""What goes to the host and what is never touched there."""

from pathlib import Path, PurePosixPath

import pytest

from fixtures.dell.layout import files_to_ship, obsolete, services_of, shipped


@pytest.mark.req("R-10.1-shipped-files")
@pytest.mark.parametrize(
    ("path", "goes"),
    [
        ("docker-compose.yml", True),
        (".env.example", True),
        ("config/dovecot/dovecot.conf", True),
        ("scripts/add-user.sh", True),
        ("host/install-host.sh", True),
        (".env", False),
        ("config/dovecot/users", False),
        ("config/postfix/sasl_passwd", False),
        ("config/postfix/.main.cf.swp", False),
        ("data/mail/vhosts/message", False),
        ("secrets/key", False),
        ("images/postfix/Dockerfile", False),
        ("logs/nginx/access.log", False),
    ],
)
def test_shipped(path: str, goes: bool) -> None:
    """Deployable files go; data, people, secrets and image sources do not."""
    assert shipped(PurePosixPath(path)) is goes


@pytest.mark.req("R-10.1-shipped-files")
def test_files_are_named_below_the_target(tmp_path: Path) -> None:
    """Paths are relative and complete, whatever else lies in the folder."""
    for name in ("docker-compose.yml", ".env", "config/nginx/nginx.conf", "data/db/ibdata1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert sorted(files_to_ship(tmp_path)) == ["config/nginx/nginx.conf", "docker-compose.yml"]


@pytest.mark.req("R-10.1-changed-restarts")
def test_services_of_changed_files() -> None:
    """A service's own folder names it; files beside those folders name nobody."""
    changed = [
        "config/nginx/nginx.conf",
        "config/rspamd/local.d/redis.conf",
        "docker-compose.yml",
        "config/note",
    ]
    assert services_of(changed) == {"nginx", "rspamd"}


@pytest.mark.req("R-10.1-removes-own-only")
def test_obsolete_names_only_what_was_shipped_before() -> None:
    """A doctored manifest cannot make the deployer remove data, users or anything outside the target."""
    manifest = "\n".join(
        [
            "scripts/old.sh",
            "scripts/kept.sh",
            "data/mail/x",
            ".env",
            "config/dovecot/users",
            "/etc/passwd",
            "../x",
            "",
        ]
    )
    assert obsolete(manifest, ["scripts/kept.sh"]) == ["scripts/old.sh"]
