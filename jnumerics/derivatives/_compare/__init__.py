"""Run the modes side by side: `compare_modes`.

Comes in: a function, its arguments, the modes. Goes out: a `ModeComparison`, figures
and a verdict.

The idea: modes run in turns, in random order, so that what slows the machine down slows
all of them; the fastest is named only where its margin exceeds the spread, half of both
interquartile ranges (more with fewer than 20 runs). An example:

    a   median 10, quartiles  9 to 11
    b   median 11, quartiles 10 to 12    1 behind, spread 2: a tie
    c   median 14, quartiles 13 to 15    4 behind, spread 2: slower

`contenders` compiles each mode and measures its memory, `timing` runs them in turns and
says which differ, `reference` is the derivative in float64, `result` the table.
"""
