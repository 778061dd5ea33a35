"""Run the modes side by side: `compare_modes`.

`contenders` compiles each mode and measures its memory, `timing` runs them in turns and
says which differ, `reference` is the derivative in float64, `result` the table.
"""
