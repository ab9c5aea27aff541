"""What Azure ML starts on the VM."""

import sys

import score
import train
from job_runtime import run_job

if __name__ == "__main__":
    sys.exit(run_job(train, score))
