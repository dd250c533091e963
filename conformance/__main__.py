"""Prints how CPython's own suites fare with ours; fails where the standard module does better."""

import argparse
import importlib.util
import platform
import sys
from collections.abc import Sequence

from conformance.runner import Runner
from conformance.suites import LEFT_OUT, SUITES, Suite
from conformance.table import HEADER, notes, row


def main(arguments: Sequence[str] | None = None, suites: Sequence[Suite] = SUITES) -> int:
    """Run the suites and print the table; return the exit status."""
    options = _parse(arguments, suites)
    runner = Runner(module=options.module, limit=options.limit, left_out=LEFT_OUT)
    chosen = [
        suite.allowing("walltime") if options.walltime else suite
        for suite in suites
        if suite.name in (options.suite or suite.name)
    ]
    print(f"`{options.module}` in place of `socketserver`:\n")
    print(*HEADER, sep="\n", flush=True)
    verdicts = {}
    for suite, verdict in runner.verdicts(chosen, options.jobs):
        verdicts[suite.name] = verdict
        print(row(suite.name, platform.python_version(), verdict), flush=True)
    print("", *notes(verdicts, LEFT_OUT), sep="\n", flush=True)
    return int(any(verdict.new for verdict in verdicts.values()))


def _parse(arguments: Sequence[str] | None, suites: Sequence[Suite]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    names = [suite.name for suite in suites]
    parser.add_argument("suite", nargs="*", help=f"one of {', '.join(names)}; all of them")
    parser.add_argument("--module", default="acceptor.classic", help="what to put in its place")
    parser.add_argument("--jobs", type=int, default=2, help="how many suites at a time")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds for a suite")
    parser.add_argument("--walltime", action="store_true", help="the long waits, too")
    options = parser.parse_args(arguments)
    unknown = set(options.suite) - set(names)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    if not _exists(options.module):
        parser.error(f"there is no module {options.module}")
    return options


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
