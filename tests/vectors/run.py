"""Runs a client's adapter over the conformance vectors: `python3 run.py [--skip GROUP]... COMMAND...`.

The adapter reads vectors from standard input, one per line, and prints one result per line; README.md has the format.
Exits with 1 if a result is wrong. Standard library only.
"""

import argparse
import json
import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
GROUPS = ("verdict", "strict", "lease", "clock", "redirect", "tls", "machine-id", "standby", "activation",
          "unknown-claims", "editions", "versions", "offline", "machine-code", "state")


def vectors(group):
    """The content of each file of the group, by name."""
    folder, contents = os.path.join(FOLDER, group), {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".json"):
            with open(os.path.join(folder, file), encoding="ascii") as opened:
                contents[file[:-len(".json")]] = json.load(opened)
    return contents


def run(command, questions, timeout):
    """The adapter's result for each question, and how it ended if that was too early."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    try:
        ended = subprocess.run(command, input=lines.encode("ascii"), stdout=subprocess.PIPE, timeout=timeout)
        printed, problem = ended.stdout, "the adapter exited with %d" % ended.returncode
    except subprocess.TimeoutExpired as expired:
        printed, problem = expired.stdout or b"", "no result within %d seconds" % timeout
    except OSError as error:
        printed, problem = b"", str(error)
    results = [parsed(line) for line in printed.splitlines() if line.strip()]
    return results + [problem] * (len(questions) - len(results))


def parsed(line):
    try:
        return json.loads(line.decode("utf-8"))
    except ValueError:
        return "not JSON: %r" % line[:200]


def differences(expected, result, path=""):
    """One line for each member that differs."""
    if isinstance(expected, dict) and isinstance(result, dict):
        for name in sorted(set(expected) | set(result)):
            inner = "%s.%s" % (path, name) if path else name
            yield from differences(expected.get(name, "absent"), result.get(name, "absent"), inner)
    elif isinstance(expected, list) and isinstance(result, list) and len(expected) == len(result):
        for number, pair in enumerate(zip(expected, result)):
            yield from differences(*pair, path="%s[%d]" % (path, number))
    elif type(expected) is not type(result) or expected != result:
        yield "    %s: expected %s, got %s" % (path or "result", shortened(expected), shortened(result))


def shortened(value):
    text = json.dumps(value)
    return text if len(text) <= 300 else "%s ... %s" % (text[:200], text[-80:])


def main():
    parser = argparse.ArgumentParser(description="Run a client's adapter over the conformance vectors.")
    parser.add_argument("--skip", action="append", default=[], choices=GROUPS, metavar="GROUP",
                        help="leave out this group; may be repeated")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP", help="run only this group")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each group")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the adapter and its arguments")
    options = parser.parse_args()
    # Options may also follow the command.
    while len(options.command) >= 2 and options.command[-2] == "--skip":
        options.skip.append(options.command.pop())
        options.command.pop()
    if not options.command:
        parser.error("which command runs the adapter?")
    wrong, table = 0, []
    for group in GROUPS:
        if group in options.skip or options.only and group not in options.only:
            table.append((group, "-", "-"))
            continue
        contents = vectors(group)
        expected = [content.pop("expected") for content in contents.values()]
        failed = 0
        for name, one, result in zip(contents, expected, run(options.command, contents.values(), options.timeout)):
            lines = list(differences(one, result))
            if lines:
                failed += 1
                print("%s/%s: %s\n%s" % (group, name, contents[name]["about"], "\n".join(lines)))
        table.append((group, len(contents) - failed, failed))
        wrong += failed
    for row in [("group", "passed", "failed")] + table:
        print("%-14s%8s%8s" % row)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
