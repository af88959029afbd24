"""The policy evaluator decides as IAM does and refuses what it does not understand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.aws.iam import PolicyError, Request, evaluate, like

KEY = "arn:aws:secretsmanager:ap-northeast-1:000000000000:secret:mailserver/tailscale/fargate-auth-key-AbCdEf"
OTHER = "arn:aws:secretsmanager:ap-northeast-1:000000000000:secret:mailserver/sendgrid/api-key-GhIjKl"
READ = Request("secretsmanager:GetSecretValue", KEY)


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.req("R-0-iam-decides")
def test_nothing_is_allowed_by_default() -> None:
    """A role without policies, such as the task role, may not read the auth key (F26)."""
    assert not evaluate([], READ)
    assert evaluate([policy(allow(READ.action, KEY))], READ)  # the same request with a permission


@pytest.mark.req("R-0-iam-decides")
def test_only_the_named_resource_is_allowed() -> None:
    """A permission on one secret opens no other one."""
    execution = [policy(allow("secretsmanager:GetSecretValue", KEY))]
    assert evaluate(execution, READ)
    assert not evaluate(execution, Request(READ.action, OTHER))


@pytest.mark.req("R-0-iam-decides")
def test_design_suffix_pattern_matches_the_random_suffix() -> None:
    """The design's ``…-*`` covers the six characters that Secrets Manager appends (design 3.4)."""
    pattern = KEY.removesuffix("AbCdEf") + "*"
    assert evaluate([policy(allow(READ.action, pattern))], READ)
    assert not evaluate([policy(allow(READ.action, KEY.removesuffix("-AbCdEf")))], READ)


@pytest.mark.req("R-0-iam-decides")
def test_explicit_deny_wins_in_any_order() -> None:
    """One Deny outweighs every Allow."""
    deny = {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}
    grant = allow("*", "*")
    assert evaluate([policy(grant)], READ)
    assert not evaluate([policy(grant, deny)], READ)
    assert not evaluate([policy(deny), policy(grant)], READ)


@pytest.mark.req("R-0-iam-decides")
def test_guard_for_everyone_but_the_execution_role() -> None:
    """Deny unless aws:PrincipalArn is the execution role: what F25's resource policy should have been."""
    execution = "arn:aws:iam::000000000000:role/mailserver-fargate-execution-role"
    guard = {
        "Effect": "Deny",
        "Action": READ.action,
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": execution}},
    }
    documents = [policy(allow("*", "*"), guard)]
    task = execution.replace("execution", "task")
    assert evaluate(documents, Request(READ.action, KEY, {"aws:PrincipalArn": execution}))
    assert not evaluate(documents, Request(READ.action, KEY, {"aws:PrincipalArn": task}))
    assert not evaluate(documents, READ)  # a negated operator matches when the key is absent


@pytest.mark.req("R-0-iam-decides")
@pytest.mark.parametrize(
    ("condition", "context", "allowed"),
    [
        ({"StringEquals": {"aws:SourceAccount": "1"}}, {"aws:sourceaccount": "1"}, True),
        ({"StringEquals": {"aws:SourceAccount": ["2", "1"]}}, {"aws:SourceAccount": "1"}, True),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, {"aws:SourceAccount": "12"}, False),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, {}, False),
        ({"StringLike": {"k": "a*c?"}}, {"k": "abbcd"}, True),
        ({"StringLike": {"k": "a*c?"}}, {"k": "abbc"}, False),
        ({"StringNotEquals": {"k": "a"}}, {"k": "b"}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"ArnLike": {"k": "arn:aws:ecs:*:1:*"}}, {"k": "arn:aws:ecs:eu:1:task/x/y"}, True),
        ({"ArnLike": {"k": "arn:aws:*"}}, {"k": "arn:aws:ecs:eu:1:task/x/y"}, False),
        ({"StringEquals": {"a": "1"}, "StringLike": {"b": "2"}}, {"a": "1", "b": "3"}, False),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, str], allowed: bool) -> None:
    """Operators, keys and values combine as IAM documents it."""
    documents = [policy(allow("*", "*", Condition=condition))]
    assert evaluate(documents, Request(READ.action, KEY, context)).allowed is allowed


@pytest.mark.req("R-0-iam-decides")
def test_not_action_and_not_resource_negate() -> None:
    """NotAction and NotResource match everything but what they list."""
    documents = [policy({"Effect": "Allow", "NotAction": "iam:*", "NotResource": OTHER})]
    assert evaluate(documents, READ)
    assert not evaluate(documents, Request("iam:CreateUser", KEY))
    assert not evaluate(documents, Request(READ.action, OTHER))


@pytest.mark.req("R-0-iam-refuses-unknown")
@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "*"},
        {"Effect": "allow", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "GetSecretValue", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "mailserver/*"},
        {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3"},
        {"Effect": "Allow", "Action": "*", "Resource": []},
        {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::home/${aws:username}"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"},
        {
            "Effect": "Allow",
            "Action": "*",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "::"}},
        },
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NotStringEquals": {"k": "v"}}},
        {
            "Effect": "Allow",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEqualsIfExists": {"k": "v"}},
        },
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {}}},
    ],
)
def test_what_is_not_understood_is_an_error(statement: dict[str, Any]) -> None:
    """Unknown or malformed parts never turn into a silent "allow", even behind a matching statement."""
    with pytest.raises(PolicyError):
        evaluate([policy(allow("*", "*"), statement)], READ)


@pytest.mark.req("R-0-iam-refuses-unknown")
@pytest.mark.parametrize("document", [{"Statement": []}, {"Version": "2008-10-17", "Statement": []}])
def test_other_policy_versions_are_refused(document: dict[str, Any]) -> None:
    """Only the version whose rules are implemented is evaluated."""
    with pytest.raises(PolicyError, match="Version"):
        evaluate([document], READ)


@pytest.mark.req("R-0-iam-decides")
@given(st.text(st.characters(exclude_characters="*?")), st.text())
def test_a_pattern_without_wildcards_is_equality(pattern: str, value: str) -> None:
    """Nothing but ``*`` and ``?`` is special, regular-expression characters included."""
    assert like(pattern, pattern)
    assert like(pattern, value) is (pattern == value)


@pytest.mark.req("R-0-iam-decides")
@given(st.text(), st.text(), st.text())
def test_star_matches_any_middle(before: str, middle: str, after: str) -> None:
    """A star matches any run of characters between literal ends."""
    literal = str.maketrans("", "", "*?")
    head, tail = before.translate(literal), after.translate(literal)
    assert like(f"{head}*{tail}", head + middle + tail)
    assert not like(f"{head}*{tail}x", head + middle + tail + "y")


@pytest.mark.req("R-0-iam-decides")
@given(st.booleans(), st.booleans(), st.lists(st.booleans(), max_size=3))
def test_decision_is_deny_over_allow_over_default(denied: bool, granted: bool, noise: list[bool]) -> None:
    """Whatever else is in the policies, the outcome is: no deny, and at least one allow."""
    statements = [allow("ec2:Run*", "*") for _ in noise]
    if granted:
        statements.append(allow("secretsmanager:Get*", KEY))
    if denied:
        statements.insert(0, {"Effect": "Deny", "Action": "secretsmanager:GETSECRETVALUE", "Resource": KEY})
    assert evaluate([policy(*statements)], READ).allowed is (granted and not denied)
