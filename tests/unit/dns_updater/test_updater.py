"""The DNS updater: whatever happens in whatever order, the records are the running tasks' addresses."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.dns_updater.updater import AddressMissingError, UnsettledError, handler
from tests.unit.dns_updater.account import GONE, SERVICE, Account, account

UPDATED, REMOVED = "R-2.2.1-updater", "R-2.2.1-stopped-removed"


@pytest.fixture(params=["cloudflare", "route53"])
def aws(request: pytest.FixtureRequest) -> Iterator[Account]:
    """An account whose zone is at either provider."""
    with account(request.param) as made:
        yield made


@pytest.mark.req(UPDATED)
def test_a_running_task_becomes_the_address(aws: Account) -> None:
    """RUNNING sets the record; the same event again changes nothing."""
    event = aws.gateways.run(1)
    assert handler(event) == {"addresses": ["198.19.0.1"]}
    assert aws.records() == {"198.19.0.1"}
    handler(event)
    assert aws.records() == {"198.19.0.1"}


@pytest.mark.req(REMOVED)
@pytest.mark.parametrize("status", ["RUNNING", *GONE])
def test_a_task_that_is_to_end_loses_its_address(aws: Account, status: str) -> None:
    """From the moment its end is wanted, also as the only task: better no record than a stranger's."""
    handler(aws.gateways.run(1))
    assert aws.records() == {"198.19.0.1"}
    handler(aws.gateways.end(1, status))
    assert aws.records() == set()


@pytest.mark.req(REMOVED)
def test_the_other_tasks_address_stays(aws: Account) -> None:
    """During a rolling deployment two run; the end of the old one leaves the new one's address alone."""
    handler(aws.gateways.run(1))
    handler(aws.gateways.run(2))
    assert aws.records() == {"198.19.0.1", "198.19.0.2"}
    handler(aws.gateways.end(1))
    assert aws.records() == {"198.19.0.2"}


@pytest.mark.req(REMOVED)
def test_a_late_running_event_brings_nothing_back(aws: Account) -> None:
    """Events may come late: the RUNNING event of a task that has stopped, or that ECS has forgotten."""
    late = aws.gateways.run(1)
    handler(aws.gateways.run(2))
    handler(aws.gateways.end(1))
    handler(late)
    assert aws.records() == {"198.19.0.2"}
    aws.gateways.tasks.pop(late["detail"]["taskArn"])
    handler(late)
    assert aws.records() == {"198.19.0.2"}


@pytest.mark.req(UPDATED, REMOVED)
def test_an_event_may_be_ahead_of_what_ecs_answers(aws: Account) -> None:
    """ECS's answers lag behind its events; the higher version counts, either way."""
    event = aws.gateways.run(1)
    task = aws.gateways.tasks[event["detail"]["taskArn"]]
    task |= {"lastStatus": "ACTIVATING", "version": 2}
    handler(event)
    assert aws.records() == {"198.19.0.1"}
    task |= {"lastStatus": "RUNNING", "version": 3}
    ahead = {**event["detail"], "lastStatus": "DEACTIVATING", "desiredStatus": "STOPPED", "version": 4}
    handler({"detail": ahead})
    assert aws.records() == set()


@pytest.mark.req(UPDATED)
def test_another_services_task_is_none_of_its_business(aws: Account) -> None:
    """An event of another service changes nothing, whatever its address."""
    handler(aws.gateways.run(1))
    other = aws.gateways.run(9)
    aws.gateways.tasks[other["detail"]["taskArn"]] |= {"group": "service:web", "desiredStatus": "STOPPED"}
    handler({"detail": {**other["detail"], "group": "service:web"}})
    assert aws.records() == {"198.19.0.1"}


@pytest.mark.req(UPDATED)
def test_a_task_without_an_address_is_an_error(aws: Account) -> None:
    """Lambda tries again then; what can be put right is put right before."""
    handler(aws.gateways.run(1))
    aws.gateways.end(1)
    event = aws.gateways.run(2, address=False)
    with pytest.raises(AddressMissingError, match=r"running without a public address: .*2$"):
        handler(event)
    assert aws.records() == set()


Steps = st.lists(
    st.tuples(st.sampled_from(["run", *GONE]), st.integers(1, 4), st.booleans()), min_size=1, max_size=12
)


@pytest.mark.req(UPDATED, REMOVED)
@pytest.mark.parametrize("provider", ["cloudflare", "route53"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=Steps, order=st.randoms(use_true_random=False))
def test_any_interleaving_ends_with_the_running_tasks(provider: str, steps: Any, order: Any) -> None:
    """Delivered at once or held back, shuffled and twice: at the end the records are exactly what runs."""
    with account(provider) as aws:
        held = []
        for status, number, at_once in steps:
            event = _happen(aws, status, number)
            if event is None:
                continue
            if at_once:
                handler(event)
                assert aws.records() == aws.gateways.running()
            held.append(event)
        held *= 2
        order.shuffle(held)
        for event in held:
            handler(event)
        assert aws.records() == aws.gateways.running()


def _happen(aws: Account, status: str, number: int) -> dict[str, Any] | None:
    """Let it happen, if it can: a task runs once, and only goes on towards its end."""
    task = next((t for arn, t in aws.gateways.tasks.items() if arn.endswith(f"{number:032x}")), None)
    if status == "run":
        return aws.gateways.run(number) if task is None else None
    if task is None or (task["lastStatus"] in GONE and GONE.index(task["lastStatus"]) >= GONE.index(status)):
        return None
    return aws.gateways.end(number, status)


@pytest.mark.req(REMOVED)
def test_what_changes_meanwhile_is_seen(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that looked before a task stopped, and writes after another handler did, puts it right."""
    first = aws.gateways.run(1)
    handler(aws.gateways.run(2))
    describe, calls = aws.gateways.describe_tasks, iter(range(99))

    def meanwhile(**request: Any) -> Any:
        answer = describe(**request)
        if next(calls) == 0:
            aws.gateways.end(1, "DEACTIVATING")
        return answer

    monkeypatch.setattr(aws.gateways, "describe_tasks", meanwhile)
    handler(first)
    assert aws.records() == {"198.19.0.2"}


@pytest.mark.req(UPDATED)
def test_tasks_that_never_settle_are_an_error(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five looks that all differ: Lambda is to try again later."""
    event = aws.gateways.run(1)
    numbers, describe = iter(range(2, 99)), aws.gateways.describe_tasks

    def restless(**request: Any) -> Any:
        answer = describe(**request)
        aws.gateways.run(next(numbers))
        return answer

    monkeypatch.setattr(aws.gateways, "describe_tasks", restless)
    with pytest.raises(UnsettledError, match=f"the tasks of {SERVICE} changed 5 times"):
        handler(event)


@pytest.mark.req(UPDATED)
def test_an_unknown_provider_is_refused(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is allowed."""
    monkeypatch.setenv("DNS_PROVIDER", "bind")
    with pytest.raises(LookupError, match="allowed: cloudflare, route53"):
        handler(aws.gateways.run(1))
