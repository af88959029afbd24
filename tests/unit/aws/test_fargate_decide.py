"""The service scheduler's judgement, by examples and by what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.aws.fargate.decide import UNHEALTHY, CircuitBreaker, TaskView, Throttle, Wanted, decide

ONE = Wanted(1, "new")


def view(
    name: str, deployment: str = "new", health: str = "HEALTHY", age: float = 0, running: bool = True
) -> TaskView:
    """A task with a health check."""
    return TaskView(name, deployment, running, health, True, age)


@pytest.mark.req("R-0-fargate-scheduler")
def test_a_missing_task_is_started() -> None:
    """And with one there, none."""
    assert decide(ONE, []).start == 1
    assert decide(ONE, [view("a")]) == decide(Wanted(0, "new"), [])


@pytest.mark.req("R-0-fargate-scheduler")
def test_a_pending_task_counts_as_coming() -> None:
    """No second one is started while the first is on its way."""
    assert decide(ONE, [view("a", health="UNKNOWN", running=False)]).start == 0


@pytest.mark.req("R-0-fargate-scheduler", "R-0-fargate-health")
def test_the_replacement_comes_before_the_stop() -> None:
    """An unhealthy task stays until its replacement is healthy, then goes with ECS's reason."""
    sick = view("a", health="UNHEALTHY", age=9)
    verdict = decide(ONE, [sick])
    assert (verdict.start, verdict.stop) == (1, {})
    assert decide(ONE, [sick, view("b", health="UNKNOWN")]).stop == {}
    assert decide(ONE, [sick, view("b")]).stop == {"a": UNHEALTHY}


@pytest.mark.req("R-0-fargate-scheduler")
def test_without_room_the_unhealthy_task_goes_first() -> None:
    """A ceiling of 100 % leaves no place for a replacement beside it."""
    verdict = decide(Wanted(1, "new", 0, 100), [view("a", health="UNHEALTHY")])
    assert (verdict.start, verdict.stop) == (0, {"a": UNHEALTHY})


@pytest.mark.req("R-0-fargate-scheduler")
def test_of_two_unhealthy_tasks_one_makes_room() -> None:
    """The older one; the other is still there when the next replacement starts."""
    tasks = [view("a", health="UNHEALTHY", age=9), view("b", health="UNHEALTHY", age=1)]
    verdict = decide(ONE, tasks)
    assert (verdict.start, verdict.stop) == (0, {"a": UNHEALTHY})


@pytest.mark.req("R-0-fargate-scheduler")
def test_a_recovered_task_makes_its_replacement_superfluous() -> None:
    """The one that serves stays."""
    verdict = decide(ONE, [view("a", age=9), view("b", health="UNKNOWN", running=False)])
    assert list(verdict.stop) == ["b"]


@pytest.mark.req("R-0-fargate-scheduler")
def test_a_new_revision_rolls_without_a_gap() -> None:
    """Start beside the old; stop the old only when the new one is healthy."""
    old = view("a", "old", age=9)
    assert decide(ONE, [old]).start == 1
    assert decide(ONE, [old, view("b", health="UNKNOWN")]).stop == {}
    assert list(decide(ONE, [old, view("b")]).stop) == ["a"]


@pytest.mark.req("R-0-fargate-scheduler")
def test_with_a_floor_of_zero_the_old_one_goes_first() -> None:
    """Minimum 0, maximum 100: stop, then start."""
    wanted = Wanted(1, "new", 0, 100)
    assert list(decide(wanted, [view("a", "old")]).stop) == ["a"]


@pytest.mark.req("R-0-fargate-scheduler")
def test_scaling_in_takes_the_youngest_that_serve_least() -> None:
    """Tasks that are not yet healthy go before healthy ones."""
    tasks = [view("a", age=9), view("b", age=5), view("c", health="UNKNOWN", age=7)]
    assert list(decide(ONE, tasks).stop) == ["c", "b"]


TASKS = st.lists(
    st.builds(
        TaskView,
        id=st.uuids().map(str),
        deployment=st.sampled_from(["new", "old"]),
        running=st.booleans(),
        health=st.sampled_from(["HEALTHY", "UNHEALTHY", "UNKNOWN"]),
        checked=st.just(True),
        age=st.floats(0, 100),
    ),
    max_size=8,
    unique_by=lambda task: task.id,
)
WANTED = st.builds(
    Wanted, st.integers(0, 5), st.just("new"), st.sampled_from([0, 50, 100]), st.sampled_from([100, 150, 200])
)


@pytest.mark.req("R-0-fargate-scheduler")
@given(WANTED, TASKS)
def test_the_ceiling_is_never_passed_by_starting(wanted: Wanted, tasks: list[TaskView]) -> None:
    """What starts fits beside what is there."""
    verdict = decide(wanted, tasks)
    assert verdict.start == 0 or verdict.start + len(tasks) <= wanted.ceiling


@pytest.mark.req("R-0-fargate-scheduler")
@given(WANTED, TASKS)
def test_stopping_never_takes_good_tasks_below_the_floor(wanted: Wanted, tasks: list[TaskView]) -> None:
    """As many good tasks as there were, or at least the floor, remain."""
    verdict = decide(wanted, tasks)
    before = sum(task.good for task in tasks)
    after = sum(task.good for task in tasks if task.id not in verdict.stop)
    assert after >= min(before, wanted.floor)


@pytest.mark.req("R-0-fargate-scheduler")
@given(WANTED.filter(lambda w: w.ceiling > w.floor or w.desired == 0), TASKS)
def test_it_comes_to_rest(wanted: Wanted, tasks: list[TaskView]) -> None:
    """If all that starts gets healthy, the service ends with exactly what was wanted."""
    for number in range(40):
        verdict = decide(wanted, tasks)
        if not verdict.start and not verdict.stop and all(t.good for t in tasks if t.deployment == "new"):
            break
        tasks = [task for task in tasks if task.id not in verdict.stop]
        tasks = [view(t.id, t.deployment, age=t.age) if not t.bad else t for t in tasks]
        tasks += [view(f"{number}.{n}") for n in range(verdict.start)]
    assert [task.deployment for task in tasks] == ["new"] * wanted.desired
    assert all(task.good for task in tasks)


@pytest.mark.req("R-0-fargate-scheduler")
def test_a_task_without_checks_is_good_when_it_runs() -> None:
    """Health can only be asked of what has a check."""
    assert TaskView("a", "new", True, "UNKNOWN", False, 0).good
    assert not TaskView("a", "new", True, "UNKNOWN", True, 0).good


@pytest.mark.req("R-0-fargate-circuit-breaker")
def test_failures_delay_the_next_start() -> None:
    """Doubling up to the longest delay; a success forgets them."""
    throttle = Throttle(first=1, longest=5)
    delays = [throttle.delay()]
    for _ in range(4):
        throttle.failed()
        delays.append(throttle.delay())
    assert delays == [0, 1, 2, 4, 5]
    throttle.succeeded()
    assert throttle.delay() == 0


@pytest.mark.req("R-0-fargate-circuit-breaker")
@pytest.mark.parametrize(("desired", "threshold"), [(1, 3), (6, 3), (25, 13), (1000, 200)])
def test_the_circuit_breaker_opens_at_ecss_threshold(desired: int, threshold: int) -> None:
    """Half the desired count, at least 3 and at most 200; off, it never opens."""
    breaker = CircuitBreaker.of({"enable": True, "rollback": True}, desired)
    breaker.failures = threshold - 1
    assert not breaker.open
    breaker.failures = threshold
    assert breaker.open
    assert not CircuitBreaker(False, False, threshold, threshold).open
