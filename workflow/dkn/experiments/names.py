"""Names that experiments, summaries, figures and tables share."""

NTC = "ntc"
CLUSTERINGS = ("dbscan", "hierarchical", "kmeans", "hdbscan")  # from the same distances, by scikit-learn and scipy
CONTROL = "random-partition"  # random groups of the same sizes, not tested
TESTED_CONTROL = "random"  # random groups of NTC's sizes that went through the functional test as NTC's did
CONTROLS = (CONTROL, TESTED_CONTROL)
SELECTIONS = {"bdc": "base degenerate components", "candidate": "NTC components (no functional test)"}
