"""One page on a cohort before anything runs: what is understood, what is left out, what it can tell, what it costs."""

from confuselt.acquire.outcomes import check_readable
from confuselt.acquire.sources import absent_files, cells_warning, check_sources, existing_files, table_notes
from confuselt.check.costs import estimates
from confuselt.check.nuclei import nuclei_described
from confuselt.check.people import counted, events_per_fold, folds_of, read_people
from confuselt.check.tables import described
from confuselt.config.root import Config
from confuselt.embed.card import scale_warning


def page(config: Config) -> tuple[list[str], list[str]]:
    """The page, and the faults for which a run would stop.

    Parameters
    ----------
    config : Config
        The whole config; the training cohort is looked at.

    Returns
    -------
    lines, faults : list of str
    """
    if config.acquire.source != "local":
        return [f"acquire.source is {config.acquire.source}: there are no tables of your own to look at"], []
    lines, faults = described(config)
    nuclei, wrong = nuclei_described(config)
    lines, faults = [*lines, *nuclei, *([""] if nuclei else [])], faults + wrong
    lines = [f"cohort '{config.cohort}', experiment '{config.experiment}'", "", *lines]
    try:
        check_sources(config, config.cohort)
        said = set(lines)
        scale = scale_warning(config.embed.encoder, config.encoder_card, config.tile.mpp)
        notes = [*absent_files(config), *table_notes(config), *filter(None, [cells_warning(config), scale])]
        # How each table is read stands above, beside the table.
        notes = [note for note in notes if f"  {note.partition(': ')[2]}" not in said]
        lines += _section("outcomes, and what to look at", notes)
        people = read_people(config)
        who, over = counted(people, config.max_excluded)
        lines, faults = lines + _section("who is in it", who), faults + over
        check_readable(people.read, config.max_excluded, existing_files(config)["clinical"])
        lines += _section("folds", events_per_fold(people, folds_of(people, config), config))
        able = int((people.patients["status"] == "ok").sum())
        lines += _section("cost", estimates(config, able))
    except ValueError as fault:
        if not any(str(fault) in known for known in faults):
            faults.append(str(fault))
    return lines + _section("faults: mend them, and check again", faults), faults


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *(f"  {line}" for text in lines for line in text.splitlines()), ""] if lines else []
