"""A page for one patient: what every stage made of them, predictions, slides in layers, whom they resemble."""

from pathlib import Path

import matplotlib.pyplot as plt

from confuselt.report.patient import Patient, PatientSources, build_patient
from confuselt.run_step import Output, run_step

READS = ("experiment", "cohort", "tasks.survival", "tasks.labels", "rna.matrix", "evaluate.primary")


def main(sources: PatientSources, page: Output, cfg: dict, patient: str) -> None:
    """Render the page."""
    Path(page).write_text(build_patient(Patient(patient, sources, cfg)), encoding="utf-8")
    plt.close("all")


if __name__ == "__main__":
    run_step(main, globals())
