"""Names that are refused against their mapping, and above all those that are not."""

import re

import pytest

from sdssflow.acquire.column_names import contradiction
from sdssflow.configuration.sources import FileSource, TapSource
from tests.acquire.files.good_table import BANDS

MAGNITUDES = {
    "model": "{} modelMag_{} {}mag {}_mag mag_{} MAG_{} {}_sdss sdss_{} p.modelMag_{} {}_modelmag "
    "AB_{} {}mag_model mag_auto_{} magnitude_{} m_{} SDSS_DR17_{} col_{} phot_{} photo.{}",
    "psf": "psfMag_{} PSFMAG_{} photo_{}_mag {}psf {}_psf {}pmag",
    "cmodel": "cModelMag_{} cmodelmag_{} cmodel_mag_{} {}_cmodel",
    "petro": "petroMag_{} petro_{}",
}
ERRORS = "psfMagErr_{} PSFMAGERR_{} err_{} {}_err e_{}mag sigma_{} {}err magerr_{} {}_unc d{} e_{}"
EXTINCTIONS = "extinction_{} EXTINCTION_{} A_{} a{} ext_{} galext_{} extinction_{}_sfd gal_ext_{}"
OTHERS = {
    "zspec": "z Z redshift zspec z_spec specz spec_z s.z zsp z_noqso Z_NOQSO specObj.z zfinal "
    "ZHELIO z_vi Z_PIPE z_true true_z specz_redshift photoobj.z",
    "zspec_err": "zErr z_err ZERR Z_ERR redshift_err e_z z_error sigma_z dz specz_err",
    "ra": "ra RA RAJ2000 RA_ICRS alpha ALPHA_J2000 raMean _RAJ2000 RAdeg ra_deg p.ra "
    "right_ascension PLUG_RA RightAscension coord.ra ra_hst RA_1",
    "dec": "dec DEC DEJ2000 DE_ICRS delta DELTA_J2000 decMean DEdeg declination PLUG_DEC decl",
    "objid": "objID obj_ID OBJID bestObjID photoObjID id",
    "specobjid": "specObjID spec_obj_ID SPECOBJID specid",
    "petro_r50_r": "petroR50_r FLUX_RADIUS PETROTH50[2]",
    "petro_rad_r": "petroRad_r PETROTHETA[2]",
    "z_warning": "zWarning ZWARNING",
    "spec_class": "class CLASS target",
}


def check(columns, **settings):
    """Return what is said of a mapping of a file; '' if it is taken."""
    source = FileSource(kind="file", path="a.csv", columns=columns, **settings)
    return ": ".join(contradiction(source) or ())


def check_service(columns, **settings):
    mapping = {"objid": "id", **columns}
    about = {"kind": "tap", "url": "http://h/tap", "table": "t", "key": "objid", **settings}
    return ": ".join(contradiction(TapSource(columns=mapping, **about)) or ())


def banded(target, name):
    return {target.format(band): name.format(band) for band in BANDS}


GOOD = [
    *(banded(f"{kind}_mag_{{}}", name) for kind in MAGNITUDES for name in MAGNITUDES[kind].split()),
    *(banded("psf_mag_err_{}", name) for name in ERRORS.split()),
    *(banded("extinction_{}", name) for name in EXTINCTIONS.split()),
    *({target: name} for target, names in OTHERS.items() for name in names.split()),
    *(
        {f"{kind}_mag_{band}": f"{vector}[{k}]" for k, band in enumerate(BANDS)}
        for kind, vector in [("model", "MODELMAG"), ("psf", "PSFMAG"), ("model", "mag")]
    ),
]


@pytest.mark.parametrize("columns", GOOD, ids=lambda columns: next(iter(columns.values())))
def test_a_name_that_people_use_is_taken(columns):
    assert not check(columns)
    assert not check({name: ref.upper() for name, ref in columns.items()})


FLUXES = (
    "psfFlux_u modelFlux_u MODELFLUX[0] flux_u FLUX_PSF FLUX_U uFlux f_nmgy_u spectroFlux_u u_Jy "
    "uJy u_mgy fnu_u"
)
CORRECTED = (
    "dered_u deredMag_u DERED_U u_dered u_dereddened u0 u_0 extcorr_u u_extcorr u_corr ucorr "
    "u_corrected nodust_u u0mag mag0_u"
)
BAD = {
    "a flux": {"model_mag_u": FLUXES, "psf_mag_u": "psfFlux_u PSFFLUX[0] psfflux_u psf_flux_u"},
    "a variance": {"model_mag_err_u": "modelFluxIvar_u ivar_u", "model_mag_u": "ivar_u"},
    "corrected for extinction": {"model_mag_u": CORRECTED, "cmodel_mag_u": CORRECTED},
    "a corrected magnitude": {"extinction_u": "dered_u"},
    "an error": {
        "model_mag_u": "modelMagErr_u u_err err_u e_umag",
        "zspec": "zErr z_err ZERR redshift_err e_z",
        "ra": "ra_err raErr RA_ERROR e_RAJ2000 sigma_ra",
    },
    "a value": {"psf_mag_err_u": "psfMag_u", "zspec_err": "z redshift"},
    "a psf magnitude": {"model_mag_u": "psfMag_u PSFMAG[0]", "cmodel_mag_u": "psfmag_u"},
    "a petro magnitude": {"psf_mag_u": "petroMag_u"},
    "a model magnitude": {"cmodel_mag_u": "modelMag_u", "psf_mag_u": "modelMag_u"},
    "a fiber magnitude": {"model_mag_u": "fiberMag_u fiber2Mag_u"},
    "an extinction": {"model_mag_u": "extinction_u"},
    "E(B-V)": {"extinction_u": "ebv E_BV EBV_SFD"},
    "the band g": {
        "model_mag_u": "g modelMag_g gmag mag_g MODELMAG[1] magnitude_g",
        "extinction_u": "extinction_g EXTINCTION[1]",
    },
    "the colour u-g": {"model_mag_u": "u_g u-g ug"},
    "a photometric redshift": {"zspec": "zphot photoz photo_z z_phot PHOTOZ Photoz.z z_ph zph"},
    "a velocity": {"zspec": "cz vel v_helio radvel"},
    "a flag": {"zspec": "zWarning zConf"},
    "the band z": {"zspec": "psfMag_z modelMag_z mag_z dered_z zmag"},
    "another coordinate": {"ra": "dec l glon DEJ2000", "dec": "ra b RAJ2000"},
    "the name says rad": {"ra": "ra_rad", "dec": "dec_radians"},
    "the name says hourangle": {"ra": "ra_hours RA_h ra_hms"},
    "the id of a spectrum": {"objid": "specObjID"},
    "the id of an object": {"specobjid": "objID bestObjID"},
}
CASES = [
    (says, target, name)
    for says, targets in BAD.items()
    for target, names in targets.items()
    for name in names.split()
]


@pytest.mark.parametrize(("says", "target", "name"), CASES)
def test_a_name_that_says_another_thing_is_refused_until_it_is_confirmed(says, target, name):
    message = check({target: name})
    assert says in message
    assert name in message
    assert f"set source.confirmed: [{target}]." in message
    assert not check({target: name}, confirmed=[target])
    if target != "objid" and name.isidentifier():
        assert says in (of_service := check_service({target: name}))
        assert not {"file", "units", "extinction_applied"} & set(re.findall(r"\w+", of_service))
        assert not check_service({target: name}, confirmed=[target])


def test_all_columns_with_the_same_trouble_are_named_at_once():
    columns = banded("model_mag_{}", "dered_{}")
    assert "and 3 more" in check(columns)
    assert f"source.confirmed: [{', '.join(columns)}]" in check(columns)


def test_corrected_magnitudes_are_taken_where_the_sample_says_so():
    extinctions = banded("extinction_{}", "extinction_{}")
    assert not check(banded("model_mag_{}", "dered_{}") | extinctions, extinction_applied=True)


def test_one_key_does_not_fit_corrected_and_observed_magnitudes():
    both = banded("model_mag_{}", "dered_{}") | banded("psf_mag_{}", "psfMag_{}")
    message = check(both, extinction_applied=True)
    assert re.search("psfMag_u -> psf_mag_u.*as observed.*is true", message)
    psf = [f"psf_mag_{band}" for band in BANDS]
    assert not check(both, extinction_applied=True, confirmed=psf)


def test_a_unit_that_is_given_settles_the_name():
    assert not check({"ra": "ra_hours"}, units={"ra": "hourangle"})
