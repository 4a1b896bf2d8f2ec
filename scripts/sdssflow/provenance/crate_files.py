"""The files of a crate: results, sources, records and the copy of the workflow."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sdssflow.provenance.digests import Content, read_content
from sdssflow.provenance.lineage import RESULTS, Lineage

WORKFLOW = "workflow"  # folder of the copy, in the crate
BINARY = "application/octet-stream"
FORMATS = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".hdf5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".safetensors": BINARY,
    ".skops": BINARY,
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


class CrateFiles:
    """Adds files to a crate and knows them by the paths that the records use.

    Parameters
    ----------
    crate : rocrate.rocrate.ROCrate
        The crate; its root is the folder ``results/``.
    root : path-like
        Folder of the Snakefile: a source in it is in the copy of the workflow too.
    copied : iterable of str
        Files of the copy, relative to it.
    """

    def __init__(self, crate: Any, root: str | Path, copied: Iterable[str]):
        self.crate = crate
        self.root = Path(root)
        self.copied = set(copied)
        self.by_path: dict[str, Any] = {}

    def add_workflow(self, scripts: dict[str, dict[str, Any]]) -> None:
        """Add the copy of the workflow; `scripts` gives some of its files further properties."""
        for name in sorted(self.copied):
            content = read_content(Path(RESULTS) / WORKFLOW / name)
            self._add(f"{WORKFLOW}/{name}", content, Path(name).name, scripts.get(name, {}))

    def add_lineage(self, lineage: Lineage) -> None:
        """Add what the records name, and the records."""
        for path, content in sorted(lineage.sources.items()):
            self.by_path[path] = self._source(path, content)
        for path in lineage.unrecorded:
            if path not in self.by_path and Path(path).exists():
                self.by_path[path] = self._result(path, read_content(path))
        for record_path, record in lineage.records.items():
            for path, content in record["outputs"].items():
                self.by_path[path] = self._result(path, Content(**content))
            name = Path(record_path).relative_to(RESULTS).as_posix()
            self.by_path[record_path] = self._add(name, read_content(record_path), name, {})

    def entities(self, paths: Iterable[str]) -> list[Any]:
        """Return the entities of paths, in their order."""
        return [self.by_path[path] for path in paths if path in self.by_path]

    def _source(self, path: str, content: Content) -> Any:
        inside = Path(os.path.relpath(path, self.root)).as_posix()
        if inside in self.copied:
            return self.crate.get(f"{WORKFLOW}/{inside}")
        return self._by_digest(path, content)

    def _result(self, path: str, content: Content) -> Any:
        name = Path(path).relative_to(RESULTS).as_posix()
        if not Path(path).exists():
            return self._by_digest(path, content)
        if Path(path).is_dir():
            properties = {"name": name, "sha256": content.sha256, "description": FOLDER_DIGEST}
            return self.crate.add_dataset(dest_path=f"{name}/", properties=properties)
        return self._add(name, content, name, {})

    def _by_digest(self, path: str, content: Content) -> Any:
        """Add a file that is not in the crate: its name is its digest (RFC 6920)."""
        code = base64.urlsafe_b64encode(bytes.fromhex(content.sha256)).decode().rstrip("=")
        shown = path if not Path(path).is_absolute() else Path(path).name
        properties = {"name": shown, "description": "Not in the crate: known by its digest."}
        return self._add(f"ni:///sha-256;{code}", content, shown, properties)

    def _add(self, identifier: str, content: Content, name: str, further: dict[str, Any]) -> Any:
        properties = {
            "name": name,
            "sha256": content.sha256,
            "contentSize": str(content.bytes),
            "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain"),
            **further,
        }
        if "://" in identifier:
            return self.crate.add_file(identifier, properties=properties)
        return self.crate.add_file(dest_path=identifier, properties=properties)


FOLDER_DIGEST = "sha256 is that of the sorted lines: name of the file, a zero byte, its sha256."
