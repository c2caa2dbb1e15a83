"""Which instances of a slide a step sees: a matter of seed, epoch and slide, of nothing else.

Whatever reads them (a GPU's memory, a file), in whatever order slides are asked for, the same instances are drawn.
"""

import numpy as np


def drawn(slide: int, length: int, share: int, seed: int, epoch: int) -> np.ndarray:
    """Some instances of a slide, without replacement.

    Parameters
    ----------
    slide : int
        A slide's own number: `number_of` its id.
    length : int
        Instances of the slide.
    share : int
        How many are drawn; less than `length`.
    seed, epoch : int
        A generator per seed, epoch and slide (Philox, a counter-based one: Salmon et al. 2011). Predictions use 0, 0,
        so that what is said of a patient does not depend on who else is predicted.

    Returns
    -------
    (share,) int64
        Ascending.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, slide], counter=[0, 0, 0, epoch]))
    return np.sort(generator.choice(length, share, replace=False, shuffle=False))
