"""A nano model trained on the study's facts."""

from typing import Annotated

import torch
from typer import Option

from dkn import flags
from dkn.facts.stored import read_facts_table
from dkn.models.nano import TrainingSettings, train
from dkn.models.sources import finish
from dkn.storage.files import atomic_folder, write_json


def main(
    facts: flags.Facts,
    architecture: Annotated[str, Option(help="gpt2 or llama")],
    layers: Annotated[int, Option(help="Decoder layers.")],
    width: Annotated[int, Option(help="Size of the residual stream.")],
    heads: Annotated[int, Option(help="Attention heads.")],
    kv_heads: Annotated[int, Option(help="Key-value heads (llama).")],
    neurons: Annotated[int, Option(help="MLP neurons per layer.")],
    vocabulary: Annotated[int, Option(help="Largest size of the byte-level BPE.")],
    dropout: Annotated[float, Option(help="Dropout rate on every residual branch.")],
    epochs: Annotated[int, Option(help="Passes over the facts, one wording each.")],
    batch: Annotated[int, Option(help="Sentences per step.")],
    learning_rate: Annotated[float, Option(help="Peak learning rate.")],
    target: Annotated[float, Option(help="Share of facts that must be answered greedily in the end.")],
    seed: flags.Seed,
    output: flags.Folder,
    threads: flags.Threads = 1,
) -> None:
    """Train, check the accuracy reached, and save as safetensors."""
    torch.set_num_threads(threads)
    settings = TrainingSettings(
        architecture=architecture,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        neurons=neurons,
        vocabulary=vocabulary,
        dropout=dropout,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        target=target,
    )
    model, tokenizer, report = train(read_facts_table(facts), settings, seed)
    with atomic_folder(output) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_json(folder / "training.json", report)
        finish(folder, "model-trained", {**vars(settings), "seed": seed}, [facts])
    for name, value in report.items():
        print(f"{name}: {value['left_to_right']:.1%} of {value['facts']} (complex wording: {value['complex']:.1%})")
