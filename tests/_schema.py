"""What the commands write as JSON, key by key, and whether a value is of that form."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Form(BaseModel):
    """Exactly these keys, and no number for a truth or a text."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Versions(Form):
    jax: str
    jaxlib: str
    numpy: str


class Timing(Form):
    median: float
    q1: float
    q3: float
    runs: list[float]


class Mode(Form):
    mode: str
    passes: int | None
    flops: float | None
    bytes: float | None
    temp_bytes: int | None
    compile_s: float | None
    predicted_s: float | None
    run_s: Timing | None
    times_evaluation: float | None
    max_relative_difference: float | None
    same_as: str | None
    error: str | None


class Compare(Form):
    device: str
    versions: Versions
    function: str
    shapes: list[list[int]]
    dtypes: list[str]
    evaluation_s: Timing
    modes: list[Mode]
    predicted: str
    fastest: str | None
    tie: bool
    counted_by: str
    reference: str
    target: str


class Asked(Form):
    function: str
    shapes: list[list[int]]
    dtypes: list[str]
    argnums: int | list[int]
    seed: int
    target: str


class Candidate(Form):
    mode: str
    passes: int | None
    operations: float | None
    bytes: float | None
    predicted_s: float | None
    same_as: str | None
    note: str


class Boxes(Form):
    is_elementwise: bool
    entries: int
    may_be_nonzero: int


class Plan(Asked):
    samples: int
    outputs: int
    inputs: int
    mode: str
    passes: int
    reason: str
    candidates: list[Candidate]
    joined: list[list[str]]
    dependence: Boxes


class Finding(Form):
    name: str
    figure: float | None
    limit: float | None
    verdict: str
    meaning: str


class Check(Asked):
    passed: bool
    order: float | None
    error: float | None
    adjoint: float | None
    forward_reverse: float | None
    precision: float | None
    kink: float
    modes: list[str]
    dtype: str
    findings: list[Finding]
    reason: str


class Cell(Form):
    inputs: int
    outputs: int
    forward_s: float
    reverse_s: float
    predicted: str
    fastest: str | None
    tie: bool
    slowdown: float


class Crossover(Form):
    device: str
    versions: Versions
    inputs: list[int]
    outputs: list[int]
    cells: list[Cell]
    decided: int
    right: int
    worst_slowdown: float


VERSIONS, COMPARE, CROSSOVER = Versions.model_fields, Compare, Crossover
PLAN, CHECK = Plan, Check


def faults(value: object, form: type[Form]) -> list[str]:
    """Every place where a value is not of a form."""
    try:
        form.model_validate(value)
    except ValidationError as e:
        return [f"{error['loc']}: {error['msg']}" for error in e.errors()]
    return []
