"""What is aimed at beside other libraries: the lines of README's table, in order."""

GOALS = (
    "perceptron, 10,000 updates: the NumPy loop over ours",
    "perceptron, 10,000 updates: torch over ours",
    "perceptron, 10,000 updates: a scan by hand that records its losses over ours",
    "Adam on 2-64-64-1, 1,000 steps: a Python loop of jitted steps over ours",
    "Adam on 2-64-64-1, 1,000 steps: torch over ours",
    "Adam on 2-64-64-1, 1,000 steps: a scan by hand that records its losses over ours",
    "least squares 20,000 x 50, condition 1e6, float64: np.linalg.lstsq over ours",
    "least squares 20,000 x 50, condition 1e6, float64: LinearRegression over ours",
    "derivative of 1-20-20-4 at 100,000 times: torch.func over ours",
    "derivative of 1-20-20-4 at 100,000 times, in evaluations of a plain network",
    "conv2d on nine shapes, value: torch over ours, geometric mean",
    "conv2d on nine shapes, image's gradient: torch over ours, geometric mean",
    "conv2d on nine shapes, kernel's gradient: torch over ours, geometric mean",
    "conv2d on sixteen shapes of more than 200 µs, and both gradients: plain lax over "
    "ours, the least",
    "conv2d (16,30,30,3) with 5x5x3x24: plain lax over ours",
    "softmax product (4096,1000), in evaluations of softmax",
    "softmax product (4096,1000): torch over ours",
    "polynomial fit (12,60,60), float64: np.linalg.solve over ours",
    "polynomial fit (64,60,60), float64: np.linalg.solve over ours",
    "polynomials (12,60,60) at 100 places, float64: BarycentricInterpolator over ours",
    "polynomials (12,60,60) at 100 places, float64: KroghInterpolator over ours",
    "heat equation 32x32, preparation and first call: asdex over ours",
    "heat equation 32x32, evaluation: asdex over ours",
    "heat equation 64x64, preparation and first call: asdex over ours",
    "heat equation 64x64, evaluation: asdex over ours",
    "small CNN 32x32, preparation and first call: asdex over ours",
    "small CNN 32x32, evaluation: asdex over ours",
    "small CNN 64x64, preparation and first call: asdex over ours",
    "small CNN 64x64, evaluation: asdex over ours",
    "call of a tiny function, less a bare jitted call of the same: the most of all "
    "public functions",
    "first call of the Jacobian of a transformer of 12 layers, 8 x 16: ours over "
    "jax.jacrev",
    "coloring a periodic 100 x 100 x 100 star",
)
