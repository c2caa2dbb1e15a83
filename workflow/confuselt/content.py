"""Content hash of a result file: arrays and tables without stamps.

"Identical" everywhere in this project means: the same content hash.
"""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

STAMP = "stamp"
BAGS = ("features", "coords")


def array_hash(*arrays: np.ndarray) -> str:
    """Sixteen hex digits over dtype, shape and bytes of the arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]


def frame_hash(frame: pd.DataFrame) -> str:
    """Sixteen hex digits over the column names and values of a table."""
    digest = hashlib.sha256(repr(list(frame.columns)).encode())
    for column in frame.columns:
        digest.update(pd.util.hash_pandas_object(frame[column], index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def content_key(path: Path) -> str:
    """Content hash that never reads bags whose own hashes the file states (the training store).

    It is what kept work is known by, whatever the size.
    """
    return _hdf5_hash(path, stated=True) if Path(path).suffix == ".h5" else content_hash(path)


def content_hash(path: Path) -> str:
    """Content hash of a .parquet, .h5, .h5ad, .json or .pt file; of the bytes for anything else."""
    path = Path(path)
    if path.suffix == ".parquet":
        return frame_hash(pq.read_table(path).to_pandas())
    if path.suffix in {".h5", ".h5ad"}:
        return _hdf5_hash(path)
    if path.suffix == ".json":
        loaded = json.loads(path.read_text())
        if isinstance(loaded, dict):
            loaded.pop(STAMP, None)
        return hashlib.sha256(json.dumps(loaded, sort_keys=True).encode()).hexdigest()[:16]
    if path.suffix == ".pt":
        import torch  # only here: most readers of this module never need it

        loaded = torch.load(path, weights_only=True)
        loaded.pop(STAMP, None)
        return hashlib.sha256("".join(_walk(loaded)).encode()).hexdigest()[:16]
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _walk(value: object) -> list[str]:
    if isinstance(value, dict):
        return [part for key in sorted(value, key=str) for part in (str(key), *_walk(value[key]))]
    if isinstance(value, list | tuple):
        return [part for item in value for part in _walk(item)]
    if hasattr(value, "detach"):
        return [array_hash(value.detach().cpu().numpy())]
    return [repr(value)]


def _hdf5_hash(path: Path, stated: bool = False) -> str:
    digest = hashlib.sha256()

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if name.split("/")[-1] == STAMP or "/stamp/" in f"/{name}/":
            return
        for key in sorted(node.attrs):
            if key != STAMP:
                digest.update(f"{name}@{key}={node.attrs[key]!r}".encode())
        if stated and name.split("/")[-1] in BAGS and "sha" in node.parent:
            return
        if isinstance(node, h5py.Dataset):
            value = node[()]
            if isinstance(value, np.ndarray) and value.dtype != object:
                digest.update(f"{name}{array_hash(value)}".encode())
            else:
                digest.update(f"{name}{value if not isinstance(value, np.ndarray) else value.tolist()!r}".encode())

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return digest.hexdigest()[:16]
