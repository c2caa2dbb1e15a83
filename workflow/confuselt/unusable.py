"""The one exception for a datum that cannot be used."""


class Unusable(Exception):
    """A slide, sample or patient cannot be used.

    The stage writes an index row ``status=excluded`` with this reason and goes on with the rest. Anything that is not
    about one datum is raised as another exception and fails the job.
    """


class NotAvailable(Exception):
    """A task or an arm cannot be fed by this cohort (no such stream, no RNA, one class, no events).

    It becomes rows ``status=not available`` with this reason.
    """
