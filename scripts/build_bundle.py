"""Write a trained model, with everything needed to apply it, to a folder and a ZIP file.

Inputs
------
model : folder of the trained model
development, features, catalogue : the objects of its training, their features and catalogue
calibration, reference : calibration of its p(z); none for a classifier
refit : instead of these, the folder of a model that was trained on all objects

Outputs
-------
folder : the bundle; `sdssflow.bundle.load` reads it
archive : the same as one file

Params
------
name : name of the bundle
bundle : canonical JSON of its definition
recipe : canonical JSON of the sample's features
tomographic_bins : number of bins in zphot with equal numbers of training objects
"""

from pathlib import Path

from sdssflow.configuration.features import Features
from sdssflow.configuration.targets import BundledModel
from sdssflow.estimate.bundles import Origins, write_bundle, zip_bundle
from sdssflow.logs import logger, run


def main(snakemake):
    params, output = snakemake.params, snakemake.output
    manifest = write_bundle(
        output.folder,
        params.name,
        BundledModel.from_canonical(params.bundle),
        Features.from_canonical(params.recipe),
        origins(snakemake.input),
        params.tomographic_bins,
    )
    zip_bundle(output.folder, output.archive)
    logger.info("%s, trained on %d objects", manifest.kind, manifest.objects)


def origins(inputs):
    found = {name: str(inputs.get(name, "")) for name in Origins._fields}
    if refit := inputs.get("refit"):
        made = {path.stem: str(path) for path in Path(refit).iterdir()}
        found |= {
            name: made.get(name, "") for name in found if name not in ("features", "catalogue")
        }
    return Origins(**found)


if "snakemake" in globals():
    run(main, snakemake)
