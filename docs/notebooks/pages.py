"""Makes a page of each notebook when the site is built; named by ``hooks`` in properdocs.yml."""

from __future__ import annotations

from pathlib import Path

from nbconvert import MarkdownExporter
from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files

HERE = Path(__file__).resolve().parent


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Adds the page of each notebook beside it; the notebook itself stays a file to download."""
    for notebook in sorted(HERE.glob("*.ipynb")):
        text, resources = MarkdownExporter().from_filename(str(notebook))
        where = f"notebooks/{notebook.stem}"
        page = f"{text}\n\n[The notebook as a file]({notebook.name}).\n"
        files.append(File.generated(config, f"{where}.md", content=page))
        for name, data in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{name}", content=data))
    return files
