"""What would be read otherwise than it was written is refused, and what is merely odd is not."""

# ruff: noqa: RUF001 - the texts are in the languages that they are about

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest

from activities.source.detection.claim import claimed_dialect
from activities.source.detection.doubt import Check, DoubtfulDialect
from activities.source.detection.formats import check_format
from activities.source.pinned_file import PinnedFile
from activities.source.utf8_scan import Utf8Scan
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions

RUSSIAN = "имя,город\nАнна,Москва\nИван,Тверь\n"
CZECH = "jméno,město\nŁukasz Gałęza,Łódź\nPaweł Wałęsa,Częstochowa\n"
FRENCH = "nom,ville\nRené Lefèvre,Besançon\nZoë Grünberg,Zürich\n"
JAPANESE = "名前,都市\n山田太郎,東京\n佐藤花子,大阪\n"
ROWS = "1,Ann,2024-01-05\n2,Bob,2024-02-06\n3,Cid,2024-03-07\n4,Dan,2024-04-08\n"

BAD: dict[Check, list[str | bytes]] = {
    "header": [
        ROWS,
        "5.1,3.5,1.4,setosa\n4.9,3.0,1.4,setosa\n4.7,3.2,1.3,setosa\n",
        "ann@example.com,Ann\nbob@example.com,Bob\n",
        "Ann,34\nBob,28\nCid,51\n",
        "Ann;1985\nBob;1990\nCid;1972\n",
        "U00017;x\nU00018;y\nU00019;z\n",
        "https://a.example/1\nhttps://b.example/2\n",
        "17\n4\n99\n",
        "0.5,0.5,1.25\n",
        "Name:,x\nOf:,y\n" + ROWS * 2,
        "150,4,setosa,versicolor,virginica\n5.1,3.5,1.4,0.2,0\n4.9,3.0,1.4,0.2,0\n",
        "male,yes\nfemale,no\nmale,no\nfemale,yes\nmale,no\nfemale,yes\n",
        "10:15,ok\n10:20,late\n10:25,ok\n",
        "Report of 2024\nid,name,day\n" + ROWS,
        "Report of 2024\n\nid,name,day\n" + ROWS,
        "Report of 2024,,\nid,name,day\n" + ROWS,
        "Report of 2024\nid;name;day\n" + ROWS.replace(",", ";"),
        "Sales, of 2024\nid,name,day\n" + ROWS,
        "# made by a tool\nid,name,day\n" + ROWS,
        "a,b\n1,2,\n3,4,\n5,6,\n",
        "a,b,\n1,2\n3,4\n5,6\n",
        "id,,\n" + ROWS,
        "weight,height\nkg,cm\n70,180\n65.5,171\n80,190\n",
        "name,vac,pso,paco,c\nunits,V,W,W,\n[0],v,p,q,c0\n" + "abc,208,2.5,250,40\n" * 30,
        "id\tsize\tkind\n#q2:types\tnumeric\tcategorical\na\t1\tx\nb\t2\ty\nc\t3\tz\n",
        "# made by a tool\n# in 2024\nid\tname\tday\n# data\n1\tAnn\tx\n#\n2\tBob\ty\n# end\n",
        "# made by a tool\n# in 2024\nid name\n1 Ann\n2 Bob\n",
        "cat.n.01\tpet.n.01\ndog.n.02\tpet.n.01\nred_fox.n.01\tanimal.n.01\n",
    ],
    "format": [
        '{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n',
        '[\n  {"a": 1},\n  {"a": 2}\n]\n',
        "INSERT INTO people VALUES (1, 'Ann');\nINSERT INTO people VALUES (2, 'Bob');\n",
        "-- dump\nCREATE TABLE people (id int, name text);\n",
        "{\\rtf1\\ansi a,b\\par}\n",
        "<table border=1>\n<tr><td>a</td></tr></table>\n",
        "<table>\n<tr><td>a</td></tr></table>\n",
    ],
    "encoding": [
        RUSSIAN.encode("cp1251"),
        RUSSIAN.encode("koi8-r"),
        RUSSIAN.encode("cp866"),
        CZECH.encode("cp1250"),
        CZECH.encode("cp852"),
        FRENCH.encode("cp850"),
        FRENCH.encode("mac-roman"),
        JAPANESE.encode("shift_jis"),
        JAPANESE.encode("gbk", "ignore"),
        JAPANESE.encode("euc_jp"),
        "nom,ville\nRené,é\n".encode() + b"Zo\xeb,Z\xfcrich\nRen\xe9,x\n",
    ],
    "quote": [
        "id,name\n1,'Ann, B'\n2,'Bob, C'\n3,'Cid, D'\n",
        "'id'\t'name'\n1\tAnn\n2\tBob\n",
        "'id','name'\n'1','Ann'\n'2','Bob'\n",
        'id, "name"\n1, "Ann, B"\n2,"Bob, C"\n',
        'id,name\n1,"the \\"big\\" one"\n2,"x"\n',
        "id,name\n1,Ann\\, B\n2,Bob\n",
    ],
    "delimiter": [
        "id||name||day\n1||Ann||x\n2||Bob||y\n3||Cid||z\n",
        "id::name\n1::Ann\n2::Bob\n3::Cid\n",
        "id^name^day\n1^Ann^x\n2^Bob^y\n3^Cid^z\n",
        "id~name\n1~Ann\n2~Bob\n3~Cid\n",
        "chins situps jumps\n5 162 60\n2 110 60\n12 101 101\n",
        "site theta phi\nFp1 -90 -72\nFz 45 90\nF3 -60 -51\n",
        " id arm start stop\n0 M 1 0 100\n1 M 1 100 105\n2 H 1 0 30\n",
    ],
}

GOOD: list[str | bytes] = [
    "id,name,day\n" + ROWS,
    "id,name,day\n",
    "id,name,day\n1,Ann,2024-01-05\n",
    "name\nAnn\nBob\nCid\n",
    "full name\nAnn Lee\nBob Ray\nCid Day\n",
    "amount\n1\n2\n3\n",
    "first,last,city\nAnn,Lee,Rome\nBob,Ray,Oslo\nCid,Day,Bonn\n",
    "country,2019,2020\nFrance,1,2\nItaly,3,4\n",
    "country,2009,2011,2016\nFrance,10,22\nItaly,3,4,5\nSpain,3,4,5\n",
    "country,2019\nFrance,1.5\nItaly,2.5\n",
    "country,1/22/20,1/23/20\nFrance,1,2\nItaly,3,4\n",
    "0,1,2,3\n5,6,7,8\n9,1,2,3\n",
    ",0\n0,5.5\n1,6.5\n2,7.5\n",
    ",name\n0,Ann\n1,Bob\n2,Cid\n",
    "1st,2nd,q1\n1,2,3\n4,5,6\n7,8,9\n",
    "#id,name\n1,Ann\n2,Bob\n3,Cid\n",
    "a,b,,,\n1,2,,,\n3,4,,,\n5,6,,,\n",
    "id,score,rank\n1,n/a,-\n2,5,1\n3,6,2\n4,7,3\n5,8,4\n",
    "id,name\n1,Ann\n2,Bob,x\n3,Cid\n4\n5,Eve\n",
    "id,name\n1\n2\n",
    "id,note\n1,it's\n2,'tis\n3,the 'best' one\n",
    'id,path\n1,"C:\\"\n2,"D:\\"\n',
    "id,path\n1,C:\\temp\n2,D:\\x\n",
    'id,size\n1,5" pipe\n2,"say ""hi"""\n',
    "id,text\n1,{\n2,[x]\n3,INSERT INTO\n",
    "[id],[name]\n1,Ann\n2,Bob\n3,Cid\n",
    "insert,into\n1,2\n3,4\n",
    "a|b||c\n1|2||3\n4|5|6|7\n8|9||1\n",
    "time\n12:30\n13:30\n14:30\n",
    "code_100,code_200\nabc,5\ndef,6\nghi,7\n",
    "sep=;\nid;name\n1;Ann\n2;Bob\n",
    "Datum;Betrag, EUR\n01.02.2024;1,50\n02.02.2024;2,50\n03.02.2024;3,50\n",
    "id,answer\n1,yes\n2,no\n3,yes\n",
    "type,0.0,0.5,1.0,1.8,2.5,3.0\nE-101,0,0,0.3,0.4,0.3,0\nE-115,0,0,0.2,0.5,0.4,0\nV90,0,0,0.1,0.6,0.5,0\n",
    "code,size\n#N/A,1\na,2\nb,3\nc,4\n",
    "rank,size\n#1,1\n2,2\n3,3\n4,4\n",
    "tag,size\n#red,1\n#green,2\n#blue,3\n#grey,4\n",
    "v.1,v.2\nA.1,B.3\nC.2,A.2\nB.4,C.1\n",
    "main street name\nElm Street 5\nOak Street 6\nAsh Street 7\n",
    'name\na;"b\nc;"d\ne\n',
    "sex,smoker\nmale,no\nfemale,yes\nmale,no\n",
    "id,name,day\n" + ROWS + "id,name,day\n" + ROWS,
    FRENCH.encode("cp1252"),
    FRENCH.encode(),
    FRENCH.encode("utf-16"),
    RUSSIAN.encode(),
    RUSSIAN.encode("utf-16"),
    JAPANESE.encode(),
    "name,price\nCafé,5 €\nThé,7 £\n“Ann’s” – 20°,½\n".encode("cp1252"),
    "namn,ort\nÅsa Öberg,Ängelholm\nBjörn,Åre\n".encode("cp1252"),
    "nom,note\nÉCOLE,«À»\nTrès bien,c’est l’été\n".encode("cp1252"),
    "name,ort\nStraße,Größe\nJürgen,Köln\n".encode("cp1252"),
]


def doubt_of(
    path: Path, content: str | bytes, *unchecked: Check, options: CsvOptions | None = None
) -> DoubtfulDialect | None:
    """Return why a file is refused as doubtful, None where it is taken."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    window, scan = PinnedFile.open(path), Utf8Scan()
    try:
        scan.feed(path.read_bytes())
        claimed_dialect(window, options or CsvOptions(), scan, unchecked)
    except DoubtfulDialect as doubt:
        return doubt
    finally:
        window.close()
    return None


def check_of(path: Path, content: str | bytes, *unchecked: Check, options: CsvOptions | None = None) -> str:
    """Return by which check a file is refused, empty where it is taken."""
    doubt = doubt_of(path, content, *unchecked, options=options)
    return doubt.check if doubt else ""


def test_every_file_of_the_table_is_refused_by_its_check_or_taken_where_it_is_good(tmp_path: Path) -> None:
    path, found = tmp_path / "rows.csv", Counter[str]()
    wrong: list[tuple[str, str | bytes]] = []
    for check, contents in {**BAD, "": GOOD}.items():
        for content in contents:
            seen = check_of(path, content)
            verdict = "taken" if not seen else "refused"
            found[f"{'bad' if check else 'good'} {verdict}"] += 1
            wrong += [] if seen == check else [(f"{check}: {seen}", content)]
    assert not wrong
    assert found == {"bad refused": 59, "good taken": 52}


@pytest.mark.parametrize("check", BAD)
def test_a_check_that_is_left_out_refuses_nothing(tmp_path: Path, check: Check) -> None:
    for content in BAD[check]:
        with contextlib.suppress(InvalidCsv):  # some cannot be read at all
            assert check_of(tmp_path / "rows.csv", content, check) != check


def test_a_setting_ends_the_doubt_about_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert check_of(path, RUSSIAN.encode("cp1251"), options=CsvOptions(encoding="cp1251")) == ""
    assert check_of(path, BAD["delimiter"][3], options=CsvOptions(delimiter=",")) == ""


def test_comments_are_refused_with_the_key_that_takes_them_for_comments(tmp_path: Path) -> None:
    for content in (each for each in BAD["header"] if isinstance(each, str)):
        comments = sum(each.startswith("#") for each in content.splitlines())
        doubt = doubt_of(tmp_path / "rows.csv", content)
        assert doubt is not None
        assert ("comment" in doubt.keys) == (comments > 1 or "\n#" in content)


def test_a_refusal_shows_both_readings_and_what_to_do_and_the_log_has_no_cell(tmp_path: Path) -> None:
    doubt = doubt_of(tmp_path / "rows.csv", ROWS)
    assert doubt is not None
    what, _, todo = str(doubt).rpartition("; ")
    assert "as the header: 1 / Ann / 2024-01-05; below it: 2 / Bob / 2024-02-06" in what
    assert "BATCH_UNCHECKED=header" in todo
    assert 'unchecked = ["header"]' in todo
    assert "Ann" not in doubt.logged

    doubt = doubt_of(tmp_path / "rows.csv", RUSSIAN.encode("cp1251"))
    assert "in cp1251 имя" in str(doubt)
    assert "such as cp1251 (BATCH_ENCODING" in str(doubt)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("beginning", ["/**/" * 1_000, "/* /* */" * 500, "--\n" * 1_300, "/*" * 2_000, " \n" * 2_000])
def test_no_beginning_of_comments_holds_up_the_check_of_a_format(beginning: str) -> None:
    check_format(f"{beginning}x")


@pytest.mark.parametrize("comment", ["", "-- dump\n", "/* a * b */;\n", "/*!40101 SET x */;\n/**/ -- y\n"])
def test_sql_is_seen_behind_comments(comment: str) -> None:
    with pytest.raises(DoubtfulDialect, match="SQL"):
        check_format(f"{comment}INSERT INTO users VALUES (1);\n")  # noqa: S608 - text of a file
