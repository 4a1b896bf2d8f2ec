"""How archives are queried."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sdssflow.configuration.section import FilePath, Section


class Downloads(Section):
    """How archives are queried: politely, and with time limits. Nothing here changes a result."""

    store: FilePath = "data/downloads"
    """Folder of verified answers, shared by all samples; they are never requested again."""
    mirror: FilePath | None = None
    """Folder with copies of files that samples and targets name by URL (`source.kind: url`), each
    under its name or a longer end of its URL: they are looked up here before any download."""
    pause_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """Minimum time between two queries from this machine. SkyServer allows 60 a minute."""
    timeout_s: Annotated[float, Field(gt=0)] = 660.0
    """Longest silence of the server, which itself gives up on a query after 600 s."""
    deadline_s: Annotated[float, Field(gt=0)] = 1800.0
    """Maximum time for one answer, silent or not."""
    give_up_s: Annotated[float, Field(gt=0)] = 14400.0
    """Maximum time for all answers of one job."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    """How often a query is sent before the job fails; complete answers are kept."""
    wait_s: Annotated[float, Field(ge=0)] = 5.0
    """Maximum wait before the second attempt; it doubles with each further one, up to 300 s."""
    contact: Annotated[str, Field(pattern=r"^[ -~]{0,100}$")] = ""
    """Your e-mail address, sent to the server so that its operators can reach you."""
