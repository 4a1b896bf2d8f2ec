"""Links to files of the repository that are pages here too.

`docs/cluster.md` links to `../profiles/README.md`, which is right in the repository. In the built
pages that file is `profiles.md`, which includes it.
"""

PAGES = {
    "../profiles/README.md": "profiles.md",
    "../data/README.md": "data.md",
    "../notebooks/README.md": "notebooks.md",
    "../CONTRIBUTING.md": "contributing.md",
}


def follow_includes(app, docname: str, source: list[str]) -> None:
    """Let links lead to the page that includes the file."""
    for path, page in PAGES.items():
        source[0] = source[0].replace(f"]({path}", f"]({page}")


def setup(app):
    """Take part in a build."""
    app.connect("source-read", follow_includes)
    return {"parallel_read_safe": True}
