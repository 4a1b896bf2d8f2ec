"""A page for each package: its modules, their docstrings and their public members."""

import ast
import re
from pathlib import Path

from generated import heading, summary, table, write_pages

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOP = "sdssflow"
PACKAGES = (TOP, "skyserver_standin")


def modules() -> dict[str, str]:
    """Return the docstring of each package and module by its dotted name."""
    found = {}
    for path in sorted(SCRIPTS.glob("*/**/*.py")):
        parts = path.relative_to(SCRIPTS).with_suffix("").parts
        if parts[-1] != "__main__":
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return dict(sorted(found.items()))


def page(package: str, inside: list[str]) -> str:
    """Return the page of a package: its docstring, then each module."""
    parts = [heading(package), automodule(package)]
    for module in inside:
        name = module.removeprefix(f"{package}.")
        parts += [heading(name, "-"), f"*module* ``{module}``", automodule(module)]
    return "\n\n".join(parts) + "\n"


def automodule(name: str) -> str:
    """Return the directive that shows a module."""
    return f".. automodule:: {name}\n   :members:"


def index(packages: dict[str, list[str]], known: dict[str, str]) -> str:
    """Return the page that lists the packages and the modules beside them."""
    inner = [name for name in packages if name != TOP]
    rows = [(f":doc:`{name}`", summary(known[name])) for name in inner]
    beside = [(f":doc:`{name} <beside>`", summary(known[name])) for name in packages[TOP]]
    names = "\n".join(f"   {name}" for name in [*inner, "beside"])
    return "\n\n".join(
        [
            heading("Library"),
            "``make`` installs it, so that all of it can be imported from anywhere. What "
            "begins with an underscore is not listed.",
            heading("Packages", "-"),
            table(rows, ("package", "what is in it")),
            heading("Modules beside them", "-"),
            table(beside, ("module", "what is in it")),
            f".. toctree::\n   :hidden:\n\n{names}\n",
        ]
    )


def write_library_pages(app, config) -> None:
    """Write the pages before Sphinx looks for its sources."""
    known = modules()
    packages = {name: [] for name in known if (SCRIPTS / name.replace(".", "/")).is_dir()}
    for name in known.keys() - packages.keys():
        packages[name.rpartition(".")[0]].append(name)
    packages = {name: sorted(inside) for name, inside in packages.items()}
    pages = {f"{name}.rst": page(name, packages[name]) for name in packages if name != TOP}
    pages["beside.rst"] = page(TOP, packages[TOP])
    write_pages(
        Path(app.srcdir) / "generated/library", {"index.rst": index(packages, known), **pages}
    )


def without_pydantic_signature(app, what, name, obj, options, signature, annotation):
    """Leave out the signature of a section of the configuration: its keys are listed below it."""
    if what == "class" and hasattr(obj, "model_fields"):
        return "", None
    return None


def of_others(app, what, name, obj, skip, options):
    """Leave out what is imported from elsewhere, and what scikit-learn adds to its estimators."""
    foreign = isinstance(obj, type) and not obj.__module__.startswith(PACKAGES)
    return True if foreign or re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Take part in a build."""
    app.connect("autodoc-skip-member", of_others)
    app.connect("config-inited", write_library_pages)
    app.connect("autodoc-process-signature", without_pydantic_signature)
    return {"parallel_read_safe": True}
