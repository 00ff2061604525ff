"""The rooms of the pipeline, in the order in which data flows.

data  →  calling  →  money  →  answering, judging        gen_answer.py, gen_judgment.py
data  →  calling  →  money  →  building                  build_bench.py
data  →  rating   →  showing  →  browse                  show_result.py, qa_browser.py

What each room holds, and what the others may use of it, is in its docstring.
"""

import gc
import os

# Threads of numpy's matrices wait for work at full speed, by default some 26 ms after each piece and at the start: time
# that another process needs. It is read when numpy is loaded.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")  # 2^16 cycles
gc.set_threshold(10_000, 20, 20)  # to look for garbage after every 700 objects takes a tenth of the time to import

__version__ = "0.6.0"  # CHANGELOG.md says what each version brought; manifests carry it
