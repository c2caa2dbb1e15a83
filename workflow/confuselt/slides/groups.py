"""Groups of slides: the jobs of `tile`, `embed` and `cells`. Which group a slide is in follows from its id alone."""

from confuselt.number import number_of


def group_of(slide_id: str, groups: int) -> int:
    """Group of a slide, 0 to ``groups`` - 1."""
    return number_of(slide_id) % groups
