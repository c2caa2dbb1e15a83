"""Bootstrap of Harrell's C: all draws as one matrix product, against lifelines called draw by draw.

Prints ours, peer and ratio; ``--json FILE`` writes the rows.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from lifelines.utils import concordance_index

from confuselt.survival.concordance import ratio, survival_pairs

PATIENTS, DRAWS, TARGET = 200, 1000, 5.0


def measure() -> dict:
    """Draws per second of both, on the same cohort and the same draws; they must agree."""
    rng = np.random.default_rng(0)
    risk, days = rng.normal(size=PATIENTS), rng.permutation(PATIENTS) + 1.0
    event = (rng.random(PATIENTS) < 0.4).astype(float)
    weights = rng.multinomial(PATIENTS, np.full(PATIENTS, 1 / PATIENTS), size=DRAWS).astype(np.float32)
    start = time.perf_counter()
    ours = ratio(*survival_pairs(risk, days, event).total(weights))
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    peer = []
    for draw in weights.astype(int):
        again = np.repeat(np.arange(PATIENTS), draw)
        peer.append(concordance_index(days[again], -risk[again], event[again]))
    peer_seconds = time.perf_counter() - start
    # lifelines counts a patient drawn twice as a tie with itself where it has an event; means agree closely.
    assert abs(np.mean(ours) - np.mean(peer)) < 5e-3
    value, other = DRAWS / seconds, DRAWS / peer_seconds
    return {
        "name": "bootstrap of C",
        "ours": value,
        "peer": other,
        "peer_name": "lifelines",
        "unit": "draws/s",
        "ratio": value / other,
        "target": TARGET,
        "ok": value / other >= TARGET,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    row = measure()
    print(
        f"{row['name']}: ours {row['ours']:.0f} {row['unit']}, {row['peer_name']} {row['peer']:.0f}, "
        f"ratio {row['ratio']:.1f} (target {row['target']})"
    )
    if given.json:
        given.json.write_text(json.dumps([row]))
