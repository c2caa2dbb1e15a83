"""What a slide may be called."""


def slide_fault(slide_id: str) -> str | None:
    """Why files cannot be named after a slide: those of a stage lie beside ``index.parquet`` and ``features.h5``."""
    if "/" in slide_id or slide_id.startswith(".") or slide_id in ("index", "features"):
        return (
            f"slide '{slide_id}': files are named after a slide; "
            "give it an id without '/', without '.' at the start, other than index and features"
        )
    return None
