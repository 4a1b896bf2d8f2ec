"""How archives are asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sdssflow.configuration.section import FilePath, Section


class Downloads(Section):
    """How archives are asked: politely, and not indefinitely. Nothing here changes a result."""

    store: FilePath = "data/downloads"
    """Folder of verified answers, shared by all samples: what stands there is never asked again."""
    mirror: FilePath | None = None
    """Folder with copies of files that samples and targets name by their address (`source.kind:
    url`), each under its name or under a longer end of its address: they are looked for here before
    anything is asked."""
    pause_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """Least time between two queries of this machine. SkyServer allows 60 a minute."""
    timeout_s: Annotated[float, Field(gt=0)] = 660.0
    """Longest silence of the server. It gives up on a query by itself after 600 s."""
    deadline_s: Annotated[float, Field(gt=0)] = 1800.0
    """Longest time for one answer, silent or not."""
    give_up_s: Annotated[float, Field(gt=0)] = 14400.0
    """Longest time for all the answers of one job."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    """How often a query is sent before the job fails; what is complete stays complete."""
    wait_s: Annotated[float, Field(ge=0)] = 5.0
    """Longest wait before the second attempt; it doubles with each further one, up to 300 s."""
    contact: Annotated[str, Field(pattern=r"^[ -~]{0,100}$")] = ""
    """Your e-mail address, sent to the server so that its operators can reach you."""
