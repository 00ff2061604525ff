from typing import Any

import numpy as np
import numpy.typing as npt

def rankdata(a: npt.ArrayLike, method: str = ..., *, axis: int | None = ...) -> npt.NDArray[np.float64]: ...
def __getattr__(name: str) -> Any: ...  # the tests compare with more of it
