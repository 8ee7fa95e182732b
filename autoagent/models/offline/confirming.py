"""What programs made of the figures that the rules came to: the same, others, or none."""

from collections.abc import Mapping
from dataclasses import replace

from autoagent.claims import Claim
from autoagent.models.offline.outcome import Outcome
from autoagent.models.offline.progress import Observed
from autoagent.models.offline.say import pick
from autoagent.models.offline.words import Language


def confirmed(outcome: Outcome, programs: Mapping[str, Observed], language: Language) -> Outcome:
    """With a word on who worked its figures out, and what the programs printed as claims. `programs`: by their code."""
    if not outcome.reached or not (outcome.rechecks or outcome.unchecked):
        return outcome
    claims, notes = list[Claim](), list[str]()
    for check in outcome.rechecks:
        ran = programs.get(check.code)
        if ran is None or ran.outcome != "ok":
            notes.append(_alone(check.of, language))
        elif (lines := check.lines(ran.text)) is None:
            notes.append(_others(check.of, language))
        else:
            notes.append(_same(check.of, language))
            claims += [
                Claim(text=f"{check.of}: {line}" if check.of else line, source=ran.id, quote=line) for line in lines
            ]
    told = "\n\n".join(dict.fromkeys([*notes, *(_alone(path, language) for path in outcome.unchecked)]))
    sections = (*outcome.sections, f"{told}\n")
    return replace(outcome, result=f"{outcome.result}\n\n{told}", sections=sections, worked_out=tuple(claims))


def _same(path: str, language: Language) -> str:
    return pick(language, f"A program that read {path or 'the files'} anew came to the same figures.",
                f"{path or '파일들'}: 다시 읽은 프로그램의 수와 같습니다.")  # fmt: skip


def _others(path: str, language: Language) -> str:
    files = path or "the files"
    return pick(language, f"A program that read {files} anew came to other figures: look before you use them.",
                f"{path or '파일들'}: 다시 읽은 프로그램의 수가 다릅니다. 쓰기 전에 확인하세요.")  # fmt: skip


def _alone(path: str, language: Language) -> str:
    return pick(language, f"Worked out by rules from {path or 'the files'}; no program checked it.",
                f"{path or '파일들'}: 규칙으로 계산한 수이며, 프로그램으로 확인하지 않았습니다.")  # fmt: skip
