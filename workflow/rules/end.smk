# What a run says when it ends.
import time

from snakemake.logging import logger

from dkn import summary

STARTED = time.time()


onsuccess:
    measured = {rule.name: rule.benchmark.match for rule in workflow.rules if rule.benchmark}
    logger.info(summary.finished(Path(RESULTS), time.time() - STARTED, STARTED, measured))


onerror:
    logger.error(summary.failed(map(Path, log), time.time() - STARTED))
