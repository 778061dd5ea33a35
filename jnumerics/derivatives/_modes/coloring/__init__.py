"""Who shares a pass: inputs that no output reads together get one color.

`detect` finds and proves the sparsity pattern; `lattice` colors what repeats along
axes, `greedy` the rest; `compress` puts both together and says where each entry of a
pass' result belongs.
"""
