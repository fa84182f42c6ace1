"""checks/manifest.json: held against what is collected, and against what ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import manifest
from labkit.errors import LabError
from labkit.report import Verdict

AVerdict = Callable[..., Verdict]


def repository(root: Path, text: str) -> Path:
    (root / "checks").mkdir()
    manifest.path(root).write_text(text)
    return root


def test_what_is_new_follows_and_what_is_gone_goes(tmp_path: Path) -> None:
    root = repository(tmp_path, '{"lab01.b.one": 1, "lab01.a.two": 2, "lab02.c.three": 3}')
    manifest.write(root, {"lab01.a.two": 2.5, "lab01.a.new": 1, "lab01.b.one": 1})
    table = json.loads(manifest.path(root).read_text())
    assert list(table.items()) == [
        ("lab01.b.one", 1),
        ("lab01.a.two", 2.5),
        ("lab01.a.new", 1),
        ("lab02.c.three", 3),  # a lab that was not collected stays as it was
    ]


def test_the_order_is_the_manifests(tmp_path: Path, a_verdict: AVerdict) -> None:
    root = repository(tmp_path, '{"lab01.b.one": 1, "lab01.a.two": 2}')
    verdicts = [a_verdict(name) for name in ("lab01.x.new", "lab01.a.two", "lab01.b.one")]
    names = [v.id for v in sorted(verdicts, key=manifest.position(root))]
    assert names == ["lab01.b.one", "lab01.a.two", "lab01.x.new"]


def test_deviations(tmp_path: Path, a_verdict: AVerdict) -> None:
    root = repository(tmp_path, '{"lab01.a.one": 1, "lab01.a.two": 2, "lab02.a.one": 1}')
    assert manifest.labs(root) == {"lab01", "lab02"}
    one, two = a_verdict("lab01.a.one", max_score=1.0), a_verdict("lab01.a.two", max_score=2.0)
    assert manifest.deviations(root, [one, two], ["lab01"]) == []
    remedy = ". Bring checks/ back to how it was handed out: git checkout checks/"
    assert manifest.deviations(root, [one], ["lab01"]) == [
        f"In checks/manifest.json, but did not run: lab01.a.two{remedy}"
    ]
    assert manifest.deviations(root, [one, two], ["lab01", "lab02"]) == [
        f"In checks/manifest.json, but did not run: lab02.a.one{remedy}"
    ]
    assert manifest.deviations(root, [one, two, a_verdict("lab01.b.c")], ["lab01"]) == [
        f"Ran, but not in checks/manifest.json: lab01.b.c{remedy}"
    ]
    cheap = a_verdict("lab01.a.two", max_score=20.0)
    assert manifest.deviations(root, [one, cheap], ["lab01"]) == [
        f"Worth other points than checks/manifest.json says: lab01.a.two (20 instead of 2){remedy}"
    ]


def test_a_hundred_deviations_are_told_in_one_sentence(tmp_path: Path, a_verdict: AVerdict) -> None:
    root = repository(tmp_path, json.dumps({f"lab01.a.n{number}": 1 for number in range(100)}))
    (told,) = manifest.deviations(root, [], ["lab01"])
    assert told.startswith("In checks/manifest.json, but did not run: lab01.a.n0, lab01.a.n1, lab01.a.n2,")
    assert " and 95 more. " in told


@pytest.mark.parametrize("text", ["", "[]", '{"lab01.a.b": "much"}', "\udcff"])
def test_a_manifest_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    root = tmp_path
    (root / "checks").mkdir()
    manifest.path(root).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LabError) as caught:
        manifest.load(root)
    assert caught.value.remedy == "Restore it: git checkout checks/manifest.json"


def test_writing_makes_it_anew_and_says_when_it_cannot(course: Any) -> None:
    course.checks(
        "one",
        '''
        @check(points=1.5, read=HANDOUT)
        def test_first():
            """First.

            Why?
            """

        @check(points=1, read=HANDOUT)
        def test_second():
            """Second.

            Why?
            """
        ''',
    )
    file = manifest.path(course.root)
    assert course.manifest().status == 0
    assert json.loads(file.read_text()) == {"lab01.one.first": 1.5, "lab01.one.second": 1}
    assert course.manifest("-k", "second").status == 0
    assert len(json.loads(file.read_text())) == 2, "-k must not thin it out"
    file.write_text("{")
    ended = course.manifest()
    assert ended.status == 4
    assert ended.says("manifest.json cannot be read", "Restore it: git checkout checks/manifest.json")
