"""Figure ``suppression``: what losing its neurons costs a fact, on its query and on perturbed ones."""

from dkn import flags
from dkn.figures.perturbation import Setting, make

SETTING = Setting(
    "Suppressing a fact's neurons, on its query Q and on perturbed queries Q*",
    "suppressed",
    {"drop": (100, "mean drop in Prob (%)"), "nats": (1, "loss of log Prob (nats)")},
    ("prob", "Prob"),
)


def main(summary: flags.Summaries, output: flags.Pdf) -> None:
    """Draw from stored summaries."""
    make(summary, SETTING, output)
