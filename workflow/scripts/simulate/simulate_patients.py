"""Patients, sheets and count files of a simulated cohort of slides; the truth is written beside them."""

import pandas as pd

from confuselt.progress import progress
from confuselt.rna.star import write_star
from confuselt.run_step import Output, run_step
from confuselt.simulate.sections import centroids as simulated_centroids
from confuselt.simulate.sections import simulate_sections

READS = (
    "simulate.*",
    "-simulate.level",
    "-simulate.tiles",
    "-simulate.modalities",
    "-simulate.cells",
    "-simulate.shared",
)


def main(
    slides: Output, rna: Output, counts: Output, clinical: Output, centroids: Output, truth: Output, cfg: dict
) -> None:
    """Write what a user would bring, but for the slides themselves."""
    cohort = simulate_sections(cfg)
    cohort.slides.to_csv(slides, index=False)
    cohort.clinical.to_csv(clinical, index=False)
    cohort.truth.to_parquet(truth, index=False)
    simulated_centroids().round(4).to_csv(centroids)
    counts.mkdir(exist_ok=True)
    rows = []
    for patient in progress(list(cohort.counts.index), "count files"):
        name = f"{patient}-01A.rna_seq.augmented_star_gene_counts.tsv"
        write_star(cohort.counts.loc[patient], counts / name)
        rows.append({"sample_id": f"{patient}-01A", "patient_id": patient, "file": f"rna/{name}"})
    pd.DataFrame(rows, columns=["sample_id", "patient_id", "file"]).to_csv(rna, index=False)


if __name__ == "__main__":
    run_step(main, globals())
