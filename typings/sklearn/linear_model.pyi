import numpy as np
import numpy.typing as npt

class LogisticRegression:
    coef_: npt.NDArray[np.float64]
    def __init__(
        self,
        penalty: str | None = ...,
        *,
        C: float = ...,
        fit_intercept: bool = ...,
        solver: str = ...,
        tol: float = ...,
        max_iter: int = ...,
    ) -> None: ...
    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = ...
    ) -> LogisticRegression: ...
