"""A module that is loaded by a name which the config or a slide chooses: a file of a folder of backends."""

import re
from importlib import import_module
from types import ModuleType


def module_name(name: str) -> str:
    """Name of the module of a backend: what cannot stand in one is ``_``."""
    return re.sub("[^a-z0-9_]", "_", name)


def load_backend(folder: str, name: str) -> ModuleType:
    """A backend of a folder of the package, ``"slides.readers"``; the script states it in its ``BACKENDS``."""
    return import_module(f"confuselt.{folder}.{module_name(name)}")
