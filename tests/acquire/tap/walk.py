"""The road from a TAP mirror to a catalogue, and the one by SkyServer beside it."""

import json
import re

import pyarrow.parquet as pq

from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.client_tap import TapLanguage, TapServer
from sdssflow.acquire.download.store import Store
from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.selection import SELECTABLE
from sdssflow.configuration.sources import TapSource
from sdssflow.tables import read_csv
from tests.acquire.download import walk
from tests.skyserver.clocks import OWN

MAPPING = {
    "objid": "objid",
    **{f"model_mag_{band}": band for band in BANDS},
    **{f"psf_mag_{band}": f"psfmag_{band}" for band in BANDS},
    **{f"petro_mag_{band}": f"petromag_{band}" for band in BANDS},
    **{f"extinction_{band}": f"extinction_{band}" for band in BANDS},
    "petro_rad_r": "petrorad_r",
    "photo_type": "type",
    "clean": "clean",
    "run": "run",
    "specobjid": "specobjid",
    "plate": "plate",
    "mjd": "mjd",
    "fiberid": "fiberid",
    "spec_class": "class",
    "spec_subclass": "subclass",
    "zspec": "zsp",
    "zspec_err": "zsp_err",
    "z_warning": "zwarning",
    "science_primary": "scienceprimary",
    "legacy_target1": "legacy_target1",
    "boss_target1": "boss_target1",
}
PHOTOMETRY = {
    "table": "sdss_dr17.photoobj",
    "key": "objid",
    "columns": {
        ours: theirs for ours, theirs in MAPPING.items() if SELECTABLE[ours].table == "photo"
    },
}
"""Changes that make `source` a sample of objects without spectra."""
# the stand-in's table ends where ids become larger than a signed number
LEGACY = {"column": "plate", "maximum": 8191}


class Board:
    """Middleware that answers chosen queries in another way, some times."""

    def __init__(self):
        self.orders = []
        self.asked = []

    def order(self, answer, match="", times=1):
        self.orders.append([answer, match, times])

    def __call__(self, request, application):
        self.asked.append(request)
        for order in self.orders:
            answer, match, times = order
            if times > 0 and re.search(match, request.sql):
                order[2] -= 1
                return answer(request, application)
        return application(request)


def source(url="http://127.0.0.1:1/tap", **changes):
    content = {
        "kind": "tap",
        "url": url,
        "table": "sdss_dr17.specobj",
        "columns": MAPPING,
        "chunks": 3,
        **changes,
    }
    return TapSource.model_validate_json(json.dumps(content))


def archive_at(url, folder, asked, network=walk.NETWORK):
    language = TapLanguage(asked)
    ask = TapServer(url, language.most_rows, network, OWN).ask
    return Archive(asked, ask, network, Store(folder / "store"), language, OWN)


def fetched(archive, asked, folder):
    """Walk from the plan to the catalogue."""
    walk.fetch(lambda: archive, folder, asked)
    return pq.read_table(folder / "catalogue.parquet"), read_csv(folder / "completeness.csv")


DOWNLOADED = {}


def by_skyserver(server, folder, selection, **changes):
    """Return the catalogue by SkyServer of the same sky; each is downloaded once."""
    columns = [name for name in MAPPING if not name.endswith("target1")]
    asked = walk.source(selection=selection, columns=columns, chunks=1, **changes)
    key = (server.url, asked.question())
    if key not in DOWNLOADED:
        walk.download(server.url, folder, asked)
        DOWNLOADED[key] = pq.read_table(folder / "catalogue.parquet")
    return DOWNLOADED[key]
