"""Prints, as JSON, the test cases that Python's junitparser finds in a JUnit file."""

import json
import sys

from junitparser import Attr, Element, JUnitXml


class Rerun(Element):
    message = Attr()
    type = Attr()


def reruns(case):
    for tag in "flakyFailure", "flakyError", "rerunFailure", "rerunError":
        kind = type(tag, (Rerun,), {"_tag": tag})
        for rerun in case.iterchildren(kind):
            yield [tag, rerun.type, rerun.message]


def described(case):
    return {
        "class": case.classname,
        "name": case.name,
        "time": case.time,
        "results": [[result._tag, result.type, result.message] for result in case.result],
        "reruns": list(reruns(case)),
        "output": case.system_out or "",
    }


report = JUnitXml.fromfile(sys.argv[1])
totals = {"tests": report.tests, "failures": report.failures, "errors": report.errors}
suites = {suite.name: [described(case) for case in suite] for suite in report}
json.dump({"totals": totals, "suites": suites}, sys.stdout)
