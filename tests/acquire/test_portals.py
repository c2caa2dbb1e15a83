"""Clinical tables as the portals hand them out say the same of the same patients."""

import pandas as pd
import pytest

from confuselt.acquire.clinical import read_covariates, read_outcomes
from confuselt.sheets.read import notes_of

PATIENTS = pd.DataFrame(
    {
        "id": ["TCGA-A1-A0SB", "TCGA-A1-A0SD", "TCGA-A2-A04P"],
        "days": [259, 437, 548],
        "dead": [False, False, True],
        "age": ["70", "59", None],
    }
)


def cbioportal(path):
    """Four lines that begin with #, tabs, months, 0:LIVING."""
    rows = ["#Identifier\tAge\tMonths\tStatus", "#Id\tAge\tOS\tOS", "#STRING\tNUMBER\tNUMBER\tSTRING", "#1\t1\t1\t1"]
    rows.append("PATIENT_ID\tAGE\tOS_MONTHS\tOS_STATUS")
    for r in PATIENTS.to_dict("records"):
        status = "1:DECEASED" if r["dead"] else "0:LIVING"
        rows.append(f"{r['id']}\t{r['age'] or '[Not Available]'}\t{r['days'] / 30.4375:.10f}\t{status}")
    path.write_text("\n".join(rows) + "\n")
    return (
        "PATIENT_ID",
        {"time": "OS_MONTHS", "event": "OS_STATUS", "event_is": ["1:DECEASED"], "unit": "months"},
        "AGE",
    )


def xena(path):
    """A row per sample, so that a patient may stand in two that agree."""
    rows = [["sample", "OS", "_PATIENT", "OS.time", "age"]]
    for r in PATIENTS.to_dict("records"):
        rows += [
            [f"{r['id']}-{s}", str(int(r["dead"])), r["id"], str(r["days"]), r["age"] or ""] for s in ("01A", "11A")
        ]
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return "_PATIENT", {"time": "OS.time", "event": "OS"}, "age"


def gdc(path):
    """A row per treatment, '-- for nothing, the time in one of two columns."""
    rows = ["cases.submitter_id\tage\tdays_to_death\tdays_to_last_follow_up\tvital_status\ttreatment"]
    for r in PATIENTS.to_dict("records"):
        times = (r["days"], "'--") if r["dead"] else ("'--", r["days"])
        for treatment in ("Radiation", "Pharmaceutical"):
            told = [r["id"], r["age"] or "'--", *map(str, times), "Dead" if r["dead"] else "Alive", treatment]
            rows.append("\t".join(told))
    path.write_text("\n".join(rows) + "\n")
    time = ["days_to_death", "days_to_last_follow_up"]
    return "cases.submitter_id", {"time": time, "event": "vital_status", "event_is": ["Dead"]}, "age"


def spreadsheet(path):
    """A title, a German Excel's separator and decimal comma, cp1252."""
    rows = ["Tabelle 1: Patientinnen, Größen;;;", "Nr;Tage;tot;Alter"]
    rows += [
        f"{r['id']};{r['days']},0;{'true' if r['dead'] else 'false'};{r['age'] and r['age'] + ',5' or ''}"
        for r in PATIENTS.to_dict("records")
    ]
    path.write_bytes("\r\n".join(rows).encode("cp1252"))
    return "Nr", {"time": "Tage", "event": "tot"}, "Alter"


@pytest.mark.parametrize("portal", [cbioportal, xena, gdc, spreadsheet])
def test_the_same_patients_from_every_portal(tmp_path, portal):
    path = tmp_path / ("clinical.csv" if portal is spreadsheet else "clinical.tsv")
    key, columns, age = portal(path)
    task = {
        "name": "os",
        "event_is": None,
        "unit": "days",
        "factor": 1.0,
        "competing": None,
        "horizons": [365],
    } | columns
    cfg = {"acquire.id_column": key, "acquire.site": None, "acquire.covariates": [age]}
    cfg |= {"tasks.survival": [task], "tasks.labels": []}
    rows = read_outcomes(path, cfg).rows
    assert rows["patient_id"].tolist() == PATIENTS["id"].tolist() and (rows["status"] == "ok").all()
    assert rows["reason"].isna().all()
    assert rows["os_days"].round(3).tolist() == PATIENTS["days"].tolist()
    assert rows["os_event"].tolist() == PATIENTS["dead"].astype(float).tolist()
    ages = read_covariates(path, cfg)[f"covariate_{age}"]
    assert [a and a.split(".")[0] for a in ages] == PATIENTS["age"].tolist()
    if portal is spreadsheet:
        assert len(notes_of(path)) == 4, "title, encoding, separator, decimal comma"
