"""The table Photoz of the stand-in, made from the redshifts of its own spectra and noise.

As in the SDSS it has the primary objects that look extended (the view GalaxyTag). Its scatter grows
with the magnitude, 2 % of the redshifts have nothing to do with the object, for 1 in 200 the fit
failed (-9999), and an object that is no galaxy has the redshift of some galaxy. All numbers are
round ones. The draws are digests of objID, so a row is the same whoever asks for it.
"""

from __future__ import annotations

DRAWS = ("noise", "angle", "wild", "failed", "outside", "other")
UNIFORM = "(md5_number_lower(concat(p.objID, '{word}')) / 18446744073709551616.0) AS {word}"

PHOTOZ = f"""
WITH truth AS (
  SELECT bestObjID, min_by(z, specObjID) AS z, min_by(class, specObjID) AS class
  FROM dbo.SpecObjAll GROUP BY bestObjID
), drawn AS (
  SELECT p.objID, p.r - p.extinction_r AS r, coalesce(t.class = 'GALAXY', false) AS galaxy, t.z,
    {", ".join(UNIFORM.format(word=word) for word in DRAWS)}
  FROM dbo.PhotoObjAll p JOIN truth t ON t.bestObjID = p.objID WHERE p.mode = 1 AND p.type = 3
), scattered AS (
  SELECT *, 0.017 * pow(10, 0.15 * greatest(r - 17.8, 0)) AS sigma,
    sqrt(-2 * ln(1 - noise)) * cos(2 * pi() * angle) AS normal
  FROM drawn
)
SELECT objID,
  CAST(CASE WHEN failed < 0.005 THEN -9999 WHEN NOT galaxy OR wild < 0.02 THEN other
    ELSE z + sigma * (1 + z) * normal END AS FLOAT) AS z,
  CAST(CASE WHEN failed < 0.005 THEN -9999 ELSE sigma * (1 + abs(z)) END AS FLOAT) AS zErr,
  CAST(CASE WHEN failed < 0.005 THEN 0 ELSE 100 - floor(30 * other * other) END AS INTEGER)
    AS nnCount,
  CAST((CASE WHEN outside < 0.02 THEN -1 ELSE 1 END)
    * least(7, 1 + greatest(0, floor((r - 19.5) / 0.4))) AS INTEGER) AS photoErrorClass
FROM scattered
"""
