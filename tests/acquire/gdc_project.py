"""A project of TCGA's form on a loopback server, from the files of a simulated cohort."""

import io

import pandas as pd
from acquire.gdc_server import case

OUTCOMES, SUBTYPES = "1b5f413e-a8d1-4d10-92eb-7c4ae739ed81", "0f31b768-7f67-4fc4-abc3-06ac5bd90bf0"


def barcode(patient, clinical):
    """TCGA barcode of a simulated patient: the site's letters, then its number."""
    site = clinical.set_index("patient_id").at[patient, "site"]
    return f"TCGA-{site[-2:]}-{patient[-4:]}"


def serve_project(server, folder, project="TCGA-BRCA", classes=None):
    """Put slides, counts, a workbook of outcomes and a table of subtypes on the server.

    A normal and a second aliquot are among them. `classes` are other names of the simulated subtypes. Returns the md5
    of the workbook.
    """
    clinical, slides, rna = (pd.read_csv(folder / name) for name in ("clinical.csv", "slides.csv", "rna.csv"))
    for row in slides.itertuples():
        patient = barcode(row.patient_id, clinical)
        name = f"{patient}-01Z-00-DX{row.slide_id[-1]}.0A1B2C3D.svs"
        kind = {"data_type": "Slide Image", "experimental_strategy": "Diagnostic Slide"}
        server.add((folder / row.file).read_bytes(), file_name=name, cases=case(patient, project), **kind)
    kind = {"data_type": "Gene Expression Quantification", "analysis": {"workflow_type": "STAR - Counts"}}
    for i, row in enumerate(rna.itertuples()):
        patient, content = barcode(row.patient_id, clinical), (folder / row.file).read_bytes()
        server.add(
            content,
            file_name=f"{i}.rna_seq.augmented_star_gene_counts.tsv",
            cases=case(patient, project, aliquot=f"{patient}-01A-11R-A144-07"),
            **kind,
        )
        if i == 0:
            server.add(
                b"normal", cases=case(patient, project, "Solid Tissue Normal", f"{patient}-11A-11R-A144-07"), **kind
            )
            server.add(b"older", cases=case(patient, project, aliquot=f"{patient}-01A-11R-A084-07"), **kind)
    # Neighbours that the filters must leave out.
    server.add(
        b"x",
        file_name="TCGA-ZZ-0001-01A-01-TS1.svs",
        data_type="Slide Image",
        experimental_strategy="Tissue Slide",
        cases=case("TCGA-ZZ-0001", project),
    )
    server.add(
        b"x",
        file_name="TCGA-ZZ-0002-01Z-00-DX1.svs",
        data_type="Slide Image",
        experimental_strategy="Diagnostic Slide",
        cases=case("TCGA-ZZ-0002", "TCGA-LUAD"),
    )
    clinical["pam50"] = clinical["pam50"].replace(classes or {})
    server.add(workbook(clinical), file_id=OUTCOMES, file_name="TCGA-CDR-SupplementalTableS1.xlsx")
    server.add(subtypes(clinical), file_id=SUBTYPES, file_name="TCGASubtype.20170308.tsv")
    return server.entries[OUTCOMES].md5


def workbook(clinical):
    """A workbook with the columns of TCGA-CDR."""
    rows = pd.DataFrame({"bcr_patient_barcode": [barcode(p, clinical) for p in clinical["patient_id"]], "type": "BRCA"})
    rows["age_at_initial_pathologic_diagnosis"], rows["gender"] = clinical["age"], "FEMALE"
    rows["ajcc_pathologic_tumor_stage"] = clinical["stage"] + "A"
    for name in ("OS", "DSS", "DFI", "PFI"):
        given = f"{name.lower()}_days" in clinical
        rows[name], rows[f"{name}.time"] = (
            (clinical[f"{name.lower()}_event"], clinical[f"{name.lower()}_days"]) if given else ("#N/A", "#N/A")
        )
    rows["Redaction"] = None
    book = io.BytesIO()
    with pd.ExcelWriter(book, engine="openpyxl") as writer:
        rows.to_excel(writer, sheet_name="TCGA-CDR", index=True)
        pd.DataFrame({"notes": ["x"]}).to_excel(writer, sheet_name="TCGA-CDR_Notes")
    return book.getvalue()


def subtypes(clinical):
    """The table of subtypes: tumours, and a normal sample of the first patient."""
    rows = [(f"{barcode(r.patient_id, clinical)}-01A-11R-A144-07", "BRCA", r.pam50) for r in clinical.itertuples()]
    rows.insert(0, (f"{barcode(clinical['patient_id'][0], clinical)}-11A-11R-A144-07", "BRCA", "Normal"))
    return (
        pd.DataFrame(rows, columns=["pan.samplesID", "cancer.type", "Subtype_mRNA"])
        .to_csv(sep="\t", index=False)
        .encode()
    )
