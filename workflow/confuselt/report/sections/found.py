"""What was found: the planned answers as intervals, what each kind of input reaches, beside controls and chance."""

from pathlib import Path

import pandas as pd

from confuselt.report.answers import METRIC_WORDS, answers, joint_model, too_small, without_pam50
from confuselt.report.answers_figure import answers_figure, contrasts
from confuselt.report.dropped import dropped_genes
from confuselt.report.found import found_figure, in_words, missing_controls, panels, shown_arms
from confuselt.report.planted import against, needed, planted, sentence
from confuselt.report.questions import questions
from confuselt.report.run import Run
from confuselt.report.scoreboard import scoreboard
from confuselt.report.section import Content, Section, pictures
from confuselt.report.sections.believed import held, safeguards
from confuselt.report.task_words import spelt


def make(run: Run) -> Content:
    """See `Section.make`."""
    tables, cfg = run.tables, run.cfg
    shown = panels(tables["metrics"], tables["retrieval"], run.headline, cfg["evaluate.plan"])
    told = answers(tables["comparisons"], cfg)
    first = run.first_tasks
    rows = contrasts(tables["comparisons"], first, cfg["evaluate.plan"])
    metric = dict(run.headline)
    facts = {
        "answers": told,
        "believed": held(safeguards(run)),
        "others": _other_verdicts(tables["comparisons"], cfg),
        "from_rna": [task["name"] for task in cfg["tasks.labels"] if task["from_rna"]],
        "too_small": too_small(tables["comparisons"]),
        "uncontrolled": missing_controls(tables["metrics"], tables["retrieval"]),
        "shown_arms": shown_arms(shown),
        "scoreboards": {task: scoreboard(tables["metrics"], task, metric[task]) for task in first},
        "decides": _decides(run),
        "measures": {task: METRIC_WORDS[metric[task]] for task in first},
        "planted": _planted(run) if cfg["acquire.source"] == "simulate" else None,
        "joint": joint_model(tables["comparisons"]),
        "without": without_pam50(tables["comparisons"], dropped_genes(run.sources.reduced)),
    }
    data = pd.DataFrame([{"panel": p["title"], **row} for p in shown for row in p["rows"]])
    return Content(
        reached(first[:1], facts["scoreboards"], facts["measures"]),
        facts,
        pictures(
            answers=(answers_figure(rows), " ".join(line for a in told for line in a["lines"]), rows),
            found=(found_figure(shown), " ".join(in_words(panel) for panel in shown), data),
        ),
    )


def reached(tasks: list[str], boards: dict[str, list[dict]], measures: dict[str, str]) -> str:
    """How good the best of every kind is, on the task that decides."""
    said = [
        f"{measures[task]} of {spelt(task)}: " + ", ".join(f"{row['kind']} {row['value']:.2f}" for row in boards[task])
        for task in tasks
    ]
    return f"{said[0]}." if said else "No task could be scored."


def _decides(run: Run) -> str:
    """What `Run.first_tasks` are, in words."""
    first = "the primary endpoint" if run.primary else "the label that decides"
    return f"{first} and the first label" if len(run.first_tasks) > 1 else first


def _other_verdicts(comparisons: pd.DataFrame, cfg: dict) -> dict[str, dict[str, str]]:
    """Verdict of each planned question on every other task that was compared, by the question in words."""
    rows = comparisons[(comparisons["family"] == "primary") & (comparisons["status"] == "ok")]
    rows = rows[(rows["task"] != cfg["evaluate.primary"]) & rows["metric"].isin(["harrell_c", "auc_macro"])]
    return {
        question.asks: dict(rows.loc[rows["question"] == name, ["task", "verdict"]].itertuples(index=False))
        for name, question in questions(cfg["evaluate.plan"]["contrasts"]).items()
    }


def _planted(run: Run) -> dict[str, object]:
    """Sentences on what was planted, what open questions would need, and the answers that contradict it."""
    truth, comparisons = planted(run.sources.grids is not None, run.cfg), run.tables["comparisons"]
    return {
        "said": sentence(truth, run.cfg["simulate.effect"]),
        "needed": needed(comparisons, run.cfg["evaluate.primary"]),
        "against": against(truth, comparisons),
    }


SECTION = Section("found", "What was found", Path(__file__).with_name("found.html.j2"), make)
