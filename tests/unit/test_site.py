"""site.toml: what is in it arrives typed; what is wrong is named with key, value and what is allowed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.site import SiteError, load_site

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "site.toml").read_text(encoding="utf-8")


def _written(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.req("R-2.2-four-domains")
def test_the_repositorys_site_has_the_designs_four_domains() -> None:
    """The four domains of design 2.2, in its order, the first one being the primary."""
    mail = load_site(ROOT / "site.toml").mail
    assert mail.domains == ("kuma8088.com", "fx-trader-life.com", "webmakeprofit.org", "webmakesprofit.com")
    assert mail.primary == "kuma8088.com"


@pytest.mark.req("R-4.4-one-size", "R-2.5.1-server-name")
def test_limits_and_names_follow_from_the_values() -> None:
    """25 MiB of attachments need 35 MiB on the wire (F66), and the certificate name is host + tailnet."""
    site = load_site(ROOT / "site.toml")
    assert site.mail.wire_limit == 36_700_160
    assert site.tailnet.server_name == "mailserver.tail8088.ts.net"


@pytest.mark.req("R-0-site-file-errors")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"kuma8088.com", ', '"Kuma 8088", ', ["mail.domains.0", "'Kuma 8088'", "lower-case host name"]),
        ('"fx-trader-life.com"', '"kuma8088.com"', ["mail.domains", "each domain once"]),
        (
            "message_size_mb = 25",
            "message_size_mb = 0",
            ["mail.message_size_mb = 0", "greater than or equal to 1"],
        ),
        ("message_size_mb = 25", 'message_size_mb = "25"', ["mail.message_size_mb = '25'", "valid integer"]),
        ("max_tasks = 1", "max_tasks = 3", ["aws.max_tasks", "1 with ingress"]),
        ('region = "ap-northeast-1"', "", ["aws.region", "missing"]),
        ('name = "tail8088"', 'name = "-x"', ["tailnet.name = '-x'"]),
        (
            'admin = "admin@example.net"',
            'admin = "nobody"',
            ["mail.admin = 'nobody'", "such as admin@example.net"],
        ),
        ('ingress = "dynamic"', 'ingress = "alb"', ["aws.ingress = 'alb'", "'dynamic' or 'eip'"]),
        ('zone_id = "0', 'zone_id = "Z', ["dns.zone_id", "an id of cloudflare: ["]),
        (
            'provider = "cloudflare"',
            'provider = "bind"',
            ["dns.provider = 'bind'", "'cloudflare' or 'route53'"],
        ),
        ("[webmail]", "[webmail]\ncolour = 1", ["webmail.colour = 1", "unknown key"]),
        ("mx.kuma8088.com", "mx.example.org", ["mail.mx_hostname", "below one of the domains"]),
    ],
)
def test_a_wrong_value_is_one_clear_error(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    """The error is one line that names file, key, value and what is allowed."""
    assert old in TEXT
    with pytest.raises(SiteError) as caught:
        load_site(_written(tmp_path, TEXT.replace(old, new, 1)))
    message = str(caught.value)
    assert message.startswith("site.toml: ")
    assert "\n" not in message
    assert [part for part in told if part not in message] == []


@pytest.mark.req("R-0-site-file-errors")
def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """No site file: the error says so and gives the next step."""
    with pytest.raises(SiteError, match="no such file; copy the one from the repository"):
        load_site(tmp_path / "site.toml")


@pytest.mark.req("R-0-site-file-errors")
@given(cut=st.integers(min_value=0, max_value=len(TEXT.encode()) - 200))
def test_a_truncated_file_never_loads_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """However the file is cut short, the only outcome is SiteError: no half-read site is ever used."""
    path = tmp_path_factory.mktemp("cut") / "site.toml"
    path.write_bytes(TEXT.encode()[:cut])
    with pytest.raises(SiteError):
        load_site(path)
