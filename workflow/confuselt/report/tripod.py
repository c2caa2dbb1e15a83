"""TRIPOD+AI (Collins et al., BMJ 2024) from a run: every item in the order of the checklist."""

from confuselt.report import tripod_analysis, tripod_results, tripod_study

ITEMS = (*tripod_study.ITEMS, *tripod_analysis.ITEMS, *tripod_results.ITEMS)
