"""The training store as training reads it: opened once a job, on the device where it fits, else on disk."""

import copy
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch

from confuselt.controls.shuffled_cells import deal_out
from confuselt.device import CPU
from confuselt.learn.draw import drawn
from confuselt.learn.memory import give_back_large_blocks
from confuselt.learn.rows import DeviceRows, DiskRows, spans
from confuselt.learn.whole import Whole
from confuselt.model.packed import Packed
from confuselt.model.scaling import StreamScaler
from confuselt.number import number_of

log = logging.getLogger(__name__)
STREAM_SETS = {"tile": ("tile",), "tile-cells": ("tile", "cells"), "deepcells": ("deep",)}
LEFT_FREE = 5 << 30  # bytes of a GPU that training needs beside the store
READERS = 4  # threads that read while a GPU computes
SOME_ROWS = 32_768  # instances that are looked at together where all of a slide are


@dataclass(frozen=True)
class Drawn:
    """Instances of some bags that are not on the device yet, in the type of their stream.

    Attributes
    ----------
    parts : list of (N, width) or (N,) tensor
        Per stream the rows themselves, or where they lie on the device.
    lengths : list of int
        Instances of each bag.
    """

    parts: list[torch.Tensor]
    lengths: list[int]

    def bags(self, start: int, stop: int) -> "Drawn":
        """Some neighbouring bags."""
        first, size = sum(self.lengths[:start]), sum(self.lengths[start:stop])
        return Drawn([part[first : first + size] for part in self.parts], self.lengths[start:stop])


class Store:
    """Slides of a store that have every stream of a stream set.

    Parameters
    ----------
    path : Path
        ``pack/{recipe}.h5``.
    streams : {"tile", "tile-cells", "deepcells"}
    device : device
        Where models are trained.
    place : {"auto", "device", "host"}
        device: all rows are read to the device now; host: each row when it is asked for. auto: device, where that is a
        GPU with room for the rows and the training beside them; else host, but on a CPU a store that is smaller than a
        batch is read now and scaled once.

    Attributes
    ----------
    slide_ids, patient_ids : list of str
        Of the usable slides.
    recipe : dict
        Stream to its recipe attributes (name, d, dtype, trained_on; columns, where it came from a table).
    widths : dict of str to int
        Features of each stream.
    missing : str or None
        Why no slide can be used, where that is so.
    """

    def __init__(self, path: Path, streams: str, device: torch.device = CPU, place: str = "auto") -> None:
        give_back_large_blocks()
        self.path, self.device, self.streams = path, device, STREAM_SETS[streams]
        self.missing: str | None = None
        self._offsets: dict[str, np.ndarray] = {}
        self.recipe: dict[str, dict] = {}
        rows = {}
        with h5py.File(path) as file:
            slides, patients = file["slide_id"].asstr()[()], file["patient_id"].asstr()[()]
            usable = np.ones(len(slides), bool)
            for stream in self.streams:
                offsets = file[stream]["offsets"][()]
                usable &= np.diff(offsets) > 0
                if not (np.diff(offsets) > 0).any():
                    self.missing = self.missing or f"no slide has a usable {stream} stream"
                self._offsets[stream] = offsets
                rows[stream] = DiskRows(path, file[stream]["features"])
                self.recipe[stream] = {k: _plain(v) for k, v in file[stream].attrs.items()}
        if not usable.any():
            self.missing = self.missing or f"no slide has all of {', '.join(self.streams)}"
        self._at = np.flatnonzero(usable)
        self.slide_ids = [str(s) for s in slides[self._at]]
        self.patient_ids = [str(p) for p in patients[self._at]]
        self.widths = {s: rows[s].width for s in self.streams}
        self.lengths = np.diff(self._offsets[self.streams[0]])[self._at].tolist()
        self._keys = [number_of(s) for s in self.slide_ids]
        self._dealt: np.ndarray | None = None
        self.resident = not self.missing and _resident(sum(r.bytes for r in rows.values()), device, place)
        self._rows = {s: DeviceRows(r, device) if self.resident else r for s, r in rows.items()}
        self._whole: Whole | None = None
        if place == "auto" and device.type == "cpu" and not self.missing and sum(self.lengths) <= SOME_ROWS:
            self._whole = self._read_whole()

    def __len__(self) -> int:
        return len(self._at)

    def of_patients(self, patients: list[str]) -> dict[str, list[int]]:
        """Positions of the slides of each patient that has any, in the order of `patients`."""
        found: dict[str, list[int]] = {}
        for i, patient in enumerate(self.patient_ids):
            found.setdefault(patient, []).append(i)
        return {p: found[p] for p in patients if p in found}

    def deal(self, roles: dict[str, list[str]], draw: int) -> "Store":
        """For the shuffled-cells control: the store with the cells rows dealt out anew within each role.

        Within a role the cells stream holds the same rows as before, and says nothing of the instance or patient that
        it is now given to (`controls.shuffled_cells`).

        Parameters
        ----------
        roles : dict of str to list of str
            Some of ``train``, ``inner``, ``test``.
        draw : int
            Number of the control's draw.
        """
        if "cells" not in self.streams:
            raise ValueError(f"streams {', '.join(self.streams)} hold no cells to be shuffled")
        offsets, dealt, rows = self._offsets["cells"], copy.copy(self), {}
        for role, patients in roles.items():
            slides = sorted(i for own in self.of_patients(patients).values() for i in own)
            parts = [np.arange(*offsets[self._at[i] : self._at[i] + 2]) for i in slides]
            rows[role] = np.concatenate(parts) if parts else np.zeros(0, int)
        dealt._dealt = deal_out(rows, offsets[-1], draw)
        if dealt._whole is not None:
            dealt._whole = dealt._read_whole()
        return dealt

    def draw(self, bags: list[list[int]], budget: int | None = None, seed: int = 0, epoch: int = 0) -> Drawn:
        """Choose the instances of some bags, and read them where they are not on the device.

        Parameters
        ----------
        bags : list of list of int
            Slide positions of each bag.
        budget : int, optional
            Instances per bag, the same share for each of its slides, drawn without replacement; None: all.
        seed, epoch : int
            See `draw.drawn`.
        """
        picked, lengths = [], []
        for slides in bags:
            share = None if budget is None else max(1, budget // len(slides))
            picked += [self._pick(i, share, seed, epoch) for i in slides]
            lengths.append(sum(len(p) for p in picked[len(picked) - len(slides) :]))
        slides = [i for own in bags for i in own]
        if self._whole is not None:
            return Drawn([self._whole.places(slides, picked)], lengths)
        return Drawn([self._fetch(stream, slides, picked) for stream in self.streams], lengths)

    def load(self, some: Drawn, scaler: StreamScaler | None, dtype: torch.dtype = torch.float32) -> Packed:
        """Bags on the device, scaled; their rows as they are for no scaler."""
        if self._whole is not None:
            return Packed(self._whole.scaled(scaler).index_select(0, some.parts[0]), some.lengths)
        parts = self._on_device(some)
        if scaler is None:
            return Packed(torch.cat([part.to(dtype) for part in parts], 1), some.lengths)
        return Packed(scaler(parts, dtype), some.lengths)

    def pack(self, bags: list[list[int]], scaler: StreamScaler | None, budget: int | None = None) -> Packed:
        """Bags as predictions see them: `load` of a `draw` that hangs on the slides alone."""
        return self.load(self.draw(bags, budget), scaler)

    def pieces(
        self, slides: list[int], scaler: StreamScaler | None, budget: int | None = None
    ) -> Iterator[tuple[list[int], Packed]]:
        """Some slides, a bag each, a bounded number of instances at once; a large slide stands alone."""
        lengths = [self.lengths[i] if budget is None else min(self.lengths[i], budget) for i in slides]
        for some in spans(lengths, SOME_ROWS):
            yield slides[some], self.pack([[i] for i in slides[some]], scaler, budget)

    def sample(self, slides: list[int], most: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Rows of some slides as they are, stream to (n, width): an equal share of each, at most `most` in all."""
        return self.raw(self.draw([[i] for i in slides], max(1, most // max(len(slides), 1)), seed))

    def raw(self, some: Drawn) -> dict[str, np.ndarray]:
        """Rows as they are in the store, stream to (n, width)."""
        return {s: part.cpu().numpy() for s, part in zip(self.streams, self._on_device(some), strict=True)}

    def coords(self, slide: int) -> np.ndarray:
        """Top left of a slide's instances, (n, 2) int32, level-0 pixels, in the order of its rows."""
        start, stop = self._offsets[self.streams[0]][self._at[slide] : self._at[slide] + 2]
        with h5py.File(self.path) as file:
            return file[self.streams[0]]["coords"][start:stop]

    def _on_device(self, some: Drawn) -> list[torch.Tensor]:
        """Rows per stream as they are in the store, (N, width), where models are trained."""
        if self._whole is not None:
            return [part.index_select(0, some.parts[0]) for part in self._whole.parts]
        parts = [part.to(self.device, non_blocking=True) for part in some.parts]
        return [self._rows[s].take(at) for s, at in zip(self.streams, parts, strict=True)] if self.resident else parts

    def _read_whole(self) -> Whole:
        """Every instance of every usable slide."""
        slides = list(range(len(self)))
        every = [np.arange(length) for length in self.lengths]
        return Whole([self._fetch(stream, slides, every) for stream in self.streams], self.lengths)

    def _pick(self, slide: int, share: int | None, seed: int, epoch: int) -> np.ndarray:
        """Instances of a slide that are seen, (n,) int64, ascending; the same ones of every stream."""
        length = self.lengths[slide]
        if share is None or length <= share:
            return np.arange(length)
        return drawn(self._keys[slide], length, share, seed, epoch)

    def _fetch(self, stream: str, slides: list[int], picked: list[np.ndarray]) -> torch.Tensor:
        """Rows of a stream, or where they lie on the device."""
        starts = self._offsets[stream][self._at[slides]] if slides else []
        at = [start + own for start, own in zip(starts, picked, strict=True)]
        if stream == "cells" and self._dealt is not None:
            at = [self._dealt[own] for own in at]
        pinned = self.device.type == "cuda"
        if self.resident:
            places = torch.from_numpy(np.concatenate(at) if at else np.zeros(0, int))
            return places.pin_memory() if pinned else places
        rows: DiskRows = self._rows[stream]
        size = sum(len(own) for own in at)
        found = torch.empty(size, rows.width, dtype=rows.kind, pin_memory=pinned)
        outs = np.split(found.numpy(), np.cumsum([len(own) for own in at])[:-1]) if at else []

        def read(own: np.ndarray, out: np.ndarray) -> None:
            if stream == "cells" and self._dealt is not None:
                order = np.argsort(own)
                ascending = np.empty_like(out)
                rows.read(own[order], ascending)
                out[order] = ascending
            else:
                rows.read(own, out)

        if pinned:
            with ThreadPoolExecutor(READERS) as pool:
                list(pool.map(read, at, outs))
        else:
            for own, out in zip(at, outs, strict=True):
                read(own, out)
        return found


def _resident(size: int, device: torch.device, place: str) -> bool:
    """Whether the rows go to the device."""
    if place != "auto":
        return place == "device"
    if device.type != "cuda":
        return False
    fits = size + LEFT_FREE <= torch.cuda.mem_get_info(device)[0]
    log.info("store of %.1f GB %s", size / 1e9, "is read to the GPU" if fits else "stays on disk: the GPU has no room")
    return fits


def contents(store: Path) -> dict[str, set[str]]:
    """Patient to the content hashes of its bags, of every stream."""
    found: dict[str, set[str]] = {}
    with h5py.File(store) as file:
        patients = file["patient_id"].asstr()[()]
        for stream in (s for s in ("tile", "cells", "deep") if s in file):
            for patient, sha in zip(patients, file[stream]["sha"].asstr()[()], strict=True):
                if sha:
                    found.setdefault(str(patient), set()).add(str(sha))
    return found


def widest(path: Path) -> str:
    """Stream set with tile and cells side by side; with tile alone where no slide has both."""
    with h5py.File(path) as file:
        tile, cells = (np.diff(file[stream]["offsets"][()]) > 0 for stream in ("tile", "cells"))
    return "tile-cells" if (tile & cells).any() else "tile"


def _plain(value: object) -> object:
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    return value.item() if isinstance(value, np.generic) else value
