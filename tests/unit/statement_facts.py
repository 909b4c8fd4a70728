"""Facts to make statements of."""

from __future__ import annotations

import pandas as pd


def facts_table(rows: list[tuple[str, str, str, str | None, list[str]]]) -> pd.DataFrame:
    """Facts from (id, subject, relation, date, accepted answers), in turn of the training and the test split.

    No answer has a Wikidata id.
    """
    frame = pd.DataFrame(rows, columns=["fact_id", "subject", "relation", "date", "answers"])
    subjects = {name: place for place, name in enumerate(dict.fromkeys(frame["subject"]))}
    return frame.assign(
        answer_ids=[[""] * len(answers) for answers in frame["answers"]],
        answer=[answers[0] for answers in frame["answers"]],
        prompt=[f"The home of {subject} is" for subject in frame["subject"]],
        complex=[f"If you look for {subject}, go to" for subject in frame["subject"]],
        split=[("train", "test")[subjects[subject] % 2] for subject in frame["subject"]],
    )
