"""Figure overlap: the neurons that full fine-tuning changes most against the degenerate knowledge neurons."""

from dkn.commands._figures import save
from dkn.commands._flags import FoldersFlag, PdfFlag
from dkn.figures.overlap import Overlap, draw, table
from dkn.headlines import of_experiments
from dkn.io import read_json, read_table
from dkn.tables import CHANGES, OVERLAP_MEMBERS


def main(model: FoldersFlag, output: PdfFlag) -> None:
    """Draw from the stored changes, members and summaries."""
    models = []
    for folder in model:
        experiments = folder / "experiments"
        changes = read_table(experiments / "fine-tuning-all" / "changes.parquet", CHANGES)
        members = read_table(experiments / "overlap-fine-tuning" / "members.parquet", OVERLAP_MEMBERS)
        models.append(Overlap(changes, members, read_json(experiments / "overlap-fine-tuning" / "summary.json")))
    save(draw(models), table(models), output, of_experiments([found.summary for found in models]))
