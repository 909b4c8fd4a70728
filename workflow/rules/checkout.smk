# Where this workflow's own files lie, also where another workflow uses it as a module; no rule here.
import os
import tarfile
import tempfile
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile, LocalGitFile

IN_MODULE = not workflow.modifier.is_main_snakefile()
IS_DEFAULT = workflow.default_target is None  # a workflow that has a default target already keeps it


def unpacked(source):
    """The folder that a commit's files are unpacked in: of a workflow that Snakemake reads out of a git repository.

    Snakemake fetches single files of one, and the jobs need the library as a folder. It is unpacked once, under the
    commit's name, and put in its place whole.
    """
    import git

    repository = source.hosted_repo.repo if isinstance(source, HostingProviderFile) else git.Repo(source.repo_path)
    commit = repository.commit(source.ref).hexsha
    folder = Path(workflow.source_cache_path) / "unpacked" / commit
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            whole = Path(made) / commit
            with tempfile.TemporaryFile() as packed:
                repository.archive(packed, commit)
                packed.seek(0)
                with tarfile.open(fileobj=packed) as archive:
                    archive.extractall(whole, filter="data")
            try:
                os.rename(whole, folder)
            except OSError:
                if not folder.is_dir():  # another process was first
                    raise
    return folder


SOURCE = workflow.current_basedir
if isinstance(SOURCE, HostingProviderFile | LocalGitFile):
    CHECKOUT = unpacked(SOURCE)
else:
    CHECKOUT = Path(os.path.abspath(SOURCE.get_path_or_uri(secret_free=False))).parents[1]
