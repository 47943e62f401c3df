import pytest

from tests.integration.fake_drupal.replay import deviation, recordings, replay

# Exchanges that are deliberately not compared, each with its reason.
NOT_COVERED: dict[str, str] = {}
RECORDED = {5: 54, 6: 284}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dialect", [5, 6])
async def test_the_fake_answers_as_recorded(
    dialect: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = recordings(dialect)
    covered = [recording for recording in found if recording.case not in NOT_COVERED]
    deviations = [
        told
        for recording in covered
        if (told := deviation(recording, await replay(dialect, recording)))
    ]
    matching = len(covered) - len(deviations)
    with capsys.disabled():
        print(f"\nsimple_oauth {dialect}.x: {matching} of {len(found)} recorded cases match")  # noqa: T201 - the count is to be seen
        for case, reason in NOT_COVERED.items():
            print(f"  not covered: {case} ({reason})")  # noqa: T201 - so is every gap
    assert deviations == []
    assert len(found) == RECORDED[dialect]
