"""Read the training store: bags of some slides, with an instance budget, in one packed array."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

IN_MEMORY = 100_000_000  # values; 400 MB as float32
STREAM_SETS = {"tile": ("tile",), "tile-cells": ("tile", "cells")}


@dataclass(frozen=True)
class Packed:
    """Bags end to end.

    Attributes
    ----------
    rows : (N, d) float32
        Streams side by side.
    bag : (N,) int64
        Bag of each row, ascending from 0.
    bags : int
        Number of bags.
    """

    rows: np.ndarray
    bag: np.ndarray
    bags: int


class Bags:
    """Slides of a store that have every stream of a stream set.

    Parameters
    ----------
    store : Path
        ``pack/{recipe}.h5``.
    streams : str
        ``tile`` or ``tile-cells``.

    Attributes
    ----------
    slide_ids, patient_ids : list of str
        Of the usable slides.
    recipe : dict
        Stream to its recipe attributes (name, d, dtype, trained_on; columns, where it came from a table).
    missing : str or None
        Why no slide can be used, where that is so.
    """

    def __init__(self, store: Path, streams: str) -> None:
        self.streams, self._store = STREAM_SETS[streams], store
        self.missing: str | None = None
        self._data: dict[str, np.memmap | np.ndarray] = {}
        self._offsets: dict[str, np.ndarray] = {}
        self.recipe: dict[str, dict] = {}
        with h5py.File(store) as file:
            slides, patients = file["slide_id"].asstr()[()], file["patient_id"].asstr()[()]
            usable = np.ones(len(slides), bool)
            for stream in self.streams:
                offsets = file[stream]["offsets"][()]
                usable &= np.diff(offsets) > 0
                if not (np.diff(offsets) > 0).any():
                    self.missing = self.missing or f"no slide has a usable {stream} stream"
                self._offsets[stream] = offsets
                self._data[stream] = _map(store, file[stream]["features"])
                self.recipe[stream] = {k: _plain(v) for k, v in file[stream].attrs.items()}
        if not usable.any():
            self.missing = self.missing or f"no slide has all of {', '.join(self.streams)}"
        self._at = np.flatnonzero(usable)
        self.slide_ids = [str(s) for s in slides[self._at]]
        self.patient_ids = [str(p) for p in patients[self._at]]
        self.widths = {s: self._data[s].shape[1] for s in self.streams}

        self._scaler: Callable[[np.ndarray], np.ndarray] | None = None
        self._dealt: np.ndarray | None = None

    def scale(self, scaler: Callable[[np.ndarray], np.ndarray]) -> None:
        """Hand out scaled rows from now on; a store that fits memory is scaled once, a larger one row by row."""
        total = len(next(iter(self._data.values())))
        if any(len(d) != total for d in self._data.values()) or total * sum(self.widths.values()) > IN_MEMORY:
            self._scaler = scaler
            return
        scaled = scaler(np.concatenate([np.asarray(self._data[s], np.float32) for s in self.streams], axis=1))
        at = np.cumsum([self.widths[s] for s in self.streams])[:-1]
        self._data = dict(zip(self.streams, np.split(scaled, at, axis=1), strict=True))

    def deal(self, roles: dict[str, list[str]], draw: int) -> None:
        """For the shuffled-cells control: deal the cells rows out anew over the instances of the patients of each role.

        Within a role the cells stream holds the same rows as before, and says nothing of the instance or patient that
        it is now given to. Whoever asks with the same roles and draw gets the same shuffle, whichever of the roles are
        named.

        Parameters
        ----------
        roles : dict of str to list of str
            Some of ``train``, ``inner``, ``test``.
        draw : int
            Number of the control's draw.
        """
        if "cells" not in self.streams:
            raise ValueError(f"streams {', '.join(self.streams)} hold no cells to be shuffled")
        offsets = self._offsets["cells"]
        self._dealt = np.arange(offsets[-1])
        for role, patients in roles.items():
            slides = sorted(i for own in self.of_patients(patients).values() for i in own)
            parts = [np.arange(*offsets[self._at[i] : self._at[i] + 2]) for i in slides]
            rows = np.concatenate(parts) if parts else np.zeros(0, int)
            self._dealt[rows] = np.random.default_rng([draw, *role.encode()]).permutation(rows)

    def __len__(self) -> int:
        return len(self._at)

    def of_patients(self, patients: list[str]) -> dict[str, list[int]]:
        """Positions of the slides of each patient that has any, in the order of `patients`."""
        found: dict[str, list[int]] = {}
        for i, patient in enumerate(self.patient_ids):
            found.setdefault(patient, []).append(i)
        return {p: found[p] for p in patients if p in found}

    def pack(self, bags: list[list[int]], budget: int | None = None, rng: np.random.Generator | None = None) -> Packed:
        """Join slides to bags and put the bags end to end.

        Parameters
        ----------
        bags : list of list of int
            Slide positions of each bag.
        budget : int, optional
            Instances per bag, the same share for each of its slides, drawn without replacement; None: all rows.
        rng : Generator, optional
            None: the draw of a slide depends on its id alone, so that a patient's prediction does not depend on
            who else is predicted.
        """
        parts, sizes = [], []
        for slides in bags:
            share = None if budget is None else max(1, budget // len(slides))
            chosen = [self._rows(i, share, rng) for i in slides]
            parts += chosen
            sizes.append(sum(len(c) for c in chosen))
        rows = np.concatenate(parts) if parts else np.zeros((0, sum(self.widths.values())), np.float32)
        rows = self._scaler(rows) if self._scaler else rows
        return Packed(rows, np.repeat(np.arange(len(bags)), sizes), len(bags))

    def coords(self, slide: int) -> np.ndarray:
        """Top left of a slide's instances, (n, 2) int32, level-0 pixels, in the order of its rows."""
        start, stop = self._offsets[self.streams[0]][self._at[slide] : self._at[slide] + 2]
        with h5py.File(self._store) as file:
            return file[self.streams[0]]["coords"][start:stop]

    def sample_rows(self, slides: list[int], most: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of some slides for fitting a scaler: an equal share of each, at most `most` in all."""
        return self.pack([[i] for i in slides], max(1, most // max(len(slides), 1)), rng).rows

    def _rows(self, slide: int, share: int | None, rng: np.random.Generator | None) -> np.ndarray:
        at = self._at[slide]
        picked = None
        streams = []
        for stream in self.streams:
            start, stop = self._offsets[stream][at : at + 2]
            if share is not None and stop - start > share:
                rng = rng or np.random.default_rng(
                    int.from_bytes(hashlib.sha256(self.slide_ids[slide].encode()).digest()[:8], "big")
                )
                picked = np.sort(rng.choice(stop - start, share, replace=False)) if picked is None else picked
                streams.append(self._data[stream][self._row(stream, start + picked)])
            else:
                streams.append(self._data[stream][self._row(stream, slice(start, stop))])
        return np.concatenate(streams, axis=1).astype(np.float32, copy=False)

    def _row(self, stream: str, at: np.ndarray | slice) -> np.ndarray | slice:
        """Rows of the store that are handed out for some rows of a stream: themselves, but for cells that were dealt out anew."""
        return self._dealt[at] if stream == "cells" and self._dealt is not None else at


def contents(store: Path) -> dict[str, set[str]]:
    """Patient to the content hashes of its bags, of every stream."""
    found: dict[str, set[str]] = {}
    with h5py.File(store) as file:
        patients = file["patient_id"].asstr()[()]
        for stream in (s for s in ("tile", "cells") if s in file):
            for patient, sha in zip(patients, file[stream]["sha"].asstr()[()], strict=True):
                if sha:
                    found.setdefault(str(patient), set()).add(str(sha))
    return found


def widest(store: Path) -> Bags:
    """Bags of tile and cells side by side; of tile alone where no slide has both."""
    bags = Bags(store, "tile-cells")
    return Bags(store, "tile") if bags.missing else bags


def _map(store: Path, dataset: h5py.Dataset) -> np.ndarray:
    """Memory map of a contiguous dataset: rows are drawn without going through HDF5."""
    if dataset.size == 0:
        return np.zeros(dataset.shape, dataset.dtype)
    offset = dataset.id.get_offset()
    if offset is None:
        raise ValueError(f"{store}: {dataset.name} is not contiguous; it was not written by pack")
    return np.memmap(store, dataset.dtype, "r", offset, dataset.shape)


def _plain(value: object) -> object:
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    return value.item() if isinstance(value, np.generic) else value
