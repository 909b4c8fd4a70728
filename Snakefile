# Where Snakemake looks first in a checkout. The workflow is in workflow/Snakefile, where other tools look for it.
include: "workflow/Snakefile"


if IS_DEFAULT:  # an included file sets no default target
    workflow.default_target = workflow.modifier.modify_rulename("all")
