"""Time and keep the attribution scores of the PyPI package ``knowledge-neurons`` 0.0.2 on a GPT-2 model.

Runs inside the package's own virtual environment (``peers.py`` makes it) and imports nothing of this project. The
package (EleutherAI, https://pypi.org/project/knowledge-neurons) carries the knowledge neurons of Dai et al. (2022),
"Knowledge Neurons in Pretrained Transformers", https://arxiv.org/abs/2104.08696, over to GPT-2. For one layer and one
answer token y, its ``KnowledgeNeurons.get_scores`` computes

    score_i = x_i / m * sum_{k=0}^{m-1}  dP(y) / dx_i   at  x' = k / (m - 1) * x,        m = ``steps``

Site: x is the output of ``mlp.c_fc`` at the last position, so *before* the activation function. (For BERT the package
hooks the module ``intermediate``, which is after it, as in the paper.)

Baseline: zero. It is the same point as zero neurons, because GELU(0) = 0, but the way from there to the model's own
values is another one, so that layers agree with zero-baseline scores of neurons in what they sum to, not neuron by
neuron.

Quadrature: evenly spaced nodes with *both* ends, each weighing 1 / m. That is neither the left Riemann sum of the
paper's code (nodes k / m) nor the trapezoidal rule (ends at half weight, 1 / (m - 1)); both ends' gradients count
fully while the sum is divided by one node too many.

Several answer tokens: with ``model_type="gpt"`` one term per answer token, and their *mean*. The term of token t is
P(y_t | prompt, g_1 .. g_{t-1}), where g is the model's own greedy continuation (decoded, appended to the prompt's
string, and read again by the tokenizer), not the true answer tokens. With ``model_type="gpt2"``, which the package's
own helper ``model_type("gpt2")`` returns, the loop over tokens is never entered, and an answer of two tokens ends in
an error of autograd; ``"gpt"`` is therefore what is used here.

Cost: per layer and answer token one forward pass for x, and m / batch_size (which must divide m) forward and backward
passes of the whole prompt; logits of all positions; nothing is kept between layers or tokens.

The package works with strings. ``TokenIds`` stands in for a tokenizer: a made-up string spells exactly the token ids
wanted. Nothing in the package's computing is altered.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from knowledge_neurons import KnowledgeNeurons
from torch import Tensor
from transformers import BatchEncoding, GPT2LMHeadModel

PACKAGES = ("knowledge-neurons", "torch", "transformers", "tokenizers", "einops", "numpy")


class TokenIds:
    """The part of a tokenizer that the package uses, for strings that spell token ids: ``<17><4>`` is [17, 4]."""

    @staticmethod
    def spell(tokens: Sequence[int]) -> str:
        """The string of some token ids."""
        return "".join(f"<{token}>" for token in tokens)

    def encode(self, text: str) -> list[int]:
        """The token ids of a string."""
        return [int(number) for number in re.findall(r"<(\d+)>", text)]

    def decode(self, tokens: int | Sequence[int]) -> str:
        """The string of one token id or of several."""
        return self.spell([tokens] if isinstance(tokens, int) else tokens)

    def __call__(self, text: str, return_tensors: str) -> BatchEncoding:
        """Model inputs for one string."""
        ids = self.encode(text)
        return BatchEncoding({"input_ids": [ids], "attention_mask": [[1] * len(ids)]}, tensor_type=return_tensors)


def timed(compute: Callable[[], Tensor], repeats: int) -> list[float]:
    """Wall seconds of some runs, one by one."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - start)
    return seconds


def counted(model: torch.nn.Module, compute: Callable[[], Tensor]) -> tuple[Tensor, int, int]:
    """A result, the model's forward passes it took, and the sequences in them."""
    rows: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda _, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    try:
        result = compute()
    finally:
        handle.remove()
    return result, len(rows), sum(rows)


@torch.no_grad()
def greedy(model: GPT2LMHeadModel, prompt: Sequence[int], count: int) -> list[int]:
    """The model's greedy continuation, ``count`` tokens."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(model(torch.tensor([tokens], device=model.device)).logits[0, -1].argmax()))
    return tokens[len(prompt) :]


def token_list(text: str) -> list[int]:
    """Token ids from a comma-separated argument."""
    return [int(part) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="knowledge-neurons 0.0.2: scores and seconds for one fact")
    parser.add_argument("--model", type=Path, required=True, help="folder of a GPT2LMHeadModel (safetensors)")
    parser.add_argument("--prompt-tokens", type=token_list, required=True, help="comma-separated token ids")
    parser.add_argument("--answer-tokens", type=token_list, required=True, help="comma-separated token ids")
    parser.add_argument("--steps", type=int, default=20, help="nodes (the package's default: 20)")
    parser.add_argument("--batch-size", type=int, default=10, help="divides steps (the package's default: 10)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs, after one warm-up")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frozen", action="store_true", help="parameters without gradients (the package leaves them)")
    parser.add_argument("--by-token", action="store_true", help="write the answer tokens' scores one by one too")
    parser.add_argument("--output", type=Path, required=True, help="npz file to write")
    found = parser.parse_args()
    if found.steps % found.batch_size:
        parser.error(f"--batch-size {found.batch_size} does not divide --steps {found.steps}")
    return found


def main() -> None:
    """Compute, time, write.

    The npz holds ``scores`` (layers, neurons) as the package returns them, ``seconds`` (the median run) and
    ``all_seconds``, ``forward_passes`` and ``forward_sequences`` of one run, ``greedy_tokens`` (what the package
    appended) and ``versions``. With ``--by-token`` also, from one-token calls of the package, ``scores_by_token``
    (tokens, layers, neurons), whose mean is ``scores``, and ``scores_by_true_token``, the same after the true
    answer tokens instead of the greedy ones: their sum is the teacher-forced score.
    """
    given = arguments()
    torch.set_num_threads(given.threads)
    model = GPT2LMHeadModel.from_pretrained(given.model, local_files_only=True, use_safetensors=True)
    model.eval()
    model.requires_grad_(not given.frozen)
    tokenizer = TokenIds()
    package = KnowledgeNeurons(model, tokenizer, model_type="gpt", device=given.device)

    def scores(prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
        found = package.get_scores(
            tokenizer.spell(prompt),
            tokenizer.spell(answer),
            batch_size=given.batch_size,
            steps=given.steps,
            pbar=False,
        )
        return found.detach().cpu()

    prompt, answer = given.prompt_tokens, given.answer_tokens
    warm_up, passes, sequences = counted(model, lambda: scores(prompt, answer))
    seconds = timed(lambda: scores(prompt, answer), given.repeats)
    continuation = greedy(model, prompt, len(answer) - 1)
    written = {
        "scores": warm_up.numpy(),
        "seconds": np.median(seconds),
        "all_seconds": np.array(seconds),
        "forward_passes": np.array(passes),
        "forward_sequences": np.array(sequences),
        "greedy_tokens": np.array(continuation, dtype=np.int64),
        "versions": np.array([f"{name}=={version(name)}" for name in PACKAGES]),
    }
    if given.by_token:
        for name, follows in (("scores_by_token", continuation), ("scores_by_true_token", answer)):
            parts = [scores([*prompt, *follows[:place]], [token]) for place, token in enumerate(answer)]
            written[name] = torch.stack(parts).numpy()
    np.savez(given.output, **written)


if __name__ == "__main__":
    main()
