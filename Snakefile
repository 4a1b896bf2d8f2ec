# sdssflow: from an SDSS query to classes, redshifts and a report.
# The includes are in the order of the stages; docs/architecture.md describes them.
from snakemake.utils import min_version

min_version("9.22")


include: "rules/common.smk"


terminal.prepare(workflow, lambda: every_output(None))


configfile: str(shipped(loading.DEFAULT))


report: "report/workflow.rst"


include: "rules/acquire.smk"
include: "rules/prepare.smk"
include: "rules/explore.smk"
include: "rules/classify.smk"
include: "rules/regress.smk"
include: "rules/evaluate.smk"
include: "rules/evaluate_pdfs.smk"
include: "rules/learning.smk"
include: "rules/published_numbers.smk"
include: "rules/published.smk"
include: "rules/applied_models.smk"
include: "rules/estimate.smk"
include: "rules/report.smk"
include: "rules/whole_run.smk"


rule all:
    default_target: True
    input:
        every_output,


# estimated cost of the downloads of this run; sends no query
rule plan:
    input:
        "results/download_estimate.csv",
    localrule: True


# our scores compared with published numbers
rule published:
    input:
        "results/published.csv",
    localrule: True


# trained models, each in a folder and a ZIP file
rule bundles:
    input:
        expand("results/bundles/{bundle}.zip", bundle=BUNDLES),
    localrule: True


# classes and redshifts of the objects of all targets
rule estimates:
    input:
        expand("results/{target}/complete.txt", target=TARGETS),
    localrule: True


complete_rules()


onstart:
    begin_run()


onsuccess:
    end_run()


onerror:
    end_run(failed=True)
