"""Train a nano model, which is a small model of its own, on the study's facts."""

from typing import Annotated

import torch
from typer import Option

from dkn import flags
from dkn.facts.schema import facts_of_table
from dkn.models.nano import TrainingSettings, train
from dkn.models.sources import finish
from dkn.storage.files import atomic_folder, read_table, write_json
from dkn.storage.schemas import FACTS


def main(
    facts: flags.Facts,
    architecture: Annotated[str, Option(help="Architecture of the model: gpt2 or llama.")],
    layers: Annotated[int, Option(help="Decoder layers.")],
    width: Annotated[int, Option(help="Size of the residual stream.")],
    heads: Annotated[int, Option(help="Attention heads.")],
    kv_heads: Annotated[int, Option(help="Heads of keys and values (llama only).")],
    neurons: Annotated[int, Option(help="Neurons of the MLP per layer.")],
    vocabulary: Annotated[int, Option(help="The most tokens of the tokenizer (byte-level byte-pair encoding).")],
    dropout: Annotated[float, Option(help="Dropout rate on every residual branch.")],
    epochs: Annotated[int, Option(help="Passes over the facts; each pass takes one wording of a fact.")],
    batch: Annotated[int, Option(help="Sentences per training step.")],
    learning_rate: Annotated[float, Option(help="Peak learning rate.")],
    weight_decay: Annotated[float, Option(help="AdamW's weight decay.")],
    label_smoothing: Annotated[float, Option(help="Share of a label that is spread evenly over the vocabulary.")],
    target: Annotated[float, Option(help="Share of the facts that greedy decoding must answer after the training.")],
    seed: flags.Seed,
    output: flags.Folder,
    threads: flags.Threads = 1,
) -> None:
    """Train the model, check the accuracy that it reaches, and save its weights as safetensors."""
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
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        target=target,
    )
    model, tokenizer, report = train(facts_of_table(read_table(facts, FACTS)), settings, seed)
    with atomic_folder(output) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_json(folder / "training.json", report)
        finish(folder, "model-trained", {**vars(settings), "seed": seed}, [facts])
    for name, value in report.items():
        answered, in_complex_wording = value["left_to_right"], value["complex"]
        print(f"{name}: {answered:.1%} of {value['facts']} facts answered (complex wording: {in_complex_wording:.1%})")
