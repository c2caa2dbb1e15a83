"""What patients are grouped by where the page looks at slides, cells and the joint space."""

from report.cohort_on_disk import Cohort, run_of

from confuselt.report.sections.looked import _groups


def test_early_and_late_events_are_not_the_endpoint_itself(tmp_path):
    assert list(_groups(run_of(tmp_path, Cohort()))) == ["pam50", "early event of os", "site"]
