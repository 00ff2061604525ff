#!/usr/bin/env bash
# The set-up and the commands of README.md:
#   bash run.sh demo            all stages on data/demo, ending with the leaderboard
#   bash run.sh local           the same with real models on this machine (downloads some 360 MB, once)
#   bash run.sh build           a benchmark from sample conversations, ending with a report of how it was made
#   bash run.sh build --judge   the same, and then the demo's models are judged on it
#   bash run.sh test [ARGS…]    all tests, side by side (arguments go to pytest: -m "not slow", -n0 for one by one)
# They make .venv and install what is missing, once. PYTHON=python3.12 chooses another Python.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}

fail() { echo "run.sh: $1" >&2; exit 2; }

make_venv() {
  [ -x .venv/bin/python ] && return
  command -v "$python" >/dev/null || fail "$python is not there. Install Python 3.10 or newer, or set PYTHON."
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
    || fail "$python is $("$python" --version 2>&1), and 3.10 or newer is needed. Set PYTHON=python3.12 or the like."
  "$python" -c 'import venv, ensurepip' 2>/dev/null \
    || fail "this Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv"
  "$python" -m venv .venv
}

# install NAME FILE…: pip install, unless the same files were installed before
install() {
  local stamp=.venv/.installed-$1; shift
  local sum; sum=$(cat "$@" | cksum)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && return
  echo "run.sh: installing $* into .venv (once)" >&2
  local arguments=(); for file in "$@"; do arguments+=(-r "$file"); done
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "${arguments[@]}" \
    || fail "pip could not install $*. Read its message above, then run the same command again."
  echo "$sum" >"$stamp"
}

# the quick tests compute, the others wait as much; the quick answer is about the types of the package alone
is_quick() { [[ " $* " == *" not slow "* ]]; }

# pyright comes from the npm registry at its first run; afterwards it needs no network
check_types() {
  local what=(); is_quick "$@" && what=(arena_hard ./*.py)
  export PYRIGHT_PYTHON_CACHE_DIR="$PWD/.venv/pyright" PYRIGHT_PYTHON_IGNORE_WARNINGS=1
  if ! .venv/bin/python -m pyright --version >/dev/null 2>&1; then
    echo "run.sh: pyright could not be fetched; types are not checked" >&2
    return
  fi
  .venv/bin/python -m pyright ${what[@]+"${what[@]}"}
}

# all_stages FOLDER: answers, judgments and the leaderboard by the configs in a folder
all_stages() {
  local endpoints=(--endpoint-file "$1/api_config.yaml")
  .venv/bin/python gen_answer.py --setting-file "$1/gen_answer_config.yaml" "${endpoints[@]}"
  .venv/bin/python gen_judgment.py --setting-file "$1/judge_config.yaml" "${endpoints[@]}"
  .venv/bin/python show_result.py --setting-file "$1/judge_config.yaml"
}

demo() {
  make_venv
  install base requirements.txt
  all_stages config/demo
}

# build [--judge]: the fifth stage on data/demo-conversations; --judge: then all stages on the benchmark that it made
build() {
  [ "${1:---judge}" = --judge ] || fail "build takes --judge or nothing, and not $1."
  make_venv
  install base requirements.txt
  install build requirements.txt requirements-build.txt
  local folder=config/demo-build
  local built=(build_bench.py --setting-file "$folder/build_bench_config.yaml" --endpoint-file "$folder/api_config.yaml")
  .venv/bin/python "${built[@]}"
  if [ "${1:-}" = --judge ]; then all_stages "$folder"; fi
  .venv/bin/python "${built[@]}" --report
  if [ -z "${1:-}" ]; then echo "To judge the demo's models on it: bash run.sh build --judge"; fi
}

# real_models [NAME…]: the models of config/local (or those named) and llama.cpp's server, which are said before they come
real_models() {
  .venv/bin/python tools/local_models.py "$@" || return
  install local requirements-local.txt
}

real() {
  make_venv
  install base requirements.txt
  real_models
  all_stages config/local
}

run_tests() {
  make_venv
  install base requirements.txt
  install tests requirements-optional.txt requirements-build.txt requirements-minilm.txt tests/requirements.txt
  is_quick "$@" || (real_models SmolLM2) || echo "run.sh: the tests with a real model are skipped" >&2
  unset PYTHONDONTWRITEBYTECODE  # else each worker compiles all tests anew
  .venv/bin/python -m ruff check .
  set -m  # types are checked beside the tests, in a process group of its own that can be ended
  check_types "$@" >.venv/types.log 2>&1 &
  set +m
  local types=$! failed=0
  trap "kill -- -$types 2>/dev/null || true" EXIT
  local workers; workers=$(getconf _NPROCESSORS_ONLN); workers=$((workers < 8 ? workers : 8))
  is_quick "$@" || workers=$((workers * 3))
  .venv/bin/python -m pytest -n "$workers" --dist worksteal "$@" || failed=$?
  wait "$types" || failed=1
  cat .venv/types.log
  return "$failed"
}

case "${1:-}" in
  demo) shift; demo "$@" ;;
  build) shift; build "$@" ;;
  local) shift; real "$@" ;;
  test) shift; run_tests "$@" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' run.sh >&2; exit 2 ;;
esac
