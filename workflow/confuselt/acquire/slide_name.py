"""What a slide may be called."""

# Bytes of a file's name, of which the longest that is made of a slide, ".partial..<slide>.nuclei.parquet.json", takes
# 30 beside the slide's own.
MOST_BYTES = 255 - 30


def slide_fault(slide_id: str) -> str | None:
    """Why files cannot be named after a slide: those of a stage lie beside ``index.parquet`` and ``features.h5``."""
    if "/" in slide_id or slide_id.startswith(".") or slide_id in ("index", "features"):
        return (
            f"slide '{slide_id}': files are named after a slide; "
            "give it an id without '/', without '.' at the start, other than index and features"
        )
    if (length := len(slide_id.encode())) > MOST_BYTES:
        return (
            f"slide '{slide_id[:40]}...': files are named after a slide, and {length} bytes leave no room for their "
            f"endings; give it an id of at most {MOST_BYTES}"
        )
    return None
