"""The neuron explorer's page of one fact (docs/explorer.md)."""

from __future__ import annotations

from plotly.offline import get_plotlyjs

from dkn.one_fact.analysis import OneFact
from dkn.one_fact.answer import made_by
from dkn.pages.explorer import Settings, Tables, explorer_data, model_description
from dkn.pages.template import look
from dkn.pages.template import page as filled
from dkn.stages import PACKAGE


def page(fact: OneFact) -> str:
    """Return the page as HTML, one file that needs neither a server nor a network.

    Args:
        fact: what ``attribute`` returned.
    """
    test = fact.functional_test
    settings = Settings(fact.clustering, test.test, test.tau2, None, fact.study.seed, test.lone)
    joined = fact.frame.reset_index(drop=True)
    tables = Tables(joined, fact.neurons, fact.distances, fact.diagrams, fact.components, fact.degeneracy)
    data = explorer_data(tables, settings)
    model = fact.model
    description = model_description(model.name, model.record, model.parameters)
    data |= {"provenance": made_by(fact), "model": {"name": model.name, "description": description}, "look": look()}
    template = PACKAGE / "pages" / "explorer.html"
    frame, style, script = (
        template.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".html", ".css", ".js")
    )
    return filled(frame, model.name, style, get_plotlyjs(), script, data)
