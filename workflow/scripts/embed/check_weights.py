"""Load the encoder's weights and try them, before any slide is read."""

import logging
from pathlib import Path

from confuselt.device import pick_device
from confuselt.embed.checked import facts_of, try_encoder
from confuselt.embed.encoder import load_encoder
from confuselt.embed.schema import WEIGHTS
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

log = logging.getLogger(__name__)
READS = ("embed.encoder", "embed.card", "embed.sha256")
BACKENDS = ("confuselt.embed.encoders.{embed.card.loader}",)


def main(file: Path, weights: Output, cfg: dict, device: str = "auto") -> None:
    """Write what the file of weights is; an error where it is another one than was stated, or does not fit the card."""
    encoder = load_encoder(cfg["embed.encoder"], cfg["embed.card"], file, pick_device(device))
    if cfg["embed.sha256"] not in (None, encoder.weights):
        raise ValueError(f"{file}: sha256 is {encoder.weights}, embed.sha256 says {cfg['embed.sha256']}")
    try_encoder(encoder)
    table = facts_of(encoder, file)
    row = table.iloc[0]
    log.info("%s: %d parameters, %d features, sha256 %s", row["encoder"], row["parameters"], row["dim"], row["weights"])
    write_table(table, weights, WEIGHTS)


if __name__ == "__main__":
    run_step(main, globals())
