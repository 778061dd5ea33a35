"""Scenarios and collected functions, as the tests of dependence take them."""


def lost(found, axis=None):
    loss = found.loss(axis)
    assert loss is not None
    return loss
