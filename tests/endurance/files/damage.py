"""Checkpoints with flipped bits, cut short, and made to harm."""

import random
import tempfile
import warnings
from pathlib import Path

import jax
import numpy as np

from jnumerics.workbench import checkpoint
from tests.endurance.outcome import Outcome, Work
from tests.workbench.checkpoint.forged import AT, REFUSED, signed

SMALL = {"w": np.arange(6.0), "k": jax.random.key(0), "z": np.array([1j]), "n": 5}


def step_taken(folder: Path, path: Path, data: bytes) -> int:
    """Put bytes in the place of the newest checkpoint; return the step that loads."""
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return checkpoint.load(folder, SMALL)[0]


def flips_and_truncations(work: Work) -> Outcome:
    """Each flipped bit and each truncation must make the older checkpoint load."""
    folder, draw = Path(tempfile.mkdtemp()), random.Random(work.seed)
    checkpoint.save(folder, 1, SMALL)
    path = checkpoint.save(folder, 2, SMALL)
    data = path.read_bytes()
    flips, cuts, wrong = 0, 0, []
    for bit in work.within(draw.sample(range(8 * len(data)), work.count)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        flips += 1
        if step_taken(folder, path, bytes(damaged)) != 1:
            wrong.append(f"flipped bit {bit} of {len(data)} bytes was not seen")
    every = max(1, len(data) // work.count) if work.count < 600 else 1
    for length in work.within(range(0, len(data), every)):
        cuts += 1
        if step_taken(folder, path, data[:length]) != 1:
            wrong.append(f"truncation to {length} of {len(data)} bytes was not seen")
    if step_taken(folder, path, data) != 2:
        wrong.append("the file without damage does not load")
    return Outcome(f"{flips:,} flipped bits and {cuts:,} truncations, all seen", wrong)


def forgeries(work: Work) -> Outcome:
    """A header changed at random, its digest right, loads or is refused: no more."""
    folder, draw = Path(tempfile.mkdtemp()), random.Random(work.seed)
    path = checkpoint.save(folder, 5, SMALL)
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    refused, count, wrong = 0, 0, []
    for _ in work.within(range(work.count)):
        file = bytearray(
            data if draw.random() < 0.7 else draw.choice([*REFUSED.values()])
        )
        for _ in range(draw.randint(1, 6)):
            at = draw.choice([draw.randrange(8), draw.randrange(AT + 64, header)])
            if at < len(file):
                file[at] = draw.choice(
                    b'0123456789[]{}",:\\ue-' + bytes([draw.randrange(256)])
                )
        path.write_bytes(signed(bytes(file)))
        count += 1
        try:
            checkpoint.load(folder, SMALL)
        except (ValueError, TypeError) as e:
            refused += 1
            if "` must " not in str(e):
                wrong.append(f"forgery {count}: {type(e).__name__}: {e}")
        except BaseException as e:
            wrong.append(f"forgery {count}: {type(e).__name__}: {e}")
    return Outcome(f"{count:,} forged headers, {refused:,} refused", wrong)
