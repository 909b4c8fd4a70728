"""Places and flags that Snakemake itself puts into commands: taken where they arrive as they are, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.run import paths
from dkn.run.paths import check_checkout, check_cluster, check_conda, check_containers, check_module


@pytest.mark.parametrize("name", ["a b", "it's", "r&d", "(2)", "é☃", "-x", "$HOME", "`ran`", '"', "#1", "a;b", "a\\b"])
def test_a_checkout_may_have_most_names(name: str) -> None:
    check_checkout(Path("/home") / name / "dkn")


@pytest.mark.parametrize("name", ["{x}", "}", "a:b", "a\nb", "a\tb", "\udcff", "a\u2028b"])
def test_a_checkout_whose_path_nothing_carries_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="move or rename the folder") as raised:
        check_checkout(Path("/home") / name / "dkn")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["plain", "a b", "r&d", "(2)", "é", "a;b"])
def test_conda_environments_may_lie_there(name: str) -> None:
    check_conda(Path("/home") / name / ".snakemake")


@pytest.mark.parametrize("name", ["it's", '"', "$HOME", "`ran`", "a\\b", "a!", "a\nb"])
def test_conda_environments_cannot_lie_there(name: str) -> None:
    with pytest.raises(UserError, match="--conda-prefix") as raised:
        check_conda(Path("/home") / name / ".snakemake")
    assert str(raised.value).isprintable()


NOT_PLAIN = ["a b", "it's", "$(ran)", "`ran`", "a;b", "a&b", "(a)", "a|b", "a>b", "*", "#a", "a\nb", "[a]"]


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_containers_need_plain_folders(name: str) -> None:
    check_containers([Path("/home/me/dkn-2"), Path("/home/é")])
    with pytest.raises(UserError, match="--apptainer-prefix") as raised:
        check_containers([Path("/home/me"), Path("/home") / name])
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_clusters_need_an_interpreter_in_a_plain_place(name: str) -> None:
    with pytest.raises(UserError, match="does not quote") as raised:
        check_cluster(f"/home/{name}/bin/python", [])
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("text", ["results=it's", "results=$HOME", "results=`ran`", 'a="b"', "a\\b", "a=b\nc"])
def test_settings_that_a_clusters_shell_would_interpret_are_refused(text: str) -> None:
    check_cluster("/home/me/.venv/bin/python", [Path("/home/r & d"), "compute={device: cuda}", "a=[1, 2]"])
    with pytest.raises(UserError, match="--configfile") as raised:
        check_cluster("/bin/python", ["/home/me/dkn/Snakefile", text])
    assert str(raised.value).isprintable()


def test_a_module_is_of_this_checkout_and_keeps_its_paths(tmp_path: Path) -> None:
    here = Path(paths.__file__).parents[2]
    check_module(here, True)
    with pytest.raises(UserError, match="config: results"):
        check_module(here, False)
    with pytest.raises(UserError, match="another copy of this workflow is loaded already"):
        check_module(tmp_path / "workflow", True)
