"""What an arm adds to clinical covariates: the likelihood ratio against lifelines, the Brier difference by hand."""

import numpy as np
import pandas as pd
import pytest

from confuselt.config.learning import Plan
from confuselt.evaluate.added_value import added_value_curves, compare_brier, likelihood_ratio
from confuselt.evaluate.comparisons import comparisons_table
from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.schema import COMPARISONS
from confuselt.evaluate.scores import Scorer
from confuselt.finetune.schema import CURVES
from confuselt.finetune.targets import Targets
from confuselt.survival.ipcw import Censoring, brier_terms
from confuselt.tables import check_table

ARM = "both-pretrained-cells"
NAMES = {"clinical": "clinical", ARM: "both", f"clinical+{ARM}": "both"}


def cohort(strength, n=240, seed=0):
    """Age and an image score; the image matters with `strength`."""
    rng = np.random.default_rng(seed)
    age, image = rng.normal(size=n), rng.normal(size=n)
    hazard = 0.7 * age + strength * image
    days, follow = rng.exponential(500 / np.exp(hazard)), rng.uniform(300, 2000, n)
    return age, image, hazard, np.minimum(days, follow), (days <= follow).astype(float), np.arange(n) % 3


@pytest.fixture(scope="module")
def world():
    age, image, hazard, days, event, fold = cohort(0.8)
    ids = [f"P{i:03d}" for i in range(len(age))]
    parts = []
    for name, risk in zip(NAMES, (0.7 * age, 0.8 * image, hazard), strict=True):
        for output, value in (("risk", risk), ("surv_400", np.exp(-400 / 500 * np.exp(risk)))):
            parts.append(
                pd.DataFrame(
                    {
                        "patient_id": ids,
                        "arm": name,
                        "draw": 0,
                        "inputs": NAMES[name],
                        "repeat": 0,
                        "fold": fold,
                        "task": "os",
                        "output": output,
                        "value": value,
                    }
                )
            )
    targets = Targets(ids, {"os": (days, event)}, {}, {}, {"os": [400]})
    resampling = Resampling([ids[k::3] for k in range(3)], {p: f"S{i % 20}" for i, p in enumerate(ids)}, 200, 1)
    return Scorer(pd.concat(parts, ignore_index=True), targets, resampling)


def test_likelihood_ratio_is_that_of_lifelines():
    from lifelines import CoxPHFitter

    age, image, _, days, event, _ = cohort(0.5)
    frame = pd.DataFrame({"age": age, "image": image, "days": days, "event": event})
    one, two = (
        CoxPHFitter().fit(frame[[*c, "days", "event"]], "days", "event").log_likelihood_
        for c in (["age"], ["age", "image"])
    )
    assert likelihood_ratio(age, image, days, event, np.zeros(len(age))) == (
        pytest.approx(2 * (two - one), rel=1e-6),
        None,
    )
    for nothing in (
        likelihood_ratio(age, image, days, 0 * event, np.zeros(len(age))),
        likelihood_ratio(age, 0 * image, days, event, np.zeros(len(age))),
    ):
        assert np.isnan(nothing[0]) and nothing[1] == "no events, or a score that is the same for everyone"


def test_what_adds_nothing_stays_under_the_bound_most_of_the_time():
    values = [likelihood_ratio(a, i, d, e, f)[0] for a, i, _, d, e, f in (cohort(0.0, seed=s) for s in range(20))]
    assert np.mean(np.array(values) > 3.84) <= 0.25 and np.mean(values) < 2.5


def test_curves(world):
    rows = added_value_curves(world, list(NAMES), {}, {})
    table = pd.DataFrame(rows).reindex(columns=list(CURVES.columns))
    check_table(table, CURVES)
    assert table[table["curve"] == "likelihood-ratio"]["value"].item() > 20
    benefit = table[(table["curve"] == "net-benefit") & (table["x"] == 0.5)].set_index("arm")["value"]
    assert benefit[f"clinical+{ARM}"] > benefit["clinical"] and set(benefit.index) == {
        "clinical",
        f"clinical+{ARM}",
        "treat all",
    }


def test_curves_where_a_repeat_a_patient_or_the_follow_up_is_missing(world):
    """The arm lacks the first repeat; then nobody has an outcome; then nobody is followed to the horizon."""
    ids, (days, event) = world.targets.patients, world.targets.survival["os"]
    parts = [
        t.melt(ignore_index=False, var_name="output")
        .reset_index()
        .assign(arm=a, draw=0, inputs=i, task="os", repeat=r, fold=f)
        for a, i in NAMES.items()
        for (_, f), t in world.tables(a, 0, i, "os").items()
        for r in (0, 1)
    ]
    rows = pd.concat(parts, ignore_index=True)
    late = rows[~((rows["arm"] == ARM) & (rows["repeat"] == 0))]

    def curves(rows, days, event):
        found = added_value_curves(
            Scorer(rows, Targets(ids, {"os": (days, event)}, {}, {}, {"os": [400]}), world.resampling),
            list(NAMES),
            {},
            {},
        )
        return pd.DataFrame(found).reindex(columns=list(CURVES.columns))

    assert set(curves(late, days, event)["repeat"]) == {1}
    nobody = curves(rows, np.full(len(ids), np.nan), np.full(len(ids), np.nan))
    assert nobody["curve"].tolist() == ["likelihood-ratio"] and nobody["reason"].notna().all()
    short = curves(rows, np.minimum(days, 300), np.where(days > 300, 0, event))
    assert short["curve"].tolist() == ["likelihood-ratio"] and short["value"].notna().all()


def test_brier_difference_by_hand(world):
    ids = world.targets.patients
    censoring = {}
    for fold in range(3):
        train = [p for i, p in enumerate(ids) if i % 3 != fold]
        censoring["os", (0, fold)] = Censoring(*world.targets.take(train).survival["os"])
    table = comparisons_table(
        compare_brier(world, list(NAMES), censoring, {"evaluate.min_events": 20, "evaluate.plan": Plan().model_dump()})
    )
    check_table(table, COMPARISONS)
    row = table.iloc[0]
    terms = []
    for fold in range(3):
        frames = [
            world.tables(a, 0, i, "os")[0, fold] for a, i in ((f"clinical+{ARM}", "both"), ("clinical", "clinical"))
        ]
        known = world.targets.take(list(frames[0].index)).survival["os"]
        terms.append(
            [
                brier_terms(f[["surv_400"]].to_numpy(), *known, np.array([400.0]), censoring["os", (0, fold)])[:, 0]
                for f in frames
            ]
        )
    by_hand = np.concatenate([t[0] for t in terms]).mean() - np.concatenate([t[1] for t in terms]).mean()
    assert (
        row["status"] == "ok"
        and row["difference"] == pytest.approx(by_hand)
        and row["difference"] < 0
        and row["horizon_days"] == 400
    )
