"""Containers and certificates of the deployed host (design 1.2.2, 6.2)."""

import json

import pytest

from tests.e2e.host.conftest import Host

pytestmark = pytest.mark.req("R-10.1-host-as-deployed")

SERVICES = ("clamav", "dovecot", "mariadb", "nginx", "postfix", "rspamd", "redis", "roundcube", "unbound")
CERTIFICATE = "/opt/mailserver/data/certs/mailserver.crt"
KEY = "/opt/mailserver/data/certs/mailserver.key"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_healthy_restarts_by_itself_and_is_of_the_named_image(
    host: Host, variables: dict[str, str], service: str
) -> None:
    """As the engine says; a mount of each of its host folders lies below the one root."""
    [shown] = json.loads(host.check_output("docker inspect mailserver-%s", service))
    assert (shown["State"]["Status"], shown["State"]["Health"]["Status"]) == ("running", "healthy")
    assert shown["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert shown["HostConfig"]["Privileged"] is False
    assert shown["Config"]["Image"] == variables[f"IMAGE_{service.upper()}"]
    sources = {mount["Source"] for mount in shown["Mounts"] if mount["Type"] == "bind"}
    outside = {source for source in sources if not source.startswith("/opt/mailserver/")}
    assert outside <= {variables["CA_BUNDLE"]}


def test_there_is_no_further_container_of_the_project(host: Host) -> None:
    """Nine services; one that a release dropped does not run on."""
    shown = host.check_output(
        "docker ps -a --filter label=com.docker.compose.project=mailserver --format '{{.Names}}'"
    )
    assert sorted(shown.split()) == sorted(f"mailserver-{service}" for service in SERVICES)


def test_the_certificate_is_the_hosts_and_good_for_a_while(host: Host, variables: dict[str, str]) -> None:
    """Its name, a week at least, and the key that belongs to it; another name does not match."""
    name = variables["MAIL_HOSTNAME"]
    check = f"openssl x509 -noout -in {CERTIFICATE} -checkhost "
    assert "does match" in host.check_output(check + name)
    assert "does NOT match" in host.run(check + "mail.example.net").stdout
    assert host.run(f"openssl x509 -noout -in {CERTIFICATE} -checkend {7 * 86400}").rc == 0
    assert host.run(f"openssl x509 -noout -in {CERTIFICATE} -checkend {100 * 365 * 86400}").rc == 1
    of_certificate = host.check_output(f"openssl x509 -noout -pubkey -in {CERTIFICATE}")
    assert host.check_output(f"openssl pkey -pubout -in {KEY}") == of_certificate


@pytest.mark.parametrize("port", [443, 993, 995])
def test_a_server_presents_the_certificate_that_lies_there(
    host: Host, variables: dict[str, str], port: int
) -> None:
    """What is on the disk is also what is served (F72)."""
    ask = f"openssl s_client -connect {variables['TAILNET_IP']}:{port} </dev/null 2>/dev/null"
    served = host.check_output(f"{ask} | openssl x509 -noout -fingerprint -sha256")
    assert served == host.check_output(f"openssl x509 -noout -fingerprint -sha256 -in {CERTIFICATE}")
    assert "Fingerprint=" in served
