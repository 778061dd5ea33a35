"""The loss of a dependence, where structure was lost."""


def lost(found, axis=None):
    loss = found.loss(axis)
    assert loss is not None
    return loss
