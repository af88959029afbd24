"""The Terraform files, read as an owner would: who gets in, who may what, and what an outage looks like."""

import json

import pytest

from tests.unit.infra.hcl import Block, document, everything, resources


def actions(statement: Block) -> set[str]:
    """The actions of one policy statement."""
    return set(json.loads(statement.attributes["actions"]))


@pytest.mark.req("R-6.3.1-only-25-inwards")
def test_one_rule_inwards() -> None:
    """TCP 25 from everywhere, and no other group or rule anywhere (F30)."""
    groups = resources("aws_security_group")
    assert set(groups) == {"fargate"}
    keys = ("protocol", "from_port", "to_port", "cidr_blocks")
    rules = [[rule.attributes[key] for key in keys] for rule in groups["fargate"].inner("ingress")]
    assert rules == [['"tcp"', "25", "25", '["0.0.0.0/0"]']]
    kinds = {block.labels[0] for block in everything().inner("resource")}
    assert {kind for kind in kinds if "security_group" in kind} == {"aws_security_group"}


@pytest.mark.req("R-2.1-two-zones", "R-6.3.1-only-25-inwards")
def test_the_service_has_that_group_and_an_address_of_its_own() -> None:
    """Both zones, the one group, a public address: there is no NAT gateway (F32)."""
    [network] = resources("aws_ecs_service")["mx"].inner("network_configuration")
    assert network.attributes["security_groups"] == "[aws_security_group.fargate.id]"
    assert network.attributes["assign_public_ip"] == "true"
    assert "keys(local.subnets)" in network.attributes["subnets"]


@pytest.mark.req("R-3.4-task-role-empty")
def test_the_task_role_may_nothing() -> None:
    """No policy names it: whoever breaks into Postfix cannot read the tailnet key (F26)."""
    roles = {name: block.attributes["role"] for name, block in resources("aws_iam_role_policy").items()}
    assert roles == {
        "execution": "aws_iam_role.execution.name",
        "dns_updater": "aws_iam_role.dns_updater[0].name",
    }
    task = resources("aws_iam_role")["task"]
    assert set(task.attributes) == {"name", "assume_role_policy"}
    assert task.blocks == []
    kinds = {block.labels[0] for block in everything().inner("resource")}
    assert {kind for kind in kinds if kind.startswith("aws_iam_role")} == {
        "aws_iam_role",
        "aws_iam_role_policy",
    }
    assert {kind for kind in kinds if kind.startswith("aws_iam_policy")} == {"aws_iam_policy"}
    assert set(resources("aws_iam_policy")) == {"home_server"}


@pytest.mark.req("R-6.1.1-key-by-role-alone")
def test_the_execution_role_reads_one_secret() -> None:
    """Exactly the auth key, and only reading (F25, F27)."""
    about = [
        (actions(statement), statement.attributes["resources"])
        for statement in document("execution")
        if "secretsmanager" in str(actions(statement))
    ]
    assert about == [({"secretsmanager:GetSecretValue"}, "[aws_secretsmanager_secret.fargate_auth_key.arn]")]


@pytest.mark.req("R-3.4-execution-role")
def test_the_execution_role_does_what_ecs_needs_and_no_more() -> None:
    """Pull images, write this log; the one action on everything is the one that knows no resource."""
    statements = document("execution")
    assert set().union(*map(actions, statements)) == {
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue",
    }  # fmt: skip
    wide = [actions(statement) for statement in statements if statement.attributes["resources"] == '["*"]']
    assert wide == [{"ecr:GetAuthorizationToken"}]
    [logs] = [statement for statement in statements if "logs:PutLogEvents" in actions(statement)]
    assert logs.attributes["resources"] == '["${aws_cloudwatch_log_group.mx.arn}:*"]'


@pytest.mark.req("R-3.4-execution-role")
def test_only_this_accounts_tasks_assume_the_roles() -> None:
    """ECS's service alone, for tasks of this account."""
    [statement] = document("ecs_tasks")
    [principal], [condition] = statement.inner("principals"), statement.inner("condition")
    assert principal.attributes["identifiers"] == '["ecs-tasks.amazonaws.com"]'
    assert condition.attributes["values"] == "[var.account_id]"
    roles = resources("aws_iam_role")
    assert {roles[name].attributes["assume_role_policy"] for name in ("task", "execution")} == {
        "data.aws_iam_policy_document.ecs_tasks.json"
    }


@pytest.mark.req("R-6.1.1-values-outside")
def test_no_secret_has_a_value_here() -> None:
    """Secrets are made empty and filled outside Terraform (design 6.1.1)."""
    names = {"fargate_auth_key", "sendgrid_api_key", "dns_token"}
    assert set(resources("aws_secretsmanager_secret")) == names
    assert resources("aws_secretsmanager_secret_version") == {}


@pytest.mark.req("R-2.2.2-eip-balancer")
def test_the_load_balancer_keeps_the_clients_address() -> None:
    """Off by default for ip targets: every sender would look like the VPC (F02)."""
    [group] = resources("aws_lb_target_group").values()
    assert group.attributes["preserve_client_ip"] == "true"
    assert (group.attributes["target_type"], group.attributes["port"]) == ('"ip"', "25")
    assert int(group.attributes["deregistration_delay"]) >= 300


@pytest.mark.req("R-8.2-liveness-alarm")
def test_a_service_that_is_gone_is_an_alarm() -> None:
    """A metric that exists, and missing data breaches: without tasks there is none (F36, F37)."""
    alarm = resources("aws_cloudwatch_metric_alarm")["tasks"].attributes
    assert (alarm["namespace"], alarm["metric_name"]) == ('"ECS/ContainerInsights"', '"RunningTaskCount"')
    assert (alarm["comparison_operator"], alarm["threshold"]) == ('"LessThanThreshold"', "var.min_tasks")
    assert alarm["treat_missing_data"] == '"breaching"'
    assert alarm["alarm_actions"] == "[aws_sns_topic.alerts.arn]"
    settings = resources("aws_ecs_cluster")["mailserver"].inner("setting")
    assert [item.attributes for item in settings] == [{"name": '"containerInsights"', "value": '"enabled"'}]


@pytest.mark.req("R-3.3-rolling")
def test_a_deployment_leaves_no_gap() -> None:
    """A healthy new task before the old one goes; a revision that never gets healthy is rolled back."""
    service = resources("aws_ecs_service")["mx"]
    assert service.attributes["deployment_minimum_healthy_percent"] == "100"
    assert service.attributes["task_definition"] == "aws_ecs_task_definition.mx.arn"
    [breaker] = service.inner("deployment_circuit_breaker")
    assert breaker.attributes == {"enable": "true", "rollback": "true"}


@pytest.mark.req("R-8.1-log-group")
def test_the_log_has_an_end_and_needs_no_key_policy() -> None:
    """Kept as long as the site says, under AWS's own key (F39)."""
    group = resources("aws_cloudwatch_log_group")["mx"].attributes
    assert group == {"name": '"/ecs/mailserver-mx"', "retention_in_days": "var.log_retention_days"}


@pytest.mark.req("R-2.2.1-dynamic-is-single")
def test_without_the_balancer_there_is_one_task() -> None:
    """More tasks than one need the address that all of them share (F15)."""
    [variable] = [block for block in everything().inner("variable") if block.labels == ("max_tasks",)]
    conditions = [check.attributes["condition"] for check in variable.inner("validation")]
    assert 'var.max_tasks == 1 || var.ingress == "eip"' in conditions


@pytest.mark.req("R-1.2-no-floating-tag")
def test_images_do_not_move() -> None:
    """A tag that moves by itself is refused before anything is planned (F22)."""
    [variable] = [block for block in everything().inner("variable") if block.labels == ("images",)]
    [check] = variable.inner("validation")
    assert "(latest|stable|edge)$" in check.attributes["condition"]
