"""Figure ``suppression``: what suppressing a fact's neurons costs, on its query and on perturbed ones."""

from dkn import flags
from dkn.figures.perturbation import Setting, make
from dkn.study.names import ORIGINAL

SETTING = Setting(
    "Suppressing a fact's neurons, on its query Q and on perturbed queries Q*",
    "suppressed",
    {"drop": (100, "mean drop in Prob (%)"), "nats": (1, "loss of log Prob (nats)")},
    ("prob", "Prob"),
    (ORIGINAL, "drop"),
)


def main(summary: flags.Summaries, output: flags.Pdf) -> None:
    """Draw the figure from the stored summaries of the suppression experiments."""
    make(summary, SETTING, output)
