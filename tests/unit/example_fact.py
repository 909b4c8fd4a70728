"""One fact's neurons, distances and components, made by hand, to draw."""

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dkn.figures.example import Example


def made_example() -> Example:
    """Layers 0 0 1 1 2. Pair {0, 2} is a component that passed, {1, 3} one that failed, 4 is in none."""
    neurons = pd.DataFrame(
        {"place": range(5), "layer": [0, 0, 1, 1, 2], "neuron": [7, 8, 5, 6, 3], "score": [0.2, 0.1, 0.4, 0.1, 0.3]}
    )
    pairs = [(0, 2, 1.0), (1, 3, 2.0), (0, 3, 5.0), (2, 4, 6.0), (0, 4, 7.0), (1, 2, 8.0)]
    components = pd.DataFrame(
        {"places": [np.array([1, 3]), np.array([0, 2])], "birth": [2.0, 1.0], "kept": [False, True]}
    )
    distances = pd.DataFrame(pairs, columns=["first", "second", "distance"])
    return Example("model", "“a … b”", neurons, distances, components, 0.9)


LOOPS = pd.DataFrame({"birth": [3.0, 4.0], "death": [6.0, np.inf]})


def drawn(figure: Figure) -> None:
    """Draw the whole figure, which must have panels."""
    FigureCanvasAgg(figure).draw()  # the canvas that a figure is made with draws nothing
    assert figure.axes
