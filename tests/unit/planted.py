"""A model made by hand whose knowledge neurons are known: docs/method.md's claims can be checked against it.

Every token has a direction of its own in the residual stream; attention adds nothing. For each fact, a question token
and an answer token, several neurons read the question's direction and write the answer's: ``CARRIERS`` in each of two
layers. All other neurons write nothing. Each layer's carriers add ``strength`` to the answer's direction, beside the
question's own 10.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.neurons.sets import NeuronSet

FACTS, CARRIERS, NEURONS, VOCABULARY = 12, 3, 96, 32
QUESTION, ANSWER = 2, 2 + FACTS  # the first question and answer tokens


def planted_model(strength: float) -> Adapter:
    """Fact f: token QUESTION + f is answered by ANSWER + f, through neurons CARRIERS * f … in layers 0 and 1."""
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=16,
            n_embd=VOCABULARY,
            n_layer=2,
            n_head=2,
            n_inner=NEURONS,
            activation_function="relu",
            tie_word_embeddings=False,
            bos_token_id=0,
            eos_token_id=0,
            attn_implementation="eager",
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(1.0 if "ln_" in name and name.endswith("weight") else 0.0)
        model.transformer.wte.weight.copy_(10 * torch.eye(VOCABULARY))
        model.lm_head.weight.copy_(torch.eye(VOCABULARY))
        for block in model.transformer.h:
            block.mlp.c_fc.bias.fill_(-1.0)
            for fact in range(FACTS):
                own = slice(CARRIERS * fact, CARRIERS * (fact + 1))
                block.mlp.c_fc.weight[QUESTION + fact, own] = 1.0
                block.mlp.c_proj.weight[own, ANSWER + fact] = strength / CARRIERS / 3
    return adapt(model)


def fact(number: int, prefix: tuple[int, ...] = (28, 29), answer: int | None = None) -> EncodedFact:
    """A planted fact, or a statement of it with another fact's answer."""
    return EncodedFact(f"f{number}", [*prefix, QUESTION + number], [ANSWER + (number if answer is None else answer)])


def carriers(number: int) -> NeuronSet:
    """The fact's neurons in both layers."""
    own = np.arange(CARRIERS * number, CARRIERS * (number + 1))
    return NeuronSet(np.repeat([0, 1], CARRIERS), np.tile(own, 2))
