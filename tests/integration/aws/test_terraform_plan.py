"""The configuration in an account that is empty before and after.

What a plan says of the load balancer's mode, which values are refused, and that a destroy leaves nothing.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.aws.session import AwsAccount
from fixtures.aws.terraform import INFRA, Terraform, TerraformError
from tests.integration.aws.emulated import emulated_account, variables


@pytest.fixture(scope="module")
def account() -> Iterator[AwsAccount]:
    """An account of this module's own, which every spec leaves empty."""
    with emulated_account("terraform-plan") as emulated:
        yield emulated


@pytest.fixture(scope="module")
def terraform(account: AwsAccount, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """An initialised run directory in which nothing is applied."""
    prepared = Terraform.prepare(tmp_path_factory.mktemp("plan"), account, variables())
    prepared.init()
    return prepared


@pytest.mark.req(
    "R-2.2.2-eip-balancer", "R-3.3-scaling-bounds", "R-3.3-scaling-policy", "R-2.2.1-updater-only-dynamic"
)
def test_fixed_address_needs_a_load_balancer(terraform: Terraform) -> None:
    """``eip``: an Elastic IP a zone on a load balancer that keeps the client's address (F01, F02, F15)."""
    terraform.set_variables(variables(ingress="eip", max_tasks=3))
    planned = terraform.planned()
    assert [address for address in planned if "dns" in address] == []
    group = planned["aws_lb_target_group.smtp[0]"]
    assert (group["protocol"], group["port"], group["target_type"]) == ("TCP", 25, "ip")
    assert group["preserve_client_ip"] == "true"
    assert int(group["deregistration_delay"]) >= 300
    assert planned["aws_lb.mx[0]"]["load_balancer_type"] == "network"
    assert len([address for address in planned if address.startswith("aws_eip.mx[")]) == 2
    assert planned["aws_ecs_service.mx"]["load_balancer"][0]["container_port"] == 25
    target = planned["aws_appautoscaling_target.mx[0]"]
    assert (target["min_capacity"], target["max_capacity"]) == (1, 3)
    [tracking] = planned["aws_appautoscaling_policy.cpu[0]"]["target_tracking_scaling_policy_configuration"]
    [metric] = tracking["predefined_metric_specification"]
    assert (metric["predefined_metric_type"], tracking["target_value"]) == (
        "ECSServiceAverageCPUUtilization",
        70,
    )
    assert (tracking["scale_out_cooldown"], tracking["scale_in_cooldown"]) == (60, 300)


BAD: dict[str, tuple[Any, str]] = {
    "max_tasks": (2, 'max_tasks: allowed: 1 with ingress = "dynamic"'),
    "task_memory": (4096, "task_memory: allowed: 512-2048 with 256 CPU units"),
    "mx_hostname": ("198.18.0.1", "mx_hostname: allowed: a host name below one of the domains"),
    "images": (
        {"postfix": "a:latest", "tunnel": "b:1", "tailscale": "c:1"},
        "images: allowed: references with a fixed tag",
    ),
    "mail_hostname": ("Mail Server", "mail_hostname: allowed: a lower-case host name"),
    "alert_email": ("nobody", "alert_email: allowed: one mail address"),
    "log_retention_days": (31, "log_retention_days: allowed: 1, 3, 5, 7"),
}


@pytest.mark.req("R-10.2-variables-validated")
def test_bad_values_are_refused_with_what_is_allowed(terraform: Terraform) -> None:
    """Terraform stops at the variables, before any change, and says of each what would be allowed."""
    terraform.set_variables(variables(**{name: value for name, (value, _) in BAD.items()}))
    with pytest.raises(TerraformError) as refused:
        terraform.planned()
    said = " ".join(str(refused.value).replace("│", " ").split())
    assert [message for _, message in BAD.values() if message not in said] == []


@pytest.mark.req("R-2.1-right-account")
def test_wrong_account_is_refused(terraform: Terraform) -> None:
    """Credentials of another account than the site's stop the plan."""
    terraform.set_variables(variables(account_id="111111111111"))
    with pytest.raises(TerraformError, match="AWS account ID not allowed: 000000000000"):
        terraform.planned()


@pytest.mark.req("R-10.2-valid")
def test_configuration_is_formatted_and_valid(terraform: Terraform, tmp_path: Path) -> None:
    """The deployable folder itself passes Terraform's own validation, without any override."""
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    bare = Terraform(tmp_path / "infra")
    bare.init()
    bare.validate()
    assert not list(bare.folder.glob("*override*"))


def things(account: AwsAccount) -> dict[str, int]:
    """How many there are in the account of the things that a deployment makes."""
    ours = [{"Name": "cidr", "Values": ["10.0.0.0/16"]}]
    clusters = account.client("ecs").describe_clusters(clusters=["mailserver-cluster"])["clusters"]
    return {
        "VPCs": len(account.client("ec2").describe_vpcs(Filters=ours)["Vpcs"]),
        # A deleted cluster can be asked about for some time yet: it is INACTIVE then.
        "clusters": len([cluster for cluster in clusters if cluster["status"] == "ACTIVE"]),
        "users": len(account.client("iam").list_users()["Users"]),
        "roles": len(account.client("iam").list_roles()["Roles"]),
        "log groups": len(account.client("logs").describe_log_groups()["logGroups"]),
        "topics": len(account.client("sns").list_topics()["Topics"]),
    }


@pytest.mark.req("R-10.2-destroy")
def test_a_destroy_leaves_nothing(account: AwsAccount, tmp_path: Path) -> None:
    """What ``terraform apply`` made, ``terraform destroy`` removes."""
    applied = Terraform.prepare(tmp_path / "run", account, variables())
    applied.init()
    before = things(account)
    applied.apply()
    assert [kind for kind, count in things(account).items() if count <= before[kind]] == []
    applied.destroy()
    assert things(account) == before
