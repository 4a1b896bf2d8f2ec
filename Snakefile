# sdssflow: from an SDSS query to classes, redshifts and a report.
# Its stages stand in the order of the includes; docs/architecture.md is the map.
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


# what the downloads of this run will take; asks no server
rule plan:
    input:
        "results/download_estimate.csv",
    localrule: True


# our scores beside published numbers
rule published:
    input:
        "results/published.csv",
    localrule: True


# trained models in folders of their own
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
