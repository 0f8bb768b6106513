"""Every text of the page can be said in every language there is, and none was forgotten (docs/languages.md)."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.static import messages
from tests.static.messages import LANGUAGES, STATIC, Message, Token, calls, catalogue, of_script, scripts, shown, tokens

ROOT = STATIC.parent
ENGLISH: dict[str, Message] = json.loads((LANGUAGES / "en.json").read_text("utf-8"))
OTHERS = sorted(path for path in LANGUAGES.glob("*.json") if path.stem != "en")
# As Intl.PluralRules has them: a form for each has to be there.
PLURALS = {
    "fr": {"one", "many", "other"},
    "es": {"one", "many", "other"},
    "de": {"one", "other"},
    "pt": {"one", "many", "other"},
    "ja": {"other"},
    "zh": {"other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}
# Forms that may name the number in a word, or not at all.
WORDED = {"zero", "one", "two"}
# What takes a text that somebody reads or hears.
SAID = {
    "textContent",
    "ariaLabel",
    "placeholder",
    "title",
    "alt",
    "label",
    "hint",
    "words",
    "yes",
    "no",
    "text",
    "means",
}
SAYS = {
    "paragraph",
    "button",
    "field",
    "toast",
    "say",
    "banner",
    "notice",
    "ask",
    "sheet",
    "SessionError",
    "CameraError",
}
# Texts that are the same in every language, or no text for people.
UNTRANSLATED = {
    *("CSV", "JSON", "Visavis"),
    *("visavis serve --inbox", "inbox = true", "visavis --sightings", "visavis owner"),  # to be typed
    "Not connected",  # a state's own name (quality.js); what is said of it stands in NAMED
}


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_the_english_catalogue_is_what_the_page_says() -> None:
    wanted = catalogue()
    assert wanted == ENGLISH, "python -m tests.static.messages writes it anew"
    assert list(ENGLISH) == list(wanted)


def test_the_languages_are_those_that_can_be_chosen() -> None:
    chosen = re.search(r"LANGUAGES = \{(.*?)\}", (STATIC / "language.js").read_text("utf-8"), re.DOTALL)
    assert chosen is not None
    assert set(re.findall(r"(\w+):", chosen[1])) == {"en", *PLURALS}
    assert {path.stem for path in OTHERS} == set(PLURALS)


def faults(language: str, said: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a translation."""
    yield from (f"is missing: {key!r}" for key in ENGLISH.keys() - said.keys())
    yield from (f"is no message: {key!r}" for key in said.keys() - ENGLISH.keys())
    for key in ENGLISH.keys() & said.keys():
        english, translated = ENGLISH[key], said[key]
        if isinstance(english, str) != isinstance(translated, str):
            yield f"is plural in one language only: {key!r}"
            continue
        forms: dict[str, str] = {"": translated} if isinstance(translated, str) else translated
        if isinstance(english, dict) and set(forms) != PLURALS[language]:
            yield f"has the forms {sorted(forms)}: {key!r}"
        wanted = places(english if isinstance(english, str) else english["other"])
        for form, text in forms.items():
            if not isinstance(text, str) or not text.strip():
                yield f"is empty: {key!r} {form}"
            elif re.search(r"<\w|&\w+;", text):
                yield f"holds markup: {key!r} {form}"
            elif messages.NOTE in text:
                yield f"holds the note for translators: {key!r} {form}"
            elif places(text) | ({"count"} & wanted if form in WORDED else set()) != wanted:
                yield f"has the places {sorted(places(text))}: {key!r} {form}"


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_a_translation_is_complete(path: Path) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a message is there twice"
        return dict(pairs)

    said = json.loads(path.read_text("utf-8"), object_pairs_hook=once)
    assert sorted(faults(path.stem, said)) == []


def test_faults_of_a_translation_are_found() -> None:
    """The test above would notice: a language that is English, with one thing wrong after the other."""
    key, plural = "Add to {name}", "{count} pictures"
    right: dict[str, Any] = {
        name: said if isinstance(said, str) else dict.fromkeys(PLURALS["ar"], said["other"])
        for name, said in ENGLISH.items()
    }
    assert list(faults("ar", right)) == []
    wrong: list[dict[str, Any]] = [
        {name: said for name, said in right.items() if name != key},
        {**right, "no such message": "nothing"},
        *(
            {**right, key: text}
            for text in ("", "Add", "Add to <b>{name}</b>", "Add to {name} ## note", {"other": "x"})
        ),
        {**right, plural: {"other": "{count} pictures"}},
        {**right, plural: {**right[plural], "few": "pictures"}},
    ]
    assert all(list(faults("ar", said)) for said in wrong)
    assert list(faults("ar", {**right, plural: {**right[plural], "two": "both pictures"}})) == []


# -- what was forgotten ------------------------------------------------------------------------------------------------


def forgotten(source: str) -> Iterator[str]:
    """Literals of a script that somebody would read, and that do not go through a function that translates."""
    found = tokens(source)
    inside = {at for call in calls(found) for at in range(*call.span)}
    for at, token in enumerate(found):
        if token.kind not in ("text", "template") or token.text in UNTRANSLATED:
            continue
        if token.kind == "text" and at in inside and _is_message(found, at):
            continue
        first = at if token.kind == "text" else token.start
        if token.kind == "template" and [one.text for one in found[first - 2 : first]] == ["className", ":"]:
            continue
        if _looks_said(token) or (re.search(r"[A-Za-z]{2}", token.text) and _is_said(found, first)):
            yield f"{token.line}: {token.text}"


def _is_message(found: list[Token], at: int) -> bool:
    """Whether a literal stands right behind the bracket or comma of a call."""
    return found[at - 1].text in ("(", ",")


def _looks_said(token: Token) -> bool:
    """Several words that begin or end as a sentence does."""
    text = token.text
    if token.kind == "template" and re.search(r"(?:^|\s)[a-z]{3,}(?:\s|$)", text):
        return True
    return bool(re.search(r"[A-Za-z]{2,} [a-z]", text) and re.search(r"^[A-Z“‘]|[a-z][.?!…:]$", text.strip()))


def _is_said(found: list[Token], at: int) -> bool:
    """Whether a literal goes where texts go: `title: "…"`, `x.textContent = "…"`, `toast("…")`, also as one of two."""
    before = [token.text for token in found[max(0, at - 2) : at]]
    if len(before) < 2:
        return False
    name, sign = before
    return (sign in (":", "=") and name in SAID) or (sign == "(" and name in SAYS)


@pytest.mark.parametrize("path", scripts(), ids=lambda path: str(path.relative_to(STATIC)))
def test_no_text_is_forgotten(path: Path) -> None:
    assert list(forgotten(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        'made.textContent = "Save";',
        "made.textContent = `Save`;",
        'element("p", { textContent: "Save" });',
        'toast("Save");',
        "toast(`${name} is known now.`);",
        "paragraph(`${count} pictures`, t(`x`));",
        'const WORDS = { full: "The room is full." };',
        'return "Nobody is here";',
        't(full ? "The room is full." : "x");',
    ],
)
def test_forgotten_texts_are_found(source: str) -> None:
    assert list(forgotten(source))


@pytest.mark.parametrize(
    "source",
    [
        'made.textContent = t("Save"); // "Save it now."',
        'element("p", { className: "card notice", textContent: tn(n, "{count} day", "{count} days") });',
        'toast(t("{name} is known now.", { name }));',
        "const at = `translate(${x}px, ${y}px)`; /* `Save it now.` */",
        'const noise = /"(^|\\/)Save it now\\."/; root.append(...woven("Start with {command}.", { command }));',
    ],
)
def test_what_is_translated_is_not_called_forgotten(source: str) -> None:
    assert list(forgotten(source)) == []


@pytest.mark.parametrize("path", scripts(), ids=lambda path: str(path.relative_to(STATIC)))
def test_messages_are_literals(path: Path) -> None:
    if path.name in ("language.js", "document_text.js", "server_words.js", "server_sentences.js"):
        return  # these pass on what others say
    for call in calls(tokens(path.read_text("utf-8"))):
        first = call.arguments[1 if call.function == "tn" else 0]
        assert [token.kind for token in first] == ["text"], [token.text for token in first]


# -- what the server says ----------------------------------------------------------------------------------------------


def _pattern(node: ast.expr) -> str | None:
    """A text of the server as a pattern: anything may stand where it puts something in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    return None


def _letters(pattern: str) -> int:
    return len(re.findall(r"[a-z]", pattern.replace("\\", ""), re.IGNORECASE))


def server_texts() -> list[tuple[re.Pattern[str], int]]:
    found: dict[str, int] = {}
    for folder in ("server", "pipeline"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                pattern = _pattern(node) if isinstance(node, ast.Constant | ast.JoinedStr) else None
                if pattern and _letters(pattern) >= 4:
                    found[pattern] = _letters(pattern)
    return [
        (re.compile(pattern.removesuffix(r"\.").replace("\0", ".*"), re.IGNORECASE | re.DOTALL), letters)
        for pattern, letters in found.items()
    ]


def test_the_server_still_says_what_is_translated() -> None:
    said = server_texts()
    sentences = list(of_script((STATIC / "server_sentences.js").read_text("utf-8")))
    assert len(sentences) > 100
    unsaid = []
    for key, message in sentences:
        text = shown(key) if isinstance(message, str) else message["other"]
        sample = re.sub(r"\{\w+\}", "7", text)
        letters = _letters(sample)
        if not any(own >= 0.4 * letters and pattern.search(sample) for pattern, own in said):
            unsaid.append(text)
    assert unsaid == []
