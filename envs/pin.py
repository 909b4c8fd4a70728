"""Write the exact versions of requirements.txt into the environment files here and into pyproject.toml: `make envs`."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def pins() -> dict[str, str]:
    """Package -> version, from requirements.txt."""
    lines = (HERE.parent / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def pinned(text: str) -> str:
    """An environment file's text with every package of its pip section at its pinned version."""
    versions = pins()
    head, section = text.split("  - pip:\n")
    packages = re.findall(r"^ +- ([\w.-]+)", section, flags=re.MULTILINE)
    return head + "  - pip:\n" + "".join(f"      - {name}=={versions[name]}\n" for name in packages)


def pinned_project(text: str) -> str:
    """The text of pyproject.toml with every dependency of the package at its pinned version."""
    versions = pins()
    head, start, rest = text.partition("\ndependencies = [\n")
    listed, end, tail = rest.partition("\n]\n")
    packages = re.findall(r'^  "([\w.-]+)', listed, flags=re.MULTILINE)
    return head + start + "\n".join(f'  "{name}=={versions[name]}",' for name in packages) + end + tail


if __name__ == "__main__":
    project = HERE.parent / "pyproject.toml"
    project.write_text(pinned_project(project.read_text(encoding="utf-8")), encoding="utf-8")
    for path in sorted(HERE.glob("*.yaml")):
        path.write_text(pinned(path.read_text(encoding="utf-8")), encoding="utf-8")
