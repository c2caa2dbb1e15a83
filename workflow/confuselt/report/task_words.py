"""Names of tasks in words, for who does not know their letters."""

WORDS = {
    "os": "overall survival",
    "pfi": "progression-free interval",
    "dss": "disease-specific survival",
    "dfi": "disease-free interval",
    "pam50": "PAM50 subtype",
}


def spelt(task: str) -> str:
    """``overall survival (os)``; a task of the user's own as they call it."""
    return f"{WORDS[task]} ({task})" if task in WORDS else task
