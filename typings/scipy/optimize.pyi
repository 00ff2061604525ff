from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

class OptimizeResult:
    x: npt.NDArray[np.float64]
    fun: float

def brentq(f: Callable[[float], float], a: float, b: float, *, xtol: float = ...) -> float: ...
def minimize(
    fun: Callable[..., Any], x0: npt.ArrayLike, *, jac: bool = False, method: str | None = None, options: Any = None
) -> OptimizeResult: ...
