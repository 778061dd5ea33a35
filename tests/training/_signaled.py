"""A run that is sent two signals: `python -m tests.training._signaled FOLDER`."""

import os
import signal
import sys
import time

from tests.training._problem import train


def callback(step, params, losses):
    if step == 20:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # as from a terminal and a parent
        sys.stdout.write("one\n")
        sys.stdout.flush()
        time.sleep(0.7)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)  # in the midst of a chunk, as it were
        sys.stdout.write("it did not end")


if __name__ == "__main__":
    train(40, report_every=10, checkpoint=sys.argv[1], callback=callback)
