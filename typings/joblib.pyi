from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

class _Task(Generic[R]): ...

class Parallel:
    def __call__(self, iterable: Iterable[_Task[R]]) -> Iterable[R]: ...

def delayed(function: Callable[P, R]) -> Callable[P, _Task[R]]: ...
def parallel_config(backend: str, *, n_jobs: int) -> AbstractContextManager[None]: ...
