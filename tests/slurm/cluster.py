"""SLURM on this machine alone: one node on the loopback address, without systemd, control groups or accounting.

Configuration has to lie in /etc/slurm, since the plugin's job steps drop SLURM_CONF. Hence root, and a machine that has
none yet.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CPUS = 8  # more than there may be: jobs of a test overlap, as on a cluster
GPUS = ("/dev/null", "/dev/zero")  # every pretended GPU needs a device file of its own
MEMORY_MB = 64_000  # declared, not enforced

SLURM = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
MinJobAge=3600
KillWait=3
SlurmctldTimeout=30
SlurmdTimeout=60
SlurmdParameters=config_overrides
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MailProg=/bin/true
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE DefaultTime=60 DefMemPerCPU=200 State=UP
PartitionName=gpu Nodes=node MaxTime=INFINITE DefaultTime=60 DefMemPerCPU=200 State=UP
"""


def missing() -> str | None:
    """Why no cluster can be started here, or None."""
    if os.geteuid() != 0:
        return "needs root, for /etc/slurm"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"needs {', '.join(absent)} (Debian: apt-get install slurmctld slurmd slurm-client munge)"
    if (CONFIGURATION / "slurm.conf").exists():
        return f"this machine has a {CONFIGURATION / 'slurm.conf'} already"
    return None


def output_of(*command: str) -> str:
    """What a command prints; nothing where it fails or takes longer than five seconds."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout
    except subprocess.SubprocessError:
        return ""


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Return once the condition holds; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


def _munge_answers() -> bool:
    return bool(output_of("munge", "-n"))


def _has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def start(folder: Path) -> None:
    """Start the daemons with their state in a folder, and wait until the node is idle."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    CONFIGURATION.mkdir(exist_ok=True)
    settings = SLURM.format(
        host=socket.gethostname().split(".")[0], folder=folder, cpus=CPUS, memory=MEMORY_MB, gpus=len(GPUS)
    )
    (CONFIGURATION / "slurm.conf").write_text(settings)
    (CONFIGURATION / "gres.conf").write_text("".join(f"NodeName=node Name=gpu File={file}\n" for file in GPUS))
    (CONFIGURATION / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # looking for one fails in a container
    if not _munge_answers():
        for name in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
            subprocess.run(["install", "-d", "-o", "munge", "-g", "munge", "-m", "0755", name], check=True)
        subprocess.run(
            ["runuser", "-u", "munge", "--", "munged", f"--pid-file=/run/munge/{folder.name}.pid"], check=True
        )
        wait_for(_munge_answers, "munge")
    subprocess.run(["slurmctld", "-i"], check=True)
    subprocess.run(["slurmd", "-N", "node"], check=True)
    wait_for(lambda: output_of("sinfo", "-h", "-N", "-p", "main", "-o", "%t").strip() == "idle", "an idle node")


def stop(folder: Path) -> None:
    """Cancel all jobs, end the daemons that `start` began, and take their configuration away."""
    jobs = output_of("squeue", "-h", "-o", "%i").split()
    if jobs:
        subprocess.run(["scancel", *jobs], check=False)
        wait_for(lambda: not output_of("squeue", "-h"), "jobs to end")
    pids = [folder / "slurmd.pid", folder / "slurmctld.pid", Path(f"/run/munge/{folder.name}.pid")]
    for pid in [int(path.read_text()) for path in pids if path.exists()]:
        os.kill(pid, signal.SIGTERM)
        wait_for(partial(_has_ended, pid), f"process {pid} to end")
    for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
        (CONFIGURATION / name).unlink(missing_ok=True)
