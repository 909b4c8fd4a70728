"""The part of a head that turns, as the factor that transformers multiplies a head's size by."""

from __future__ import annotations

from dkn.models.gguf_rotation import part_of


def test_the_part_of_a_head_is_never_rounded_to_a_smaller_one() -> None:
    for size in range(1, 300):
        for turned in range(1, size + 1):
            assert int(size * part_of(turned, size)) == turned
    assert int(49 * (1 / 49)) == 0  # what a quotient alone would give
