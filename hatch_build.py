"""What an installed package holds besides the library: the workflow, in a folder inside of it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WORKFLOW = (
    *("Snakefile", "rules/*.smk", "scripts/*.py", "report/*", "profiles/*/*", "data/embedded/*"),
    *("config/*.yaml", "config/samples/*", "config/targets/*", "config/published/*"),
    "config/locked/definitions.yaml",
    *("environment.yml", "requirements.lock", "pyproject.toml", "LICENSE", "CITATION.cff"),
)


class Workflow(BuildHookInterface):
    """Puts a copy of the workflow beside the library; a checkout that is installed needs none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files of the workflow to what the wheel holds."""
        if version == "editable":
            return
        for pattern in WORKFLOW:
            for path in Path(self.root).glob(pattern):
                if path.is_file():
                    name = path.relative_to(self.root).as_posix()
                    build_data["force_include"][str(path)] = f"sdssflow/workflow/{name}"
