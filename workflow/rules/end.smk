# What a run says when it ends.
import time

from dkn.run import ending

STARTED = time.time()


onsuccess:
    look_after_models()
    measured = {rule.name: rule.benchmark.match for rule in workflow.rules if rule.benchmark}
    logger.info(ending.finished(Path(RESULTS), time.time() - STARTED, STARTED, measured))


onerror:
    look_after_models()
    logger.error(ending.failed(map(Path, log), time.time() - STARTED))
