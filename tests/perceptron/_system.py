"""A published perceptron: its data, its draw of weights, its answers."""

import numpy as np

# a published perceptron: its data, its draw of weights, its answers
X = np.array([[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
Y = np.array([0, 1, 1, 0])
START = np.array([-0.16595599, 0.44064899, -0.99977125])
