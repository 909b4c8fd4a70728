"""Write the exact versions of requirements.txt into the environment files beside this script: `make envs`."""

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


if __name__ == "__main__":
    for path in sorted(HERE.glob("*.yaml")):
        path.write_text(pinned(path.read_text(encoding="utf-8")), encoding="utf-8")
