"""The deployed variables come from the site file, the images and the secrets, and secrets stay hidden."""

import random
import tomllib
from typing import Any

import pytest

from fixtures.dell.environment import GENERATED, Secret, Secrets, environment
from fixtures.site import Site

RAW: dict[str, Any] = tomllib.loads("""
[mail]
domains = ["kuma8088.com", "fx-trader-life.com"]
hostname = "mail.kuma8088.com"
mx_hostname = "mx.kuma8088.com"
admin = "admin@example.net"
message_size_mb = 25
[webmail]
language = "ja_JP"
timezone = "Asia/Tokyo"
[aws]
region = "ap-northeast-1"
account_id = "000000000000"
ingress = "dynamic"
task_cpu = 256
task_memory = 512
min_tasks = 1
max_tasks = 1
log_retention_days = 30
[tailnet]
name = "tail8088"
server = "mailserver"
[dns]
provider = "cloudflare"
zone_id = "00000000000000000000000000000000"
[sendgrid]
smtp_host = "smtp.example.net"
account = "u12345678"
""")


@pytest.fixture
def secrets() -> Secrets:
    """Generated passwords beside a fixed API key."""
    return Secrets.generated("SG.key-of-a-test", "tskey-of-a-test")


@pytest.fixture
def variables(secrets: Secrets) -> dict[str, str]:
    """The variables of a site with two domains and two images."""
    images = {"postfix": "registry.example/postfix:1", "nginx": "registry.example/nginx:2"}
    return environment(Site.model_validate(RAW), images, "100.64.0.10", secrets)


@pytest.mark.req("R-0-site-to-env", "R-4.4-one-size")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_DOMAIN", "kuma8088.com"),
        ("MAIL_ADDITIONAL_DOMAINS", "fx-trader-life.com"),
        ("MAIL_FQDN", "mail.kuma8088.com"),
        ("MAIL_HOSTNAME", "mailserver.tail8088.ts.net"),
        ("SMARTHOST", "[smtp.example.net]:587"),
        ("MESSAGE_SIZE_MB", "25"),
        ("MESSAGE_SIZE_LIMIT", "36700160"),
        ("TAILNET_IP", "100.64.0.10"),
        ("ADMIN_EMAIL", "admin@example.net"),
        ("TZ", "Asia/Tokyo"),
        ("IMAGE_POSTFIX", "registry.example/postfix:1"),
        ("IMAGE_NGINX", "registry.example/nginx:2"),
        ("SENDGRID_API_KEY", "SG.key-of-a-test"),
        ("TAILSCALE_AUTHKEY", "tskey-of-a-test"),
        ("CLAMAV_UPDATE", "yes"),
        ("RESOLVER_FORWARD", ""),
        ("CA_BUNDLE", "/etc/pki/tls/certs/ca-bundle.crt"),
    ],
)
def test_each_value_is_the_sites(variables: dict[str, str], name: str, value: str) -> None:
    """No value is repeated by hand (D8); the defaults fit the live host."""
    assert variables[name] == value


@pytest.mark.req("R-6.1.2-passwords-generated")
def test_generated_variables_exist_and_differ(variables: dict[str, str]) -> None:
    """Four passwords, no two alike, each too long to guess."""
    values = [variables[name] for name in GENERATED]
    assert len(set(values)) == 4
    assert min(map(len, values)) >= 24


@pytest.mark.req("R-6.1.2-des-key")
def test_the_webmail_key_has_the_length_that_its_cipher_takes(variables: dict[str, str]) -> None:
    """Roundcube's DES-EDE3-CBC key is 24 characters (design 6.1.2)."""
    assert len(variables["ROUNDCUBE_DES_KEY"]) == 24


@pytest.mark.req("R-0-secrets-hidden")
def test_secrets_do_not_show_themselves(secrets: Secrets) -> None:
    """No repr, of one or of all, holds a value; the value itself is there for who uses it."""
    assert repr(secrets.sendgrid_api_key) == "'***'"
    assert "SG." not in repr(secrets)
    assert secrets.mysql_password not in repr([secrets, {"x": secrets.mysql_password}])
    assert secrets.sendgrid_api_key == "SG.key-of-a-test"


@pytest.mark.req("R-6.1.2-passwords-generated")
def test_two_generations_differ() -> None:
    """Two hosts have no password in common, even where a generator of mere chance would start alike."""

    def generation() -> tuple[set[str], float]:
        random.seed(8088)
        made = Secrets.generated("SG.key-of-a-test")
        passwords = (
            made.mysql_root_password,
            made.mysql_password,
            made.roundcube_des_key,
            made.rspamd_password,
        )
        assert all(isinstance(password, Secret) for password in passwords)
        return set(passwords), random.random()

    (first, chance), (second, same_chance) = generation(), generation()
    assert chance == same_chance  # so the seed counts
    assert len(first) == len(second) == 4
    assert first.isdisjoint(second)
