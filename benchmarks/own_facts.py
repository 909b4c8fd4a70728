"""Facts whose answers are what a model says, for models that know nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path

import torch
from random_folder import MADE_UP, SPACE
from transformers.utils import logging

from dkn.decoder.loading import load
from dkn.decoder.prefix import read_prompts

FACTS_FILE = Path(__file__).parents[1] / "resources" / "facts" / "static.jsonl"
ANSWER = 2  # tokens


def chosen_lines(facts: int) -> list[dict]:
    """Lines of the bundled file for three times as many facts, each of another subject, eight facts of a relation."""
    of_relation: dict[str, list[dict]] = {}
    for line in map(json.loads, FACTS_FILE.read_text(encoding="utf-8").splitlines()):
        of_relation.setdefault(line["relation"], []).append(line)
    relations = list(of_relation.values())[: max(2, facts // 8)]
    of_subject: dict[str, dict] = {}
    for line in (line for lines in zip_longest(*relations) for line in lines if line is not None):
        of_subject.setdefault(line["id"].rpartition("_")[0], line)
    return list(of_subject.values())[: 3 * facts]


def with_answer(line: dict, answer: str) -> dict:
    """A line of a facts file with another answer."""
    entity = {"wikidata_id": None, "name": answer}
    return {**line, "answer": [entity], "most_frequent_answer": entity, "most_recent_answer": entity}


def own_answers(folder: Path, dtype: str, threads: int, prompts: dict[str, str]) -> dict[str, str]:
    """What a model goes on with after each of several prompts, where it is made-up words: they read as the same tokens.

    Args:
        folder: the model's folder.
        prompts: the prompts by the ids of their facts; the answers have the same ids.
    """
    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    model = load(folder, "cpu", dtype)
    read = [list(model.tokenizer(prompt)["input_ids"]) for prompt in prompts.values()]
    with torch.no_grad():
        for _ in range(ANSWER):
            state = read_prompts(model.adapter, read, [[len(tokens) - 1] for tokens in read], cache=False).final
            said = model.adapter.unembed(model.adapter.final_norm(state)).argmax(-1)
            read = [[*tokens, int(token)] for tokens, token in zip(read, said, strict=True)]
    answers = {}
    for fact_id, tokens in zip(prompts, read, strict=True):
        words = model.tokenizer.convert_ids_to_tokens(tokens[-ANSWER:])
        if all(word.startswith(MADE_UP) for word in words):
            answers[fact_id] = "".join(words).replace(SPACE, " ").strip()
    return answers


def apart(function: Callable[..., dict[str, str]], *arguments: object) -> dict[str, str]:
    """What a function returns in a process of its own, whose end gives the memory back."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
