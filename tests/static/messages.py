"""What the page says, read from its files: the messages of its documents and scripts, and literals that were forgotten.

``python -m tests.static.messages`` writes static/languages/en.json anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "static"
LANGUAGES = STATIC / "languages"
NOTE = " ## "
ENGLISH_PAGES = ("api",)  # for developers (docs/languages.md)
SAID = ("aria-label", "title", "alt", "placeholder")
VOID = {"meta", "link", "img", "input", "br", "use", "path"}

Message = str | dict[str, str]


def shown(text: str) -> str:
    """A message without what is said to translators."""
    return text.split(NOTE)[0]


def documents() -> list[Path]:
    return sorted(path for path in STATIC.rglob("*.html") if path.stem not in ENGLISH_PAGES and path.parent == STATIC)


def scripts() -> list[Path]:
    apart = (*ENGLISH_PAGES, "offline")
    return sorted(path for path in STATIC.rglob("*.js") if path.relative_to(STATIC).parts[0] not in apart)


# -- documents ---------------------------------------------------------------------------------------------------------


class _Element:
    def __init__(self, tag: str, apart: bool, note: str | None = None) -> None:
        self.tag, self.apart, self.note = tag, apart, note
        self.nodes: list[str | None] = []  # text, or None where an element stands


class Document(HTMLParser):
    """The messages of a document, as static/document_text.js makes them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.messages: list[str] = []
        self._open: list[_Element] = [_Element("", False)]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        apart = self._open[-1].apart or tag in ("script", "style", "noscript") or named.get("translate") == "no"
        self._open[-1].nodes.append(None)
        if not apart:
            self.messages += [value for name in SAID if (value := named.get(name)) and value.strip()]
        if tag not in VOID:
            self._open.append(_Element(tag, apart, named.get("data-note")))

    def handle_data(self, data: str) -> None:
        self._open[-1].nodes.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        element = self._open.pop()
        assert element.tag == tag, f"</{tag}> closes <{element.tag}>"
        words = [at for at, node in enumerate(element.nodes) if node and re.search(r"[^\W\d_]|[.:!?]", node)]
        if element.apart or not words:
            return
        text, places = "", 0
        for node in element.nodes[words[0] : words[-1] + 1]:
            places += node is None
            text += f"{{{places}}}" if node is None else node
        text = re.sub(r"\s+", " ", text).strip()
        if re.search(r"[^\W\d_]", re.sub(r"\{\d+\}", "", text)):
            self.messages.append(f"{text}{NOTE}{element.note}" if element.note else text)


# -- scripts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Token:
    kind: str  # "word", "text", "template" (a piece of one), "sign"
    text: str  # a text's value, a template's raw piece, the word or sign itself
    line: int
    start: int = 0  # of a piece of a template: where the first piece of it is among the tokens


_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[#\w$]+)
      | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_BEFORE_REGEX = set("(,=:[!&|?{};>")


def tokens(source: str) -> list[Token]:
    """The tokens of a script, without comments and regular expressions."""
    found: list[Token] = []
    at, nesting = 0, list[tuple[int, int]]()  # of each ${…} that is open: depth of braces, start of its template

    def template(begin: int, start: int) -> int:
        end = begin
        while source[end] != "`" and source[end : end + 2] != "${":
            end += 2 if source[end] == "\\" else 1
        found.append(Token("template", source[begin:end], source.count("\n", 0, begin) + 1, start))
        if source[end] == "`":
            found.append(Token("sign", "`", 0))
            return end + 1
        nesting.append((0, start))
        return end + 2

    while at < len(source):
        may_be_regex = source[at] == "/" and (
            not found or found[-1].text in _BEFORE_REGEX or found[-1].text == "return"
        )
        if may_be_regex and source[at + 1] not in "/*" and (regex := _REGEX.match(source, at)):
            at = regex.end()
            found.append(Token("word", "regex", 0))
            continue
        if source[at] == "`":
            at = template(at + 1, len(found))
            continue
        if nesting and source[at] in "{}":
            depth, start = nesting[-1]
            nesting[-1] = (depth + (1 if source[at] == "{" else -1), start)
            if nesting[-1][0] < 0:
                nesting.pop()
                at = template(at + 1, start)
                continue
        match = _TOKEN.match(source, at)
        assert match is not None
        kind, text = str(match.lastgroup), match[0]
        if kind == "text":
            inner = text[1:-1].replace("\\'", "'").replace('"', '\\"').replace('\\\\"', '\\"')
            text = json.loads(f'"{inner}"')
        if kind != "space":
            found.append(Token(kind, text, source.count("\n", 0, at) + 1))
        at = match.end()
    return found


_OPENS, _CLOSES = set("([{"), set(")]}")
TRANSLATORS = {"t": 1, "woven": 1, "known": 1, "tn": 2, "knownNumber": 2}  # how many literals of a message each takes


@dataclass(frozen=True)
class Call:
    function: str
    literals: list[str]  # of the arguments that are a literal
    arguments: list[list[Token]]
    span: tuple[int, int]


def calls(found: list[Token]) -> Iterator[Call]:
    """The calls of what translates."""
    for at, token in enumerate(found[:-1]):
        before = found[at - 1].text if at else ""
        if (
            token.kind != "word"
            or token.text not in TRANSLATORS
            or found[at + 1].text != "("
            or found[at + 1].kind != "sign"
        ):
            continue
        if before == "function" or (before == "." and found[at - 2].text != "."):
            continue
        arguments: list[list[Token]] = [[]]
        depth, end = 0, at + 2
        while depth or found[end].text != ")" or found[end].kind != "sign":
            one = found[end]
            if one.kind == "sign":
                depth += (one.text in _OPENS) - (one.text in _CLOSES)
            if one.kind == "sign" and one.text == "," and depth == 0:
                arguments.append([])
            else:
                arguments[-1].append(one)
            end += 1
        literals = [argument[0].text for argument in arguments if len(argument) == 1 and argument[0].kind == "text"]
        yield Call(token.text, literals, arguments, (at, end))


def of_script(source: str) -> Iterator[tuple[str, Message]]:
    """(id, English) of every message of a script."""
    for call in calls(tokens(source)):
        if call.function in ("tn", "knownNumber"):
            if len(call.literals) >= 2:
                one, other = call.literals[:2]
                yield other, {"one": shown(one), "other": shown(other)}
        elif call.literals:
            yield call.literals[0], shown(call.literals[0])


def catalogue() -> dict[str, Message]:
    """Everything the page says. Raises ValueError for a message that is plural here and single there."""
    found: dict[str, Message] = {}

    def add(key: str, message: Message) -> None:
        if found.setdefault(key, message) != message:
            raise ValueError(f"{key!r} is {found[key]!r} and {message!r}")

    for path in documents():
        for text in Document(path.read_text("utf-8")).messages:
            add(text, shown(text))
    for path in scripts():
        for key, message in of_script(path.read_text("utf-8")):
            add(key, message)
    return dict(sorted(found.items(), key=lambda item: (item[0].casefold(), item[0])))


def written(messages: dict[str, Message]) -> str:
    """A catalogue as it stands in its file: a line for each message."""
    lines = [
        f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(said, ensure_ascii=False)}"
        for key, said in messages.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    (LANGUAGES / "en.json").write_text(written(catalogue()), "utf-8")
