"""Figure ``enhancement``: what enhancing a fact's neurons regains and loses, on its query and on perturbed ones."""

from dkn import flags
from dkn.figures.perturbation import Setting, make
from dkn.study.names import PERTURBED

SETTING = Setting(
    "Enhancing a fact's neurons, on its query Q and on perturbed queries Q*",
    "enhanced",
    {"regained": (100, "regained (% of facts)"), "lost": (100, "lost (% of facts)")},
    ("accuracy", "accuracy"),
    (PERTURBED, "regained"),
)


def main(summary: flags.Summaries, output: flags.Pdf) -> None:
    """Draw the figure from the stored summaries of the enhancement experiments."""
    make(summary, SETTING, output)
