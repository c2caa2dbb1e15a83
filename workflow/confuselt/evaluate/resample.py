"""Bootstrap weights: patients within folds, and whole sites."""

import numpy as np


class Resampling:
    """Weights that every arm, metric and repeat shares, so that differences are paired.

    A patient has one weight per draw, whatever the repeat: repeats split the same patients again and bring no new
    ones. Patients are drawn within the test folds of the first repeat; sites are drawn over the whole cohort, since
    another repeat puts them into other folds.

    Parameters
    ----------
    folds : list of list of str
        Test patients of each fold of the first repeat.
    site : dict of str to str
        Site of each patient that has one. Under two sites nothing can be drawn: `sites` is 0.
    draws : int
    seed : int
    """

    def __init__(self, folds: list[list[str]], site: dict[str, str], draws: int, seed: int) -> None:
        self.draws = draws
        rng, drawn = np.random.default_rng([seed, 17]), [np.zeros((draws, 0))]
        drawn += [rng.multinomial(len(f), np.full(len(f), 1 / len(f)), size=draws) for f in folds if f]
        self._at = {p: i for i, p in enumerate(p for f in folds for p in f)}
        # Row 0 is the sample itself.
        self._patient = np.vstack([np.ones(len(self._at)), np.hstack(drawn)]).astype(np.float32)
        # A patient without a site is a site of its own.
        site = {p: str(site[p]) if p in site else f"none {p}" for p in self._at} if site else {}
        names = sorted(set(site.values()))
        self.sites = len(names) if len(names) > 1 else 0
        if self.sites:
            place = {name: i for i, name in enumerate(names)}
            self._site = np.array([place[site[p]] for p in self._at])
            times = rng.multinomial(self.sites, np.full(self.sites, 1 / self.sites), size=draws)
            self._by_site = np.vstack([np.ones(self.sites), times]).astype(np.float32)

    def patients(self, patients: list[str]) -> np.ndarray:
        """Weights of some patients, (1 + draws, len(patients)) float32; row 0 is 1."""
        return self._patient[:, [self._at[p] for p in patients]]

    def of_sites(self, patients: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Position of each patient's site among those present, and the weights of these.

        Their shapes are (len(patients),) and (1 + draws, present).
        """
        present, group = np.unique(self._site[[self._at[p] for p in patients]], return_inverse=True)
        return group, self._by_site[:, present]
