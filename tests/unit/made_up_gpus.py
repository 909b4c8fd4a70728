"""GPUs that do not exist: machines whose driver is a script that lists them."""

from __future__ import annotations

from collections.abc import Callable

GPUS = ["GPU-aaaa-0", "GPU-bbbb-1", "GPU-cccc-2"]
Machine = Callable[..., None]
