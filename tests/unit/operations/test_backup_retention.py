"""Which backups stay: seven days by age, the last three always, and no others are touched (design 9.2)."""

from pathlib import Path

import pytest

from tests.unit.operations.backups import DAY, NOON, BackedUp

pytestmark = pytest.mark.req("R-9.2-retention")


@pytest.fixture
def site(tmp_path: Path) -> BackedUp:
    """A deployed folder, and two disks."""
    return BackedUp(tmp_path)


def _ages(site: BackedUp, ages: list[int]) -> dict[int, str]:
    """Backups so many seconds old at noon, without running the script at each; their names by age."""
    first = site.made(at=NOON - ages[0])
    names = {ages[0]: first.name} | {age: site.older(first, NOON - age) for age in ages[1:]}
    site.set("now", str(NOON))
    return names


@pytest.mark.parametrize("disk", [0, 1])
def test_seven_days_are_kept_to_the_second(site: BackedUp, disk: int) -> None:
    """One of just seven days stays, one a second older goes, with its manifest, on both disks (F86)."""
    week = 7 * DAY
    names = _ages(site, [week + 3600, week + 1, week, week - 1, 6 * DAY, DAY])
    assert site.backup().returncode == 0
    left = {path.name for path in site.archives(disk)}
    assert left.isdisjoint({names[week + 3600], names[week + 1]})
    assert left > {names[week], names[week - 1], names[6 * DAY], names[DAY]}
    manifests = {path.name.removesuffix(".manifest") for path in site.disks[disk].glob("*.manifest")}
    assert manifests == left


def test_the_last_three_stay_whatever_their_age(site: BackedUp) -> None:
    """A host that was off for a year, or whose clock is wrong, keeps the new one and the two before it."""
    year = 365 * DAY
    names = _ages(site, [year, year + DAY, year + 2 * DAY])
    assert site.backup().returncode == 0
    left = [path.name for path in site.archives()]
    assert left[:2] == [names[year + DAY], names[year]]
    assert len(left) == 3


def test_weekly_and_daily_ones_are_counted_apart(site: BackedUp) -> None:
    """A year of daily ones removes no weekly one."""
    weekly = site.made("weekly", at=NOON - 365 * DAY)
    _ages(site, [8 * DAY + n for n in range(5)])
    assert site.backup().returncode == 0
    assert weekly.exists()
    assert len([path for path in site.archives() if "daily" in path.name]) == 3


def test_what_is_not_this_scripts_stays(site: BackedUp) -> None:
    """The owner's own files, archives without a manifest, and another system's beside them."""
    _ages(site, [8 * DAY + n for n in range(4)])
    others = ["holiday.jpg", "mailserver-daily-old.tar.age", "mailserver-daily-20200101T000000Z.tar.age"]
    others += ["mailserver-daily-20200101T000000Z.tar.age.mine", "backup.tar.age.manifest"]
    for name in others:
        (site.disks[1] / name).write_text("mine")
    assert site.backup().returncode == 0
    assert [name for name in others if not (site.disks[1] / name).exists()] == []
    assert len(site.archives()) == 3 + 2


def test_nothing_is_removed_before_the_new_one_is_whole(site: BackedUp) -> None:
    """The clock's next run removes what this one, which failed, has left."""
    names = _ages(site, [8 * DAY + n for n in range(5)])
    site.set("database", "down")
    assert site.backup().returncode == 1
    assert {path.name for path in site.archives()} == set(names.values())
    site.set("database", "")
    assert site.backup().returncode == 0
    assert len(site.archives()) == 3
