"""The loss of a dependence, where structure was lost."""


def lost(boxes, axis=None):
    loss = boxes.loss(axis)
    assert loss is not None
    return loss
