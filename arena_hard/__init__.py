"""The rooms of the pipeline, in the order in which data flows.

data  →  calling  →  money  →  answering, judging        gen_answer.py, gen_judgment.py
data  →  calling  →  money  →  building                  build_bench.py
data  →  rating   →  showing  →  browse                  show_result.py, qa_browser.py

What each room holds, and what the others may use of it, is in its docstring.
"""

import gc

gc.set_threshold(10_000, 20, 20)  # to look for garbage after every 700 objects takes a tenth of the time to import

__version__ = "0.6.0"  # CHANGELOG.md says what each version brought; manifests carry it
